-- The bank of `cargo xtask bench --large`: CLIENTES clientes with EACH transacoes each, as the
-- procedures would have left them: n counts, saldo is the sum, and never below -limite.
-- The three words in capitals are filled in.
--
-- In the order of time all clientes take turns, twenty to a flight, so the ten transacoes of an
-- extrato lie on ten pages, as they would in life. Each debit takes back the credit before it, so
-- the saldo after an odd number is the last credit, after an even one 0. No debit of the load is
-- refused: the limite is far, and each transacao counts.
--
-- From MANY on clientes lie closer together, and their pages are pruned less often, as
-- sql/001_schema.sql advises. All in one transaction on new files: with wal_level=minimal none of
-- it goes through the WAL.
BEGIN;
TRUNCATE banco.lotes, banco.clientes;
DO $$
BEGIN
    IF CLIENTES >= MANY THEN
        ALTER TABLE banco.clientes SET (fillfactor = 80);
    END IF;
END
$$;
-- The lotes of one turn have the numbers from (n - 1) * (CLIENTES / 20 + 1) on.
INSERT INTO banco.clientes (id, limite, saldo, n, lotes)
SELECT id, 1000000000000, EACH % 2 * (1 + (id * 7919 + (EACH + 1) / 2 * 104729) % 10000), EACH,
       ARRAY(SELECT (n - 1) * (CLIENTES / 20 + 1) + id / 20 + 1
             FROM generate_series(EACH, greatest(1, EACH - 9), -1) AS n)
FROM generate_series(1, CLIENTES) AS id;
DO $$
BEGIN
    IF CLIENTES >= MANY THEN
        ALTER TABLE banco.clientes SET (fillfactor = 100);
    END IF;
    FOR n IN 1..EACH LOOP
        INSERT INTO banco.lotes (id, realizada_em, clientes, ns, valores, descricoes)
        SELECT (n - 1) * (CLIENTES / 20 + 1) + id / 20 + 1,
               timestamptz '2024-01-01 00:00:00Z' + n * interval '1 minute',
               array_agg(id), array_agg(n),
               array_agg(CASE n % 2 WHEN 1 THEN 1 ELSE -1 END
                         * (1 + (id * 7919 + (n + 1) / 2 * 104729) % 10000)),
               array_agg('large'::text)
        FROM generate_series(1, CLIENTES) AS id GROUP BY id / 20 ORDER BY id / 20;
    END LOOP;
END
$$;
SELECT setval('banco.lotes_id', EACH * (CLIENTES / 20 + 1)) \g /dev/null
COMMIT;
VACUUM ANALYZE banco.clientes, banco.lotes;
