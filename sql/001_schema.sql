-- The bank's tables. Run the files of this folder in order with psql; running them again does no
-- harm: nothing is dropped, nothing is reset. Valid on PostgreSQL 15 and later.
--
--     psql -v ON_ERROR_STOP=1 -f 001_schema.sql -f 002_procedures.sql -f 003_clientes.sql

-- An error ends the file, whoever runs it: what follows would build on what is not there.
\set ON_ERROR_STOP on
SET client_min_messages = warning;

-- In SQL_ASCII a character would be a byte, and others lack characters: one such descricao would
-- fail, and with it all transacoes of the same call.
DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the database''s encoding is %, and descricoes are UTF-8',
            current_setting('server_encoding')
            USING HINT = 'Make one with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS banco;

-- Bare names work by hand, in sessions to come and in this one. The server and the procedures
-- qualify every name, and need neither.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = banco, public', current_database());
END
$$;
SET search_path = banco, public;

DO $$
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = to_regclass('banco.transacoes')) = 'r' THEN
        RAISE EXCEPTION 'this bank keeps a row per transacao: prod/postgres/lotes.sql converts it';
    END IF;
END
$$;

-- What a column may hold is said by its type: a session reads a domain's CHECK once, a table's
-- again for every statement that writes to it, which is a tenth of the work of a small flight
-- (docs/decisions/0001-batch-procedure.md).
DO $$
BEGIN
    CREATE DOMAIN banco.limite AS bigint CONSTRAINT clientes_limite_check CHECK (VALUE >= 0);
    CREATE DOMAIN banco.contagem AS bigint CONSTRAINT clientes_n_check CHECK (VALUE >= 0);
    CREATE DOMAIN banco.valor AS bigint CONSTRAINT transacoes_valor_check CHECK (VALUE > 0);
    CREATE DOMAIN banco.tipo AS text CONSTRAINT transacoes_tipo_check CHECK (VALUE IN ('c', 'd'));
    -- A credit is positive, a debit negative.
    CREATE DOMAIN banco.lancamento AS bigint
        NOT NULL CONSTRAINT transacoes_lancamento_check CHECK (VALUE <> 0);
    -- Characters, not bytes.
    CREATE DOMAIN banco.descricao AS text
        NOT NULL CONSTRAINT transacoes_descricao_check CHECK (char_length(VALUE) BETWEEN 1 AND 10);
EXCEPTION
    WHEN duplicate_object THEN NULL;    -- Run before.
END
$$;

-- One row per cliente. A new cliente is an INSERT of (id, limite), without a restart of anything.
CREATE TABLE IF NOT EXISTS banco.clientes (
    id     bigint PRIMARY KEY,
    -- Cents. How far below zero the saldo may go.
    limite banco.limite NOT NULL,
    -- Cents. The sum of the cliente's transacoes.
    saldo  bigint NOT NULL DEFAULT 0,
    -- How many transacoes the cliente has: the newest one's n.
    n      banco.contagem NOT NULL DEFAULT 0,
    -- The lotes of the last ten, one for each, the newest first.
    lotes  bigint[] NOT NULL DEFAULT '{}',
    -- The procedures refuse such a debit beforehand; this refuses it also by hand.
    CONSTRAINT saldo_dentro_do_limite CHECK (saldo >= -limite)
) WITH (
    -- The same few rows are updated all day. Free space on their page keeps an update on that page
    -- and out of the index (HOT), and the dead versions are pruned there, without a vacuum. Where
    -- there are millions of clientes, 80 takes less room, once most have their ten lotes (a row
    -- grows from 76 bytes to 164 until then): with the replicas stopped, as it locks the table for
    -- all of its time, ALTER TABLE, VACUUM FULL. And then 100: a page is pruned when less is free
    -- on it than the fillfactor leaves, a tenth at least, so with 80 it would be at each update,
    -- and with 100 it is at each fifth. (A cliente who comes later then fills a page, and moves to
    -- another as he grows.)
    fillfactor = 50,
    -- What is left over goes soon: of few clientes once there are a thousand dead versions, of
    -- many once a fifth is dead, as PostgreSQL has it.
    autovacuum_vacuum_threshold = 1000
);

-- One row per lote, written once: what one call applied, no matter how many transacoes it was. No
-- procedure updates or deletes one. The arrays are of one length, each cliente's transacoes in the
-- order in which they were applied; along that order ids never decrease.
--
-- A row, an index entry and a search for each transacao would be more than half of what PostgreSQL
-- spends on it; this is one of each, at the end of the table and of its key, however many clientes
-- there are (docs/decisions/0001-batch-procedure.md).
--
-- No foreign key: it would look the cliente up, and lock its row, once more for every row written,
-- while each procedure has just locked that very row.
CREATE TABLE IF NOT EXISTS banco.lotes (
    id           bigint             PRIMARY KEY,
    realizada_em timestamptz        NOT NULL,
    clientes     bigint[]           NOT NULL,
    -- Which of its cliente's transacoes, by the cliente's own count; null for one that was refused.
    ns           bigint[]           NOT NULL,
    -- Cents.
    valores      banco.lancamento[] NOT NULL,
    descricoes   banco.descricao[]  NOT NULL
) WITH (
    -- Some 200 transacoes stay within the row, as they are: compressing them, from 2 KB on, costs
    -- more than it saves, and an extrato would undo it for each line.
    toast_tuple_target = 8160
);
CREATE SEQUENCE IF NOT EXISTS banco.lotes_id OWNED BY banco.lotes.id;
-- Rows are found by their id alone. ANALYZE would sample 30,000 of them for statistics that nobody
-- asks for: 250 MB and seconds of its CPU.
ALTER TABLE banco.lotes
    ALTER id SET STATISTICS 0, ALTER realizada_em SET STATISTICS 0,
    ALTER clientes SET STATISTICS 0, ALTER ns SET STATISTICS 0,
    ALTER valores SET STATISTICS 0, ALTER descricoes SET STATISTICS 0;

-- One row per transacao, for whoever reads by hand: it reads all lotes, so no procedure asks it.
CREATE OR REPLACE VIEW banco.transacoes AS
SELECT t.cliente_id, t.n, abs(t.valor) AS valor, l.realizada_em,
       -- c: crédito, d: débito.
       CASE WHEN t.valor < 0 THEN 'd' ELSE 'c' END AS tipo,
       t.descricao::text AS descricao, l.id AS lote
FROM banco.lotes AS l,
     unnest(l.clientes, l.ns, l.valores, l.descricoes) AS t (cliente_id, n, valor, descricao)
WHERE t.n IS NOT NULL;
