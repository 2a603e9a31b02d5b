// The contest's load: debits up to 220 a second, credits up to 110, extratos up to 10, over two
// minutes; then two minutes of that. An open model: what is slow does not slow the load down.
//
//     cargo xtask k6                                     # finds k6, or fetches it
//     k6 run -e BASE_URL=http://localhost:9999 perf/k6/contest.js
//
//     BASE_URL  the bank               http://localhost:9999
//     RAMP      how long it grows      2m
//     HOLD      how long it stays      2m
//     VALIDATE  1: the contest's validations before; the bank has to be fresh
//     MODE      dev, or prod: writes SUMMARY
//     SUMMARY   a file for the summary as JSON; with MODE=prod contest.json
//
// k6's own variables do the rest: K6_WEB_DASHBOARD=true draws while it runs, at
// http://localhost:5665, and K6_WEB_DASHBOARD_EXPORT=contest.html keeps that as one file.

import {
  answered, consistent, count, descricao, extrato, post, random, read, transacao,
} from './bank.js';
import { json, summaryThresholds, table } from './summary.js';
import { BATCH, validate } from './validations.js';

const RATES = { debitos: 220, creditos: 110, extratos: 10 };
const RAMP = __ENV.RAMP || '2m';
const HOLD = __ENV.HOLD || '2m';
const MODE = __ENV.MODE || 'dev';
const SUMMARY = __ENV.SUMMARY || (MODE === 'prod' ? 'contest.json' : '');
// So long may the bank stand still before a request would have nobody to send it.
const STALL_SECONDS = 2;

if (!['dev', 'prod'].includes(MODE)) {
  throw new Error(`MODE is dev or prod, not ${MODE}`);
}

export const options = {
  scenarios: Object.fromEntries(Object.entries(RATES).map(([kind, rate]) => [kind, {
    executor: 'ramping-arrival-rate',
    exec: kind,
    startRate: 1,
    timeUnit: '1s',
    stages: [{ target: rate, duration: RAMP }, { target: rate, duration: HOLD }],
    // An iteration that finds no idle virtual user is lost, so all are there from the start.
    preAllocatedVUs: rate * STALL_SECONDS,
  }])),
  // Each user that the contest's tool injects opens a connection, asks over it, and closes it.
  // (noConnectionReuse would say so in each request, `Connection: close`, which that tool doesn't.)
  noVUConnectionReuse: true,
  batch: BATCH,
  batchPerHost: BATCH,
  summaryTrendStats: ['avg', 'min', 'med', 'p(90)', 'p(98)', 'p(99)', 'max'],
  thresholds: {
    latency: ['p(98)<250'],
    checks: ['rate==1'],
    inconsistencies: ['count==0'],
    dropped_iterations: ['count==0'],
    ...summaryThresholds(Object.keys(RATES)),
  },
};

export function setup() {
  if (__ENV.VALIDATE === '1') {
    validate();
  }
}

export function debitos() {
  transact('debitos', 'd', [200, 422]);
}

export function creditos() {
  transact('creditos', 'c', [200]);
}

export function extratos() {
  const answer = extrato('extratos', random(1, 5), [200]);
  count('extratos', answer);
  if (answered('extratos', answer, [200])) {
    consistent('extratos', read(answer)?.saldo ?? null);
  }
}

export function handleSummary(data) {
  const written = SUMMARY === '' ? {} : { [SUMMARY]: json(data, Object.keys(RATES)) };
  return { stdout: table(data, Object.keys(RATES)), ...written };
}

function transact(kind, tipo, statuses) {
  const body = transacao(tipo, random(1, 10000), descricao());
  const answer = post(kind, random(1, 5), body, statuses);
  count(kind, answer);
  if (answered(kind, answer, statuses) && answer.status === 200) {
    consistent(kind, read(answer));
  }
}
