-- Prints each cliente whose saldo is not the sum of its transacoes, whose count is not theirs, or
-- whose last ten are not where its row says; nothing where all is well, with retention.sql or
-- without. One snapshot, which reads every row.
--
--     psql -XAt -v ON_ERROR_STOP=1 -f check.sql

SELECT CASE WHEN to_regclass('banco.transacoes_apagadas') IS NULL
            THEN '(SELECT NULL::bigint AS cliente_id, 0 AS n, 0 AS saldo)'
            ELSE 'banco.transacoes_apagadas' END AS apagadas \gset

SELECT coalesce(c.id, t.cliente_id) AS id, c.saldo, c.n, t.saldo AS sum, t.rows, t.numbers, t.last
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
   OR t.first < 1
   OR c.lotes <> coalesce(t.lotes, '{}')
   OR cardinality(c.lotes) <> least(c.n, 10)
ORDER BY 1;
