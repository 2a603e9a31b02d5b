// Is it the contest's bank? Its validations, and what an operator asks: /healthz, /health. No
// load; it wants a fresh bank.
//
//     cargo xtask k6 checks
//     k6 run -e BASE_URL=http://localhost:9999 perf/k6/checks.js
//
// with the settings of run.js, of which STRICT and VALIDATE mean nothing here.

import { holds, operator, read } from './bank.js';
import { checking, summarizeChecks } from './run.js';
import { KIND, validate } from './validations.js';

const HEALTH = 'health';
const KINDS = [KIND, HEALTH];

export const options = checking(KINDS, { vus: 1, iterations: 1 });

export default function checks() {
  validate();
  healthz();
  health();
  metrics();
}

export function handleSummary(data) {
  return summarizeChecks('checks', data, KINDS);
}

function healthz() {
  const answer = operator(HEALTH, 'GET', '/healthz', [200]);
  holds(HEALTH, '/healthz is 200', answer.status === 200);
  holds(HEALTH, '/healthz says Healthy, as text', answer.body === 'Healthy'
    && type(answer) === 'text/plain');
  const posted = operator(HEALTH, 'POST', '/healthz', [405]);
  holds(HEALTH, 'a POST of /healthz is 405', posted.status === 405);
}

function health() {
  const answer = operator(HEALTH, 'GET', '/health', [200]);
  const seen = read(answer);
  holds(HEALTH, '/health is 200', answer.status === 200);
  holds(HEALTH, '/health is JSON', type(answer) === 'application/json' && seen !== null);
  holds(HEALTH, '/health: the database is up', seen?.database === 'up');
  holds(HEALTH, '/health: it does not drain', seen?.draining === false);
  holds(HEALTH, '/health: each worker has its session', seen?.sessions > 0
    && seen.sessions === seen.workers);
}

// A replica's own, at its own address: not through the balancer.
function metrics() {
  const answer = operator(HEALTH, 'GET', '/metrics', [404]);
  holds(HEALTH, '/metrics is not public', answer.status === 404);
}

function type(answer) {
  return (answer.headers['Content-Type'] ?? '').split(';')[0].trim();
}
