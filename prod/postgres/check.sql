-- Prints what is wrong with a bank, nothing where all is well, with retention.sql or without; a
-- snapshot for each of three questions, of which the first and the second read every row:
--
-- - each cliente whose saldo is not the sum of its transacoes, whose count is not theirs, whose
--   numbers have a gap, or whose last ten are not where its row says;
-- - `lote`, its id and its dimensions, of each lote whose arrays are not of one length;
-- - `lotes_id`, the next id it gives and the greatest there is, where that is behind, as it is
--   when a table was brought in without its sequence: the bank could write nothing.
--   SELECT setval('banco.lotes_id', (SELECT max(id) FROM banco.lotes)) mends it.
--
--     psql -XAt -v ON_ERROR_STOP=1 -f check.sql

-- To see nothing because it could not look would pass for well.
\set ON_ERROR_STOP on
\set QUIET on
DO $$
BEGIN
    IF to_regclass('banco.lotes') IS NULL THEN
        RAISE EXCEPTION 'this bank has no lotes: if it keeps a row per transacao, '
            'prod/postgres/lotes.sql converts it';
    END IF;
END
$$;
SELECT CASE WHEN to_regclass('banco.transacoes_apagadas') IS NULL
            THEN '(SELECT NULL::bigint AS cliente_id, 0 AS n, 0 AS saldo)'
            ELSE 'banco.transacoes_apagadas' END AS apagadas \gset

-- What retention.sql took were the cliente's first, so the first that is there is the next one.
SELECT coalesce(c.id, t.cliente_id) AS id, c.saldo, c.n, t.saldo AS sum, t.rows, t.numbers,
       t.first, t.last
FROM banco.clientes AS c
LEFT JOIN :apagadas AS a ON a.cliente_id = c.id
FULL JOIN (
    SELECT t.cliente_id, count(*) AS rows, count(DISTINCT t.n) AS numbers, min(t.n) AS first,
           max(t.n) AS last,
           sum(CASE t.tipo WHEN 'c' THEN t.valor ELSE -t.valor END) AS saldo,
           array_agg(t.lote ORDER BY t.n DESC) FILTER (WHERE t.n > c.n - 10) AS lotes
    FROM banco.transacoes AS t LEFT JOIN banco.clientes AS c ON c.id = t.cliente_id
    GROUP BY t.cliente_id
) AS t ON t.cliente_id = c.id
WHERE c.id IS NULL
   OR c.saldo <> coalesce(a.saldo, 0) + coalesce(t.saldo, 0)
   OR c.n <> coalesce(a.n, 0) + coalesce(t.rows, 0)
   OR c.n <> coalesce(t.last, 0)
   OR t.numbers <> t.rows
   OR t.first <> coalesce(a.n, 0) + 1
   OR c.lotes <> coalesce(t.lotes, '{}')
   OR cardinality(c.lotes) <> least(c.n, 10)
ORDER BY 1;

SELECT 'lote', id, array_dims(clientes), array_dims(ns), array_dims(valores),
       array_dims(descricoes)
FROM banco.lotes
WHERE (array_dims(ns), array_dims(valores), array_dims(descricoes))
    IS DISTINCT FROM (array_dims(clientes), array_dims(clientes), array_dims(clientes))
ORDER BY 2;

SELECT 'lotes_id', s.last_value + s.is_called::integer, l.id
FROM banco.lotes_id AS s, (SELECT max(id) AS id FROM banco.lotes) AS l
WHERE l.id >= s.last_value + s.is_called::integer;
