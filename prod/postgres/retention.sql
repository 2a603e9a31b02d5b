-- Deletes old lotes, and keeps all that saldo, extrato and n need. As the tables' owner:
--
--     psql -XAt -v ON_ERROR_STOP=1 -v days=365 -f retention.sql
--
-- Back up before: what is deleted here is in the backup alone. Prints how many lotes went; one run
-- takes 100,000 at most (-v most=...), so run it again until it prints 0. It disturbs nobody: no
-- procedure ever writes a lote again, and no row of clientes is locked.
--
-- A lote that holds one of any cliente's last ten stays, with all that is in it. Of what went, how
-- many and their sum are kept for each cliente in banco.transacoes_apagadas, by which check.sql
-- still proves every saldo.

\if :{?days}
\else
    \set days ''
\endif
\if :{?most}
\else
    \set most 100000
\endif

SET client_min_messages = warning;
-- Only numbers get past this. An error ends psql with a status, for whoever runs it unseen.
SELECT set_config('banco.days', :'days', false), set_config('banco.most', :'most', false)
\g /dev/null
DO $$
BEGIN
    IF current_setting('banco.days') !~ '^(0|[1-9][0-9]{0,5})$' THEN
        RAISE EXCEPTION 'say how many days are kept, 0 or more: -v days=365';
    ELSIF current_setting('banco.most') !~ '^[1-9][0-9]{0,8}$' THEN
        RAISE EXCEPTION 'say how many lotes may go in one run, 1 or more: -v most=100000';
    END IF;
END
$$;
BEGIN;

CREATE TABLE IF NOT EXISTS banco.transacoes_apagadas (
    cliente_id bigint PRIMARY KEY,
    -- So many of the cliente's transacoes are gone.
    n          bigint NOT NULL,
    -- Cents. Their sum.
    saldo      numeric NOT NULL
);
-- One run at a time.
LOCK TABLE banco.transacoes_apagadas IN SHARE ROW EXCLUSIVE MODE;

-- What an extrato may still read is judged by the clientes' own rows: one that is written meanwhile
-- only ever moves on to newer lotes.
WITH usados AS MATERIALIZED (
    SELECT DISTINCT unnest(lotes) AS id FROM banco.clientes
), apagados AS (
    DELETE FROM banco.lotes WHERE id IN (
        SELECT l.id FROM banco.lotes AS l
        WHERE l.realizada_em < now() - make_interval(days => :days)
          AND NOT EXISTS (SELECT FROM usados AS u WHERE u.id = l.id)
        ORDER BY l.id LIMIT :most
    )
    RETURNING clientes, ns, valores
), somas AS (
    INSERT INTO banco.transacoes_apagadas AS a
    SELECT t.cliente_id, count(*), sum(t.valor)
    FROM apagados AS l, unnest(l.clientes, l.ns, l.valores) AS t (cliente_id, n, valor)
    WHERE t.n IS NOT NULL
    GROUP BY t.cliente_id
    ON CONFLICT (cliente_id) DO UPDATE SET n = a.n + excluded.n, saldo = a.saldo + excluded.saldo
)
SELECT count(*) FROM apagados;

COMMIT;
