// The contest's load: debits up to 220 a second, credits up to 110, extratos up to 10, over two
// minutes; then two minutes of that. An open model: what is slow does not slow the load down.
//
//     cargo xtask k6                                     # finds k6, or fetches it
//     k6 run -e BASE_URL=http://localhost:9999 perf/k6/contest.js
//
//     RAMP      how long it grows      2m
//     HOLD      how long it stays      2m
//
// and the settings of run.js.

import { RATES, credito, debito, leitura } from './requests.js';
import { loading, prepare, seconds, summarize } from './run.js';

const KINDS = Object.keys(RATES);
const RAMP = seconds('RAMP', '2m');
const HOLD = seconds('HOLD', '2m');
// So long may the bank stand still before a request would have nobody to send it.
const STALL_SECONDS = 2;

export const options = loading(KINDS, {
  scenarios: Object.fromEntries(Object.entries(RATES).map(([kind, rate]) => [kind, {
    executor: 'ramping-arrival-rate',
    exec: kind,
    startRate: 1,
    timeUnit: '1s',
    stages: [{ target: rate, duration: `${RAMP}s` }, { target: rate, duration: `${HOLD}s` }],
    // An iteration that finds no idle virtual user is lost, so all are there from the start.
    preAllocatedVUs: rate * STALL_SECONDS,
  }])),
  // Each user that the contest's tool injects opens a connection, asks over it, and closes it.
  // (noConnectionReuse would say so in each request, `Connection: close`, which that tool doesn't.)
  noVUConnectionReuse: true,
  thresholds: { dropped_iterations: ['count==0'] },
});

export const setup = prepare;

export function debitos() {
  debito('debitos');
}

export function creditos() {
  credito('creditos');
}

export function extratos() {
  leitura('extratos');
}

export function handleSummary(data) {
  return summarize('contest', data, KINDS, RAMP + HOLD);
}
