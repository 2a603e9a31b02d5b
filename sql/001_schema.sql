-- The bank's tables. Run the files of this folder in order with psql; running them again does no
-- harm: nothing is dropped, nothing is reset. Valid on PostgreSQL 15 and later.
--
--     psql -v ON_ERROR_STOP=1 -f 001_schema.sql -f 002_procedures.sql -f 003_clientes.sql

SET client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS banco;

-- Bare names work by hand, in sessions to come and in this one. The server and the procedures
-- qualify every name, and need neither.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = banco, public', current_database());
END
$$;
SET search_path = banco, public;

-- What a column may hold is said by its type: a session reads a domain's CHECK once, a table's
-- again for every statement that writes to it, which is a tenth of the work of a small flight
-- (docs/decisions/0001-batch-procedure.md).
DO $$
BEGIN
    CREATE DOMAIN banco.limite AS bigint CONSTRAINT clientes_limite_check CHECK (VALUE >= 0);
    CREATE DOMAIN banco.contagem AS bigint CONSTRAINT clientes_n_check CHECK (VALUE >= 0);
    CREATE DOMAIN banco.valor AS bigint CONSTRAINT transacoes_valor_check CHECK (VALUE > 0);
    CREATE DOMAIN banco.tipo AS text CONSTRAINT transacoes_tipo_check CHECK (VALUE IN ('c', 'd'));
    -- Characters, not bytes.
    CREATE DOMAIN banco.descricao AS text
        CONSTRAINT transacoes_descricao_check CHECK (char_length(VALUE) BETWEEN 1 AND 10);
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
    -- The procedures refuse such a debit beforehand; this refuses it also by hand.
    CONSTRAINT saldo_dentro_do_limite CHECK (saldo >= -limite)
) WITH (
    -- The same few rows are updated all day. Free space on their page keeps an update on that page
    -- and out of the index (HOT), and the dead versions are pruned there, without a vacuum. With
    -- millions of clientes, 50 takes a fifth of the room, and a flight of sixteen costs 8% more.
    fillfactor = 10,
    -- What is left over goes soon: of few clientes once there are a thousand dead versions, of
    -- many once a fifth is dead, as PostgreSQL has it.
    autovacuum_vacuum_threshold = 1000
);

-- One row per transacao, written once: no procedure updates or deletes one.
--
-- The key is the cliente and its own count. So there is no sequence to ask, no second index to
-- keep, the order is that in which they were applied, and the last ten are found by their numbers.
--
-- No foreign key: it would look the cliente up, and lock its row, once more for every row written,
-- while each procedure has just locked that very row (docs/decisions/0001-batch-procedure.md).
CREATE TABLE IF NOT EXISTS banco.transacoes (
    cliente_id   bigint          NOT NULL,
    n            bigint          NOT NULL,
    -- Cents, always positive; tipo says which way they go.
    valor        banco.valor     NOT NULL,
    realizada_em timestamptz     NOT NULL,
    -- c: crédito, d: débito.
    tipo         banco.tipo      NOT NULL,
    descricao    banco.descricao NOT NULL,
    PRIMARY KEY (cliente_id, n)
);
