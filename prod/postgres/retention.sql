-- Deletes old transacoes, and keeps all that saldo, extrato and n need. As the tables' owner:
--
--     psql -XAt -v ON_ERROR_STOP=1 -v days=365 -f retention.sql
--
-- Back up before: what is deleted here is in the backup alone. Prints how many rows went; one run
-- takes 100,000 of a cliente at most (-v most=...), so run it again until it prints 0. It disturbs
-- nobody: no procedure ever writes a row of transacoes again, and no row of clientes is locked.
--
-- A cliente's last ten always stay. So does the sum of those that went, in
-- banco.transacoes_apagadas, by which check.sql still proves every saldo.

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
        RAISE EXCEPTION 'say how many of a cliente may go in one run, 1 or more: -v most=100000';
    END IF;
END
$$;
BEGIN;

CREATE TABLE IF NOT EXISTS banco.transacoes_apagadas (
    cliente_id bigint PRIMARY KEY,
    -- The cliente's transacoes up to this one are gone.
    n          bigint NOT NULL,
    -- Cents. Their sum: the saldo right after the last of them.
    saldo      numeric NOT NULL
);
-- One run at a time.
LOCK TABLE banco.transacoes_apagadas IN SHARE ROW EXCLUSIVE MODE;

-- By n, in which time never goes back: what goes is always the beginning of a cliente's row of
-- numbers, and the index finds it.
WITH cortes AS (
    SELECT c.id, max(t.n) AS n
    FROM banco.clientes AS c
    LEFT JOIN banco.transacoes_apagadas AS a ON a.cliente_id = c.id
    JOIN banco.transacoes AS t
      ON t.cliente_id = c.id
     AND t.n > coalesce(a.n, 0)
     AND t.n <= least(c.n - 10, coalesce(a.n, 0) + :most)
     AND t.realizada_em < now() - make_interval(days => :days)
    GROUP BY c.id
), apagadas AS (
    DELETE FROM banco.transacoes AS t USING cortes
    WHERE t.cliente_id = cortes.id AND t.n <= cortes.n
    RETURNING t.cliente_id, t.n, CASE t.tipo WHEN 'c' THEN t.valor ELSE -t.valor END AS valor
), somas AS (
    INSERT INTO banco.transacoes_apagadas AS a
    SELECT cliente_id, max(n), sum(valor) FROM apagadas GROUP BY cliente_id
    ON CONFLICT (cliente_id) DO UPDATE SET n = excluded.n, saldo = a.saldo + excluded.saldo
)
SELECT count(*) FROM apagadas;

COMMIT;
