// The requests of the contest's load, sent, counted and judged.

import {
  answered, consistent, count, descricao, extrato, post, random, read, transacao,
} from './bank.js';

// How many of each the contest's load sends in a second at its height.
export const RATES = { debitos: 220, creditos: 110, extratos: 10 };
const ALL = RATES.debitos + RATES.creditos + RATES.extratos;

// `applied`: told of each that was answered with 200.
export function debito(kind, applied) {
  transact(kind, 'd', [200, 422], applied);
}

export function credito(kind, applied) {
  transact(kind, 'c', [200], applied);
}

export function leitura(kind) {
  const answer = extrato(kind, random(1, 5), [200]);
  count(kind, answer);
  if (answered(kind, answer, [200])) {
    consistent(kind, read(answer)?.saldo ?? null);
  }
}

// One of them, in the contest's proportions.
export function mixed(kind, applied) {
  const drawn = random(1, ALL);
  if (drawn <= RATES.debitos) {
    debito(kind, applied);
  } else if (drawn <= RATES.debitos + RATES.creditos) {
    credito(kind, applied);
  } else {
    leitura(kind);
  }
}

function transact(kind, tipo, statuses, applied) {
  const [id, valor] = [random(1, 5), random(1, 10000)];
  const answer = post(kind, id, transacao(tipo, valor, descricao()), statuses);
  count(kind, answer);
  if (answered(kind, answer, statuses) && answer.status === 200) {
    consistent(kind, read(answer));
    applied?.(id, tipo, valor);
  }
}
