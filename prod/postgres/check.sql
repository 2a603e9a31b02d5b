-- Prints each cliente whose saldo is not the sum of its transacoes, or whose numbers have a gap;
-- nothing where all is well, with retention.sql or without. One snapshot, which reads every row.
--
--     psql -XAt -v ON_ERROR_STOP=1 -f check.sql

SELECT CASE WHEN to_regclass('banco.transacoes_apagadas') IS NULL
            THEN '(SELECT NULL::bigint AS cliente_id, 0 AS n, 0 AS saldo)'
            ELSE 'banco.transacoes_apagadas' END AS apagadas \gset

SELECT c.id, c.saldo, c.n, t.saldo AS sum, t.count, t.first, t.last
FROM banco.clientes AS c
LEFT JOIN :apagadas AS a ON a.cliente_id = c.id
LEFT JOIN (
    SELECT cliente_id, count(*), min(n) AS first, max(n) AS last,
           sum(CASE tipo WHEN 'c' THEN valor ELSE -valor END) AS saldo
    FROM banco.transacoes GROUP BY cliente_id
) AS t ON t.cliente_id = c.id
WHERE c.saldo <> coalesce(a.saldo, 0) + coalesce(t.saldo, 0)
   OR c.n <> coalesce(a.n, 0) + coalesce(t.count, 0)
   OR t.first <> coalesce(a.n, 0) + 1
   OR t.last <> c.n
ORDER BY c.id;
