//! A bank of a row per transacao, as prod/postgres/lotes.sql converts it.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

/// Where all of it lies.
const SCHEMA: &str = "
    CREATE SCHEMA banco;
    ALTER DATABASE crebito SET search_path = banco, public;
    SET search_path = banco, public;";

/// What columns held was once said by domains, and before that by the columns.
const DOMAINS: &str = "
    CREATE DOMAIN banco.limite AS bigint CONSTRAINT clientes_limite_check CHECK (VALUE >= 0);
    CREATE DOMAIN banco.contagem AS bigint CONSTRAINT clientes_n_check CHECK (VALUE >= 0);
    CREATE DOMAIN banco.valor AS bigint CONSTRAINT transacoes_valor_check CHECK (VALUE > 0);
    CREATE DOMAIN banco.tipo AS text CONSTRAINT transacoes_tipo_check CHECK (VALUE IN ('c', 'd'));
    CREATE DOMAIN banco.descricao AS text
        CONSTRAINT transacoes_descricao_check CHECK (char_length(VALUE) BETWEEN 1 AND 10);";

/// The tables as they were, and a procedure in short.
const TABLES: &str = "
    CREATE TABLE banco.clientes (
        id bigint PRIMARY KEY, limite banco.limite NOT NULL, saldo bigint NOT NULL DEFAULT 0,
        n banco.contagem NOT NULL DEFAULT 0,
        CONSTRAINT saldo_dentro_do_limite CHECK (saldo >= -limite)
    ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);
    CREATE TABLE banco.transacoes (
        cliente_id bigint NOT NULL, n bigint NOT NULL, valor banco.valor NOT NULL,
        realizada_em timestamptz NOT NULL, tipo banco.tipo NOT NULL,
        descricao banco.descricao NOT NULL, PRIMARY KEY (cliente_id, n)
    );
    CREATE FUNCTION banco.InsertTransacao(id bigint, valor bigint, tipo text, descricao text,
        OUT saldo bigint, OUT limite bigint, OUT resultado smallint)
    LANGUAGE plpgsql AS $$
    DECLARE n bigint;
    BEGIN
        UPDATE banco.clientes AS c
        SET saldo = c.saldo + CASE tipo WHEN 'd' THEN -valor ELSE valor END, n = c.n + 1
        WHERE c.id = InsertTransacao.id
        RETURNING c.saldo, c.limite, c.n INTO saldo, limite, n;
        INSERT INTO banco.transacoes VALUES (id, n, valor, clock_timestamp(), tipo, descricao);
        resultado := 0;
    END
    $$;
    INSERT INTO banco.clientes
    VALUES (1, 100000), (2, 80000), (3, 1000000), (4, 10000000), (5, 500000);";

/// As it was when columns were of domains.
pub fn old() -> String {
    [SCHEMA, DOMAINS, TABLES].concat()
}

/// As it was before there were domains.
pub fn older() -> String {
    let plain = [
        ("limite banco.limite", "limite bigint CHECK (limite >= 0)"),
        ("n banco.contagem", "n bigint CHECK (n >= 0)"),
        ("valor banco.valor", "valor bigint CHECK (valor > 0)"),
        ("tipo banco.tipo", "tipo text CHECK (tipo IN ('c', 'd'))"),
        (
            "descricao banco.descricao",
            "descricao text CHECK (descricao <> '')",
        ),
    ];
    let mut tables = TABLES.to_owned();
    for (domain, column) in plain {
        assert!(tables.contains(domain), "{domain}");
        tables = tables.replace(domain, column);
    }
    [SCHEMA, &tables].concat()
}

/// As it was where sql/ brought the domains to tables that were there.
pub fn between() -> String {
    [&older(), DOMAINS].concat()
}
