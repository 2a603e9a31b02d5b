// How much the bank answers: so many connections, each of which sends its next request when it has
// its answer, one level after the other; requests in the contest's proportions. k6 takes several
// times the CPU of what it asks for: on the same machine it is k6 that is saturated, and
// `cargo xtask bench` (wrk) tells more.
//
//     cargo xtask k6 saturation --connections 16,64,256
//     k6 run -e BASE_URL=http://localhost:9999 perf/k6/saturation.js
//
//     CONNECTIONS  the levels                  16,64,256
//     HOLD         how long each is held       15s
//
// and the settings of run.js. Nobody else may move money meanwhile: at the end the books are
// closed (money.js).

import { applied, closeBooks, moneyThresholds, openBooks } from './money.js';
import { mixed } from './requests.js';
import { loading, prepare, seconds, summarize } from './run.js';

const HOLD = seconds('HOLD', '15s');
const LEVELS = (__ENV.CONNECTIONS || '16,64,256').split(',').map(Number);
const KINDS = LEVELS.map(kindOf);
// For what is under way when a level ends.
const PAUSE = 1;

if (!LEVELS.every((level) => Number.isInteger(level) && level > 0)) {
  throw new Error(`CONNECTIONS is a list such as 16,64,256, not ${__ENV.CONNECTIONS}`);
}

export const options = loading(KINDS, {
  scenarios: Object.fromEntries(LEVELS.map((vus, index) => [`c${vus}`, {
    executor: 'constant-vus',
    vus,
    duration: `${HOLD}s`,
    startTime: `${index * (HOLD + PAUSE)}s`,
    gracefulStop: '10s',
    exec: 'request',
    env: { KIND: kindOf(vus) },
  }])),
  thresholds: moneyThresholds,
});

export function setup() {
  prepare();
  openBooks();
}

export function request() {
  mixed(__ENV.KIND, applied);
}

export const teardown = closeBooks;

export function handleSummary(data) {
  const planned = LEVELS.length * (HOLD + PAUSE) - PAUSE;
  return summarize('saturation', data, KINDS, planned, () => HOLD);
}

function kindOf(connections) {
  return `${connections} connections`;
}
