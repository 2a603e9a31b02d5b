// What a run comes to: a table for people, JSON for programs. k6 keeps the figures of a tag only
// if a threshold names it, so there is one for each that is wanted.

// 0 is k6's for no answer at all: refused, reset, timed out.
const STATUSES = [0, 200, 400, 404, 408, 413, 422, 429, 499, 500, 502, 503, 504];
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

// The run's figures; times in microseconds.
export function figures(data, kinds) {
  const statuses = (kind) => {
    const counts = STATUSES.map((status) => {
      return [status, of(data, `http_reqs{kind:${kind},status:${status}}`, 'count')];
    });
    const named = counts.reduce((sum, [, count]) => sum + count, 0);
    counts.push(['other', of(data, `http_reqs{kind:${kind}}`, 'count') - named]);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  };
  const kind = (name) => ({
    requests: of(data, `http_reqs{kind:${name}}`, 'count'),
    statuses: statuses(name),
    latency_us: latency(data, `latency{kind:${name}}`),
  });
  const requests = kinds.reduce((sum, name) => sum + kind(name).requests, 0);
  // Thresholds hold over nothing, and a run of nothing shows nothing.
  const missed = requests === 0 ? ['no request was sent'] : failed(data);
  return {
    passed: missed.length === 0,
    failed_thresholds: missed,
    requests,
    latency_us: latency(data, 'latency'),
    kinds: Object.fromEntries(kinds.map((name) => [name, kind(name)])),
    inconsistencies: of(data, 'inconsistencies', 'count'),
    failed_checks: of(data, 'checks', 'fails'),
    failed_check_names: failedChecks(data.root_group),
    dropped_iterations: of(data, 'dropped_iterations', 'count'),
    seconds: Math.round(data.state.testRunDurationMs / 100) / 10,
  };
}

export function json(data, kinds) {
  return `${JSON.stringify({ ...figures(data, kinds), metrics: data.metrics }, null, 2)}\n`;
}

export function table(data, kinds) {
  const run = figures(data, kinds);
  const ms = (us) => (us / 1000).toFixed(2).padStart(9);
  const line = (name, of) => {
    const times = Object.keys(LATENCIES).map((key) => ms(of.latency_us[key])).join('');
    const statuses = Object.entries(of.statuses ?? {}).map(([status, n]) => `${status}: ${n}`);
    return `${name.padEnd(10)}${String(of.requests).padStart(9)}${times}  ${statuses.join(', ')}`;
  };
  const heads = Object.keys(LATENCIES).map((key) => `${key} ms`.padStart(9)).join('');
  const verdict = run.passed
    ? 'passed: 98% under 250 ms, no failed check, nothing inconsistent, nothing dropped'
    : `FAILED: ${run.failed_thresholds.join('; ')}`;
  return [
    '',
    `${''.padEnd(10)}${'requests'.padStart(9)}${heads}  statuses (0: no answer)`,
    ...kinds.map((kind) => line(kind, run.kinds[kind])),
    line('all', run),
    '',
    `${run.seconds} s, ${run.failed_checks} failed checks, ${run.inconsistencies} inconsistencies,`
      + ` ${run.dropped_iterations} dropped`,
    ...run.failed_check_names.map((name) => `    ${name}`),
    verdict,
    '',
  ].join('\n');
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

function failedChecks(group) {
  const sentence = ({ name, fails, passes }) => `${name}: failed ${fails} of ${fails + passes}`;
  const named = group.checks.filter(({ fails }) => fails > 0).map(sentence);
  return named.concat(...group.groups.map(failedChecks));
}
