// What the scenarios have alike: their settings, what fails a run, what becomes of the figures.
//
//     BASE_URL  the bank                 http://localhost:9999
//     MODE      dev, or prod: writes SUMMARY
//     SUMMARY   a file for the summary as JSON; with MODE=prod SCENARIO.json
//     STRICT    1: 99% under 5 ms besides
//     VALIDATE  1: the contest's validations before the load; the bank has to be fresh
//
// k6's own variables do the rest, from the shell's environment (perf/README.md has examples):
//
//     K6_OUT                   where samples go while it runs: influxdb=http://localhost:8086/k6,
//                              or experimental-prometheus-rw with K6_PROMETHEUS_RW_SERVER_URL
//     K6_WEB_DASHBOARD         true: draws while it runs, at http://localhost:5665
//     K6_WEB_DASHBOARD_EXPORT  keeps that drawing as one file of HTML

import { checklist, figures, json, summaryThresholds, table } from './summary.js';
import { BATCH, validate } from './validations.js';

const MODE = __ENV.MODE || 'dev';
const STRICT = __ENV.STRICT === '1';
const SECONDS = { s: 1, m: 60, h: 3600 };

if (!['dev', 'prod'].includes(MODE)) {
  throw new Error(`MODE is dev or prod, not ${MODE}`);
}

export const CLIENTES = [1, 2, 3, 4, 5];

// The options of a load whose requests are of these kinds.
export function loading(kinds, options) {
  const latency = ['p(98)<250'].concat(STRICT ? ['p(99)<5'] : []);
  return {
    batch: BATCH,
    batchPerHost: BATCH,
    summaryTrendStats: ['avg', 'min', 'med', 'p(90)', 'p(98)', 'p(99)', 'max'],
    ...options,
    thresholds: { latency, ...CORRECT, ...summaryThresholds(kinds), ...options.thresholds },
  };
}

// The options of a script that asks each thing once.
export function checking(kinds, options) {
  const thresholds = { ...CORRECT, ...summaryThresholds(kinds) };
  return { batch: BATCH, batchPerHost: BATCH, ...options, thresholds };
}

// A load ends with its last request, which is due so many seconds before the end at most.
const EARLY = 0.5;
const CORRECT = { checks: ['rate==1'], inconsistencies: ['count==0'] };

// In `setup` of a load.
export function prepare() {
  if (__ENV.VALIDATE === '1') {
    validate();
  }
}

// `planned`: the seconds that the load takes, if nobody ends it; `each`: how long each kind was
// sent, if that is not the whole run.
export function summarize(scenario, data, kinds, planned, each) {
  const run = figures(data, kinds, data.state.testRunDurationMs / 1000 > planned - EARLY, each);
  const times = STRICT ? '98% under 250 ms, 99% under 5 ms' : '98% under 250 ms';
  return { stdout: table(run, kinds, times), ...written(scenario, run, data) };
}

export function summarizeChecks(scenario, data, kinds) {
  const run = figures(data, kinds, data.metrics.iterations?.values.count > 0);
  return { stdout: checklist(run, data), ...written(scenario, run, data) };
}

function written(scenario, run, data) {
  const file = __ENV.SUMMARY || (MODE === 'prod' ? `${scenario}.json` : '');
  return file === '' ? {} : { [file]: json(run, data) };
}

// `90`, `90s`, `2m` or `1h`.
export function seconds(name, otherwise) {
  const text = __ENV[name] || otherwise;
  const [, number, unit] = /^(\d+)([smh]?)$/.exec(text) ?? [];
  if (!(Number(number) > 0)) {
    throw new Error(`${name} is a time such as 90s, 2m or 1h, not ${text}`);
  }
  return Number(number) * SECONDS[unit || 's'];
}
