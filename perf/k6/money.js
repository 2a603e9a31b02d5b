// The books of a run: what a cliente has at its end is what it had and what was answered with 200.
// The rest is `unaccounted`: lost, applied twice, or another's, as the run wants the bank alone.

import { Counter } from 'k6/metrics';

import { answered, extrato, read } from './bank.js';
import { CLIENTES } from './run.js';

const KIND = 'livros';
const unaccounted = new Counter('unaccounted');

export const moneyThresholds = Object.fromEntries(CLIENTES.map((id) => {
  return [`unaccounted{cliente:${id}}`, ['count==0']];
}));

// In `setup`.
export function openBooks() {
  CLIENTES.forEach((id) => enter(id, total(id)));
}

// A transacao was answered with 200.
export function applied(id, tipo, valor) {
  enter(id, tipo === 'c' ? valor : -valor);
}

// In `teardown`: nothing is left, or a threshold is missed.
export function closeBooks() {
  CLIENTES.forEach((id) => enter(id, -total(id)));
}

function enter(id, cents) {
  unaccounted.add(cents, { cliente: String(id) });
}

function total(id) {
  const answer = extrato(KIND, id, [200]);
  answered(KIND, answer, [200]);
  return read(answer)?.saldo?.total ?? 0;
}
