// What a run comes to: a table for people, JSON for programs. k6 keeps the figures of a tag only
// if a threshold names it, so there is one for each that is wanted.

// 0 is k6's for no answer at all: refused, reset, timed out.
const STATUSES = [0, 200, 400, 404, 405, 408, 413, 422, 429, 499, 500, 502, 503, 504];
const LATENCIES = { p50: 'med', p90: 'p(90)', p98: 'p(98)', p99: 'p(99)', max: 'max' };

export function summaryThresholds(kinds) {
  const all = {};
  for (const kind of kinds) {
    all[`latency{kind:${kind}}`] = ['max>=0'];
    all[`http_reqs{kind:${kind}}`] = ['count>=0'];
    for (const status of STATUSES) {
      all[`http_reqs{kind:${kind},status:${status}}`] = ['count>=0'];
    }
  }
  return all;
}

// The run's figures; times in microseconds. `is_whole`: it went on to its end. `seconds`: how long
// a kind was sent, else all the run.
export function figures(data, kinds, is_whole, seconds) {
  const took = Math.round(data.state.testRunDurationMs / 100) / 10;
  const kind = (name) => {
    const requests = of(data, `http_reqs{kind:${name}}`, 'count');
    return {
      requests,
      per_second: Math.round(requests / (seconds?.(name) ?? took)),
      statuses: statuses(data, name, requests),
      latency_us: latency(data, `latency{kind:${name}}`),
    };
  };
  const all = Object.fromEntries(kinds.map((name) => [name, kind(name)]));
  const requests = Object.values(all).reduce((sum, { requests: some }) => sum + some, 0);
  // Thresholds hold over nothing, and a run of nothing shows nothing.
  const missed = requests === 0 ? ['no request was sent'] : failed(data);
  return {
    passed: is_whole && missed.length === 0,
    interrupted: !is_whole,
    failed_thresholds: missed,
    requests,
    per_second: Math.round(requests / took),
    latency_us: latency(data, 'latency'),
    kinds: all,
    inconsistencies: of(data, 'inconsistencies', 'count'),
    failed_checks: of(data, 'checks', 'fails'),
    failed_check_names: checks(data.root_group).filter(({ fails }) => fails > 0).map(sentence),
    dropped_iterations: of(data, 'dropped_iterations', 'count'),
    seconds: took,
  };
}

export function json(run, data) {
  return `${JSON.stringify({ ...run, metrics: data.metrics }, null, 2)}\n`;
}

// `times`: what the latencies were held to.
export function table(run, kinds, times) {
  const width = Math.max(...kinds.map(({ length }) => length), 8) + 2;
  const ms = (us) => (us / 1000).toFixed(2).padStart(10);
  const line = (name, { requests, per_second, latency_us, statuses: counts = {} }) => {
    const shown = Object.keys(LATENCIES).map((key) => ms(latency_us[key])).join('');
    const said = Object.entries(counts).map(([status, n]) => `${status}: ${n}`).join(', ');
    const numbers = String(requests).padStart(9) + String(per_second).padStart(9);
    return `${name.padEnd(width)}${numbers}${shown}  ${said}`;
  };
  const heads = Object.keys(LATENCIES).map((key) => `${key} ms`.padStart(10)).join('');
  return [
    '',
    `${''.padEnd(width)} requests      a s${heads}  statuses (0: no answer)`,
    ...kinds.map((kind) => line(kind, run.kinds[kind])),
    line('all', run),
    '',
    `${run.seconds} s, ${run.failed_checks} failed checks, ${run.inconsistencies} inconsistencies,`
      + ` ${run.dropped_iterations} dropped`,
    ...run.failed_check_names.map((name) => `    ${name}`),
    verdict(run, `passed: ${times}, no failed check, nothing inconsistent, nothing dropped`),
    '',
  ].join('\n');
}

// Each check by its name, for a script that has no figures.
export function checklist(run, data) {
  const mark = (one) => (one.fails > 0 ? `FAILED  ${sentence(one)}` : `    ok  ${one.name}`);
  return [
    '',
    ...checks(data.root_group).map(mark),
    '',
    verdict(run, 'passed'),
    '',
  ].join('\n');
}

// A part of a run shows neither: what is under way at its end is in no book.
function verdict(run, passed) {
  if (run.interrupted) {
    const by = 'by a signal or by an error above';
    return `INTERRUPTED after ${run.seconds} s, ${by}: neither passed nor failed`;
  }
  return run.passed ? passed : `FAILED: ${run.failed_thresholds.join('; ')}`;
}

function statuses(data, kind, requests) {
  const counts = STATUSES.map((status) => {
    return [status, of(data, `http_reqs{kind:${kind},status:${status}}`, 'count')];
  });
  const named = counts.reduce((sum, [, count]) => sum + count, 0);
  counts.push(['other', requests - named]);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

function latency(data, metric) {
  const us = (stat) => Math.round(of(data, metric, stat) * 1000);
  return Object.fromEntries(Object.entries(LATENCIES).map(([key, stat]) => [key, us(stat)]));
}

// A metric that nothing was added to is not there.
function of(data, metric, value) {
  return data.metrics[metric]?.values?.[value] ?? 0;
}

function failed(data) {
  return Object.entries(data.metrics).flatMap(([name, metric]) => {
    const missed = Object.entries(metric.thresholds ?? {}).filter(([, { ok }]) => !ok);
    return missed.map(([threshold]) => `${name} ${threshold}`);
  });
}

function checks(group) {
  return group.checks.concat(...group.groups.map(checks));
}

function sentence({ name, fails, passes }) {
  return `${name}: failed ${fails} of ${fails + passes}`;
}
