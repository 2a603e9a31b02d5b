// The bank's two requests, asked and judged as the contest's tool does.

import http from 'k6/http';
import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';

// Answers that no correct bank gives: a saldo below -limite, an extrato that lacks what was
// applied before it.
const inconsistencies = new Counter('inconsistencies');
// From the wish for a connection to the last byte, as the contest's tool counts. k6's own
// http_req_duration leaves the connection out.
const latency = new Trend('latency', true);

const BASE_URL = (__ENV.BASE_URL || 'http://localhost:9999').replace(/\/+$/, '');
const SIGNS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

// Sends it; `expected` are the statuses that are no failure. `kind` is a tag of every metric.
export function post(kind, id, body, expected) {
  return http.request(...posting(kind, id, body, expected));
}

export function extrato(kind, id, expected) {
  return http.request(...reading(kind, id, expected));
}

// What is no cliente's business: /healthz, /health.
export function operator(kind, method, path, expected) {
  return http.request(method, `${BASE_URL}${path}`, null, params(kind, path, expected, {}));
}

// The same as arguments, for `at_once`.
export function posting(kind, id, body, expected) {
  const extra = { headers: { 'Content-Type': 'application/json' } };
  const name = '/clientes/{id}/transacoes';
  const url = `${BASE_URL}/clientes/${id}/transacoes`;
  return ['POST', url, body, params(kind, name, expected, extra)];
}

export function reading(kind, id, expected) {
  const name = '/clientes/{id}/extrato';
  const url = `${BASE_URL}/clientes/${id}/extrato`;
  return ['GET', url, null, params(kind, name, expected, {})];
}

// All of them side by side; the answers in their order.
export function at_once(requests) {
  return http.batch(requests);
}

export function transacao(tipo, valor, descricao) {
  return `{"valor": ${valor}, "tipo": "${tipo}", "descricao": "${descricao}"}`;
}

// A whole number from `first` to `last`, both included.
export function random(first, last) {
  return first + Math.floor(Math.random() * (last - first + 1));
}

export function descricao() {
  let text = '';
  for (let length = 0; length < 10; length += 1) {
    text += SIGNS[random(0, SIGNS.length - 1)];
  }
  return text;
}

// The whole time of a request of the load.
export function count(kind, answer) {
  const times = answer.timings;
  const whole = times.blocked + times.connecting + times.tls_handshaking + times.duration;
  latency.add(whole, { kind });
}

// Whether its status is one of those.
export function answered(kind, answer, statuses) {
  const sentence = `${kind}: ${statuses.join(' or ')}`;
  return check(answer, { [sentence]: ({ status }) => statuses.includes(status) }, { kind });
}

// Whether the balance in it is one that the bank may have: {saldo, limite} or {total, limite}.
export function consistent(kind, account) {
  const saldo = account === null ? undefined : account.saldo ?? account.total;
  const does = Number.isSafeInteger(saldo)
    && Number.isSafeInteger(account.limite)
    && saldo >= -account.limite;
  return agrees(kind, 'saldo >= -limite', does);
}

// Counts what contradicts the bank's rules.
export function agrees(kind, sentence, does) {
  inconsistencies.add(does ? 0 : 1, { kind });
  return holds(kind, sentence, does);
}

// A check that is no matter of money.
export function holds(kind, sentence, does) {
  return check(null, { [`${kind}: ${sentence}`]: () => does }, { kind });
}

// Its JSON; null where it is none.
export function read(answer) {
  try {
    return answer.json();
  } catch (_) {
    return null;
  }
}

function params(kind, name, expected, extra) {
  const responseCallback = http.expectedStatuses(...expected);
  return { ...extra, responseCallback, tags: { kind, name } };
}
