-- Converts a bank that keeps a row per transacao to one row per flight, once, with no replica
-- running. As the tables' owner; -v sql=FOLDER where the folder sql is not two above this file:
--
--     psql -v ON_ERROR_STOP=1 -f lotes.sql
--
-- All of it in one transaction. The old table stays, as banco.transacoes_antigas: drop it when
-- check.sql prints nothing and a backup is made. Roles of their own get their rights by grants.sql.

\if :{?sql}
\else
    \set sql '../../sql'
\endif

SET client_min_messages = warning;
BEGIN;
LOCK TABLE banco.clientes IN ACCESS EXCLUSIVE MODE;
ALTER TABLE banco.transacoes RENAME TO transacoes_antigas;
ALTER TABLE banco.clientes ADD COLUMN lotes bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE banco.clientes SET (fillfactor = 50);
CREATE DOMAIN banco.lancamento AS bigint
    NOT NULL CONSTRAINT transacoes_lancamento_check CHECK (VALUE <> 0);
ALTER DOMAIN banco.descricao SET NOT NULL;
\ir :sql/001_schema.sql
\ir :sql/002_procedures.sql

-- The rows of one moment were one flight; what was brought in at once becomes several. Time never
-- goes back in a cliente's order, so neither do the lotes' numbers.
INSERT INTO banco.lotes (id, realizada_em, clientes, ns, valores, descricoes)
SELECT row_number() OVER (ORDER BY realizada_em, parte), realizada_em,
       array_agg(cliente_id ORDER BY cliente_id, n), array_agg(n ORDER BY cliente_id, n),
       array_agg(CASE tipo WHEN 'd' THEN -valor ELSE valor END ORDER BY cliente_id, n),
       array_agg(descricao ORDER BY cliente_id, n)
FROM (
    SELECT *, row_number() OVER (PARTITION BY realizada_em ORDER BY cliente_id, n) / 200 AS parte
    FROM banco.transacoes_antigas
) AS t
GROUP BY realizada_em, parte;
SELECT setval('banco.lotes_id', (SELECT max(id) FROM banco.lotes)) \g /dev/null

UPDATE banco.clientes AS c SET lotes = t.lotes
FROM (
    SELECT u.cliente_id, array_agg(u.lote ORDER BY u.n DESC) AS lotes
    FROM banco.transacoes AS u JOIN banco.clientes AS d ON d.id = u.cliente_id AND u.n > d.n - 10
    GROUP BY u.cliente_id
) AS t
WHERE t.cliente_id = c.id;
COMMIT;
