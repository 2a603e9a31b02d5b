// What the contest asks before its load, of a bank in which nothing has happened yet.

import {
  agrees, answered, at_once, consistent, extrato, post, posting, read, reading, transacao,
} from './bank.js';

export const KIND = 'validacoes';
const CONCURRENT = 25;
const EXTRATOS = 4;
const LIMITES = [[1, 100000], [2, 80000], [3, 1000000], [4, 10000000], [5, 500000]];
// For `http.batch`: that what is to be at once is.
export const BATCH = CONCURRENT;

const REFUSED = [
  '{"valor": 1.2, "tipo": "d", "descricao": "devolve"}',
  '{"valor": 1, "tipo": "x", "descricao": "devolve"}',
  '{"valor": 1, "tipo": "c", "descricao": "123456789 e mais um pouco"}',
  '{"valor": 1, "tipo": "c", "descricao": ""}',
  '{"valor": 1, "tipo": "c", "descricao": null}',
];

export function validate() {
  together('d', -CONCURRENT);
  together('c', 0);
  LIMITES.forEach(([id, limite]) => cliente(id, limite));
  answered(KIND, extrato(KIND, 6, [404]), [404]);
}

// 25 transacoes of 1 from cliente 1, all at once; and what that leaves.
function together(tipo, saldo) {
  const body = transacao(tipo, 1, 'validacao');
  const requests = Array.from({ length: CONCURRENT }, () => posting(KIND, 1, body, [200]));
  at_once(requests).forEach((answer) => answered(KIND, answer, [200]));
  const seen = read(extrato(KIND, 1, [200]));
  agrees(KIND, `${CONCURRENT} at once leave ${saldo}`, seen?.saldo?.total === saldo);
}

function cliente(id, limite) {
  const answer = extrato(KIND, id, [200]);
  answered(KIND, answer, [200]);
  const fresh = read(answer);
  agrees(KIND, 'the bank is fresh: a saldo is 0', fresh?.saldo?.total === 0);
  agrees(KIND, 'the limite is the contest\'s', fresh?.saldo?.limite === limite);

  applied(id, 'c', 'toma');
  applied(id, 'd', 'devolve');
  const both = read(extrato(KIND, id, [200]));
  agrees(KIND, 'the last is first', shows(both, 0, 'd', 'devolve'));
  agrees(KIND, 'the last but one is second', shows(both, 1, 'c', 'toma'));

  const after = applied(id, 'c', 'danada');
  const readings = Array.from({ length: EXTRATOS }, () => reading(KIND, id, [200]));
  at_once(readings).map(read).forEach((seen) => {
    agrees(KIND, 'an extrato shows what was applied', shows(seen, 0, 'c', 'danada'));
    const same = after !== null
      && seen?.saldo?.total === after.saldo && seen?.saldo?.limite === after.limite;
    agrees(KIND, 'an extrato\'s saldo is the transacao\'s', same);
  });
  REFUSED.forEach((body) => {
    answered(KIND, post(KIND, id, body, [400, 422]), [400, 422]);
  });
}

function applied(id, tipo, descricao) {
  const answer = post(KIND, id, transacao(tipo, 1, descricao), [200]);
  answered(KIND, answer, [200]);
  const account = read(answer);
  consistent(KIND, account);
  return account;
}

function shows(seen, place, tipo, descricao) {
  const line = seen?.ultimas_transacoes?.[place];
  return line?.tipo === tipo && line?.descricao === descricao && line?.valor === 1;
}
