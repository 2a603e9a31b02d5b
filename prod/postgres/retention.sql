-- Deletes old transacoes, and keeps all that saldo, extrato and n need: of every cliente the last
-- ten, however old. As the tables' owner:
--
--     psql -XAtq -v ON_ERROR_STOP=1 -v days=365 -f retention.sql
--
-- Back up before: what is deleted here is in the backup alone. Prints how many transacoes went; one
-- run takes them from 100,000 lotes at most (-v most=...), so run it again until it prints 0. It
-- disturbs nobody: no procedure ever writes a lote again, and no row of clientes is locked.
--
-- A lote of which nothing is needed goes; of any other, what is not among its cliente's last ten is
-- cut out of its arrays, and so is what was refused. Of what went, how many and their sum are kept
-- for each cliente in banco.transacoes_apagadas, by which check.sql still proves every saldo.
--
-- It goes by the lotes' ids, from the first, and ends at the first lote that is not old enough: a
-- clock that was set back takes nothing too early, one that was ahead holds up what came after. In
-- any cliente's order no id ever falls, so what a cliente has is at all times, also between two
-- runs, his newest without a gap: from transacoes_apagadas.n + 1 to clientes.n.

\if :{?days}
\else
    \set days ''
\endif
\if :{?most}
\else
    \set most 100000
\endif

\set ON_ERROR_STOP on
SET client_min_messages = warning;
-- Only numbers get past this. An error ends psql with a status, for whoever runs it unseen.
SELECT set_config('banco.days', :'days', false), set_config('banco.most', :'most', false)
\g /dev/null
DO $$
BEGIN
    IF current_setting('banco.days') !~ '^(0|[1-9][0-9]{0,5})$' THEN
        RAISE EXCEPTION 'say how many days are kept, 0 or more: -v days=365';
    ELSIF current_setting('banco.most') !~ '^[1-9][0-9]{0,8}$' THEN
        RAISE EXCEPTION 'say how many lotes one run may touch, 1 or more: -v most=100000';
    ELSIF to_regclass('banco.lotes') IS NULL THEN
        RAISE EXCEPTION 'this bank has no lotes: if it keeps a row per transacao, '
            'prod/postgres/lotes.sql converts it';
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

-- By their keys, whatever the statistics say of arrays and of a table that was small.
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;

-- One statement, so one snapshot: a cliente who gets on meanwhile only needs less than it says. A
-- lote that has nothing to give is passed over, and does not count for :most.
WITH lotes AS MATERIALIZED (
    SELECT l.id, t.*
    FROM banco.lotes AS l, LATERAL (
        SELECT array_agg(u.cliente_id) FILTER (WHERE u.vai) AS idos,
               array_agg(u.valor) FILTER (WHERE u.vai) AS valores_idos,
               array_agg(u.cliente_id ORDER BY u.at) FILTER (WHERE u.fica) AS clientes,
               array_agg(u.n ORDER BY u.at) FILTER (WHERE u.fica) AS ns,
               array_agg(u.valor ORDER BY u.at) FILTER (WHERE u.fica) AS valores,
               array_agg(u.descricao ORDER BY u.at) FILTER (WHERE u.fica) AS descricoes
        FROM (
            SELECT u.*, u.n > c.n - 10 AS fica,
                   u.n IS NOT NULL AND (u.n > c.n - 10) IS NOT TRUE AS vai
            FROM unnest(l.clientes, l.ns, l.valores, l.descricoes)
                 WITH ORDINALITY AS u (cliente_id, n, valor, descricao, at)
            LEFT JOIN banco.clientes AS c ON c.id = u.cliente_id
        ) AS u
    ) AS t
    WHERE t.idos IS NOT NULL
      AND l.id < coalesce((
          SELECT y.id FROM banco.lotes AS y
          WHERE y.realizada_em >= now() - make_interval(days => :days)
          ORDER BY y.id LIMIT 1
      ), 9223372036854775807)
    ORDER BY l.id LIMIT :most
), apagados AS (
    DELETE FROM banco.lotes AS l USING lotes AS t WHERE l.id = t.id AND t.ns IS NULL
), cortados AS (
    UPDATE banco.lotes AS l SET clientes = t.clientes, ns = t.ns, valores = t.valores,
        descricoes = t.descricoes
    FROM lotes AS t WHERE l.id = t.id AND t.ns IS NOT NULL
), somas AS (
    INSERT INTO banco.transacoes_apagadas AS a
    SELECT u.cliente_id, count(*), sum(u.valor)
    FROM lotes AS t, unnest(t.idos, t.valores_idos) AS u (cliente_id, valor)
    GROUP BY u.cliente_id
    ON CONFLICT (cliente_id) DO UPDATE SET n = a.n + excluded.n, saldo = a.saldo + excluded.saldo
)
SELECT coalesce(sum(cardinality(idos)), 0) FROM lotes;

COMMIT;
