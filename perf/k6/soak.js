// The contest's load at its height, for as long as one likes: does anything leak, slow down, or
// lose money? The run is told in six parts, so that a drift is seen, and at its end the books are
// closed (money.js): nobody else may move money meanwhile.
//
//     cargo xtask k6 soak --hold 3600
//     k6 run -e BASE_URL=http://localhost:9999 -e HOLD=1h perf/k6/soak.js
//
//     RAMP      how long it grows      10s
//     HOLD      how long it stays      30m
//
// and the settings of run.js.

import exec from 'k6/execution';

import { applied, closeBooks, moneyThresholds, openBooks } from './money.js';
import { RATES, mixed } from './requests.js';
import { loading, prepare, seconds, summarize } from './run.js';

const RAMP = seconds('RAMP', '10s');
const HOLD = seconds('HOLD', '30m');
const PARTS = 6;
const KINDS = Array.from({ length: PARTS }, (_, part) => `part ${part + 1}`);
const RATE = Object.values(RATES).reduce((sum, rate) => sum + rate, 0);
// So long may the bank stand still before a request would have nobody to send it.
const STALL_SECONDS = 2;

export const options = loading(KINDS, {
  scenarios: {
    soak: {
      executor: 'ramping-arrival-rate',
      exec: 'request',
      startRate: 1,
      timeUnit: '1s',
      stages: [{ target: RATE, duration: `${RAMP}s` }, { target: RATE, duration: `${HOLD}s` }],
      preAllocatedVUs: RATE * STALL_SECONDS,
    },
  },
  // A connection for each request, as the contest's tool: accepting is soaked, too.
  noVUConnectionReuse: true,
  thresholds: { dropped_iterations: ['count==0'], ...moneyThresholds },
});

export function setup() {
  prepare();
  openBooks();
}

export function request() {
  const part = Math.floor(exec.scenario.progress * PARTS);
  mixed(KINDS[Math.min(part, PARTS - 1)], applied);
}

export const teardown = closeBooks;

export function handleSummary(data) {
  return summarize('soak', data, KINDS, RAMP + HOLD, () => (RAMP + HOLD) / PARTS);
}
