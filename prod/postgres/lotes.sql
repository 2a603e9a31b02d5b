-- Converts a bank that keeps a row per transacao to one row per flight, once, with no replica
-- running. As the tables' owner; -v sql=FOLDER where the folder sql is not two above this file:
--
--     psql -v ON_ERROR_STOP=1 -f lotes.sql
--
-- All of it in one transaction: an error leaves the bank as it was. The old table stays, as
-- banco.transacoes_antigas: drop it when check.sql prints nothing and a backup is made. Roles of
-- their own get their rights by grants.sql. Then VACUUM (FULL, ANALYZE) banco.clientes, as each of
-- its rows was written anew, and VACUUM (ANALYZE) banco.lotes.

\if :{?sql}
\else
    \set sql '../../sql'
\endif

\set ON_ERROR_STOP on
SET client_min_messages = warning;
BEGIN;
DO $$
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = to_regclass('banco.transacoes'))
        IS DISTINCT FROM 'r' THEN
        RAISE EXCEPTION 'this bank keeps no row per transacao: there is nothing to convert';
    ELSIF (SELECT tableowner FROM pg_tables WHERE schemaname = 'banco' AND tablename = 'transacoes')
        <> current_user THEN
        RAISE EXCEPTION 'only the tables'' owner can convert them: what is new would be another''s';
    END IF;
END
$$;
LOCK TABLE banco.clientes, banco.transacoes IN ACCESS EXCLUSIVE MODE;
ALTER TABLE banco.transacoes RENAME TO transacoes_antigas;
ALTER TABLE banco.clientes ADD COLUMN lotes bigint[] NOT NULL DEFAULT '{}';
-- What somebody has chosen stays.
SELECT coalesce('fillfactor=10' = ANY (reloptions), false) AS was_default,
       to_regtype('banco.descricao') IS NOT NULL AS has_domains
FROM pg_class WHERE oid = 'banco.clientes'::regclass \gset
\if :was_default
    ALTER TABLE banco.clientes SET (fillfactor = 50);
\endif
-- Before there were domains, columns had a CHECK each. 001 makes all of them, or none.
\if :has_domains
    CREATE DOMAIN banco.lancamento AS bigint
        NOT NULL CONSTRAINT transacoes_lancamento_check CHECK (VALUE <> 0);
    ALTER DOMAIN banco.descricao SET NOT NULL;
\endif
\ir :sql/001_schema.sql
\ir :sql/002_procedures.sql
ALTER TABLE banco.clientes
    DROP CONSTRAINT IF EXISTS clientes_limite_check, DROP CONSTRAINT IF EXISTS clientes_n_check,
    ALTER limite TYPE banco.limite, ALTER n TYPE banco.contagem;

-- The rows of one moment were one flight; what was brought in at once becomes several. In a
-- cliente's order no lote has a lesser number than the one before it: a row whose time is before
-- that of an earlier one, by a clock that was set back, stands alone behind that one's flight.
INSERT INTO banco.lotes (id, realizada_em, clientes, ns, valores, descricoes)
SELECT row_number() OVER (ORDER BY momento, sozinha, parte), realizada_em,
       array_agg(cliente_id ORDER BY cliente_id, n), array_agg(n ORDER BY cliente_id, n),
       array_agg(CASE tipo WHEN 'd' THEN -valor ELSE valor END ORDER BY cliente_id, n),
       array_agg(descricao ORDER BY cliente_id, n)
FROM (
    SELECT *, row_number() OVER (
            PARTITION BY momento, sozinha ORDER BY cliente_id, n
        ) / CASE WHEN sozinha THEN 1 ELSE 200 END AS parte
    FROM (
        SELECT *, realizada_em < momento AS sozinha
        FROM (
            SELECT *, max(realizada_em) OVER (PARTITION BY cliente_id ORDER BY n) AS momento
            FROM banco.transacoes_antigas
        ) AS m
    ) AS s
) AS t
GROUP BY momento, sozinha, parte, realizada_em;
SELECT setval('banco.lotes_id', (SELECT max(id) FROM banco.lotes)) \g /dev/null

UPDATE banco.clientes AS c SET lotes = t.lotes
FROM (
    SELECT u.cliente_id, array_agg(u.lote ORDER BY u.n DESC) AS lotes
    FROM banco.transacoes AS u JOIN banco.clientes AS d ON d.id = u.cliente_id AND u.n > d.n - 10
    GROUP BY u.cliente_id
) AS t
WHERE t.cliente_id = c.id;
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT lote < lag(lote) OVER (PARTITION BY cliente_id ORDER BY n) AS falls
            FROM banco.transacoes
        ) AS t WHERE falls
    ) THEN
        RAISE EXCEPTION 'the times of a cliente go back and forth: in what order shall they be?';
    END IF;
END
$$;
COMMIT;
