//! prod/postgres/grants.sql: a replica serves with these rights, and its role has no others.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;
mod sql_bank;

use std::fs;

use replica::Replica;
use sql_bank::{INVARIANTS, prod, run};
use xtask::stack::{Postgres, ROLE, sql_files};

/// A bank whose tables are the superuser's.
fn bank() -> Postgres {
    let postgres = Postgres::private(&[], &[]).unwrap();
    let grants = prod("grants.sql");
    let files = sql_files().unwrap();
    for file in files.iter().chain([&grants]) {
        let sql = fs::read_to_string(file).unwrap();
        postgres.psql(&sql).unwrap();
    }
    postgres
}

#[test]
fn a_replica_serves_with_them() {
    let bank = bank();
    let url = bank.role_url();
    let listen = replica::free_address().to_string();
    let mut replica = Replica::start(&[("DATABASE_URL", &url), ("LISTEN", &listen)]);
    replica.wait_for("/health", 200);
    let mut client = common::Client::connect(replica.peer()).unwrap();
    // One alone, then several in one flight, then their extrato.
    let credit = |n: i64| common::transacao(1, "c", n, &format!("x{n}"));
    assert_eq!(client.exchange(credit(1)).unwrap().status, 200);
    client
        .send((2..=20).flat_map(credit).collect::<Vec<u8>>())
        .unwrap();
    for _ in 2..=20 {
        assert_eq!(client.receive().unwrap().status, 200);
    }
    // Of two clientes, of whom one comes again.
    let ask = format!(
        "SET ROLE {ROLE};
         SELECT resultado FROM banco.transacoes_distintas('{{2,3,2}}', '{{1,1,1}}', '{{a,b,c}}', 2)"
    );
    assert_eq!(run(&bank, &ask), "{0,0,0}");
    let extrato = client.exchange(common::extrato(1)).unwrap();
    assert_eq!(extrato.json()["saldo"]["total"], 210, "{}", extrato.text());
    assert_eq!(run(&bank, INVARIANTS), "");
    let calls = run(
        &bank,
        "SELECT n, cardinality(lotes) FROM clientes WHERE id = 1;
         SELECT count(*) BETWEEN 3 AND 20 FROM lotes",
    );
    assert_eq!(calls, "20|10\nt");
    // Whoever reads by hand as that role does so as well.
    let rows = format!("SET ROLE {ROLE}; SELECT count(*), sum(valor) FROM banco.transacoes");
    assert_eq!(run(&bank, &rows), "23|213");
    let extrato = format!("SET ROLE {ROLE}; SELECT count(*) FROM banco.extrato(1)");
    assert_eq!(run(&bank, &extrato), "10");
}

#[test]
fn all_else_is_refused() {
    let bank = bank();
    run(
        &bank,
        "SELECT FROM InsertTransacao(1, 1000, 'c', 'descricao')",
    );
    for sql in [
        "DELETE FROM banco.lotes",
        "UPDATE banco.lotes SET realizada_em = now()",
        "UPDATE banco.lotes SET ns = ns",
        "SELECT FROM banco.lotes FOR UPDATE",
        "INSERT INTO banco.lotes SELECT * FROM banco.lotes ON CONFLICT (id) DO UPDATE SET id = 9",
        "TRUNCATE banco.lotes",
        "DROP TABLE banco.lotes",
        "ALTER TABLE banco.lotes RENAME TO outros",
        // No number is given twice.
        "SELECT setval('banco.lotes_id', 1)",
        "ALTER SEQUENCE banco.lotes_id RESTART",
        "DROP SEQUENCE banco.lotes_id",
        "DROP VIEW banco.transacoes",
        "CREATE OR REPLACE VIEW banco.transacoes AS SELECT 1 AS cliente_id",
        "CREATE RULE r AS ON DELETE TO banco.transacoes DO INSTEAD NOTHING",
        "UPDATE banco.clientes SET id = 7",
        "ALTER TABLE banco.clientes DROP CONSTRAINT saldo_dentro_do_limite",
        "UPDATE banco.clientes SET limite = 1000000000",
        "INSERT INTO banco.clientes (id, limite) VALUES (7, 1)",
        "DELETE FROM banco.clientes",
        "CREATE TABLE banco.mine (n integer)",
        "CREATE OR REPLACE FUNCTION banco.extrato(id bigint) RETURNS bigint
         LANGUAGE sql AS 'SELECT 1'",
        "COPY banco.clientes TO PROGRAM 'true'",
    ] {
        let said = run(&bank, &format!("SET ROLE {ROLE}; {sql}"));
        let refused = said.contains("permission denied") || said.contains("must be ");
        assert!(refused, "{sql}: {said}");
    }
}
