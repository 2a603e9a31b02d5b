-- The bank of `cargo xtask bench --large`: CLIENTES clientes with EACH transacoes each, as the
-- procedures would have left them: n counts, saldo is the sum, and never below -limite.
-- Both words in capitals are filled in.
--
-- In the order of time all clientes take turns, so the ten transacoes of an extrato lie on ten
-- pages, as they would in life. Each debit takes back the credit before it, so the saldo after an
-- odd number is the last credit, after an even one 0. No debit of the load is refused: the limite
-- is far, and each transacao a row.
--
-- All in one transaction on new files: with wal_level=minimal none of it goes through the WAL. The
-- key is made at last: a sort instead of fifty million searches.
BEGIN;
CREATE TEMPORARY TABLE kept ON COMMIT DROP AS
SELECT conname, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE conrelid = 'banco.transacoes'::regclass AND contype = 'p';
TRUNCATE banco.transacoes, banco.clientes;
DO $$
BEGIN
    EXECUTE (SELECT format('ALTER TABLE banco.transacoes DROP CONSTRAINT %I', conname) FROM kept);
END
$$;
INSERT INTO banco.clientes (id, limite, saldo, n)
SELECT id, 1000000000000, EACH % 2 * (1 + (id * 7919 + (EACH + 1) / 2 * 104729) % 10000), EACH
FROM generate_series(1, CLIENTES) AS id;
DO $$
BEGIN
    FOR n IN 1..EACH LOOP
        INSERT INTO banco.transacoes (cliente_id, n, valor, realizada_em, tipo, descricao)
        SELECT id, n, 1 + (id * 7919 + (n + 1) / 2 * 104729) % 10000,
               timestamptz '2024-01-01 00:00:00Z' + n * interval '1 minute',
               CASE n % 2 WHEN 1 THEN 'c' ELSE 'd' END, 'large'
        FROM generate_series(1, CLIENTES) AS id;
    END LOOP;
END
$$;
SET LOCAL maintenance_work_mem = '1GB';
DO $$
BEGIN
    EXECUTE (SELECT format('ALTER TABLE banco.transacoes ADD CONSTRAINT %I %s', conname, definition)
             FROM kept);
END
$$;
COMMIT;
VACUUM ANALYZE banco.clientes, banco.transacoes;
