//! A backup as docs/deploy.md makes it, by pg_dump and pg_restore on a real server: what comes back
//! is the bank that was there, and it goes on.

mod sql_bank;

use std::fs;
use std::process::Command;

use sql_bank::{EXTRATOS, INVARIANTS, bank, prod_sql, run};
use xtask::programs;
use xtask::stack::Postgres;

/// Transacoes by both procedures; a flight of which some are refused, and one beyond a page.
const FILL: &str = "
    SELECT count(InsertTransacao(1 + i % 4, i, CASE i % 3 WHEN 0 THEN 'd' ELSE 'c' END, 'é' || i))
    FROM generate_series(1, 50) AS i;
    SELECT resultado FROM transacoes_lote('{1,9,5,1}', '{3,1,-900000000,-4}', '{a,b,c,d}');
    SELECT cardinality(resultado) FROM transacoes_lote(
        (SELECT array_agg(1 + i % 3) FROM generate_series(1, 900::bigint) AS i),
        (SELECT array_agg(i) FROM generate_series(1, 900::bigint) AS i),
        (SELECT array_agg('descr' || i) FROM generate_series(1, 900) AS i))";

const BOOKS: &str = "
    SELECT * FROM clientes ORDER BY id;
    SELECT * FROM transacoes ORDER BY cliente_id, n;
    SELECT c.id, e.valor, e.tipo, e.descricao, e.realizada_em
    FROM clientes AS c, extrato(c.id) AS e ORDER BY c.id, e.realizada_em, e.valor;
    SELECT id, GetSaldoClienteById(id) #- '{saldo,data_extrato}' FROM clientes ORDER BY id";

/// One of PostgreSQL's programs, as superuser, on the server's socket.
fn ask(bank: &Postgres, program: &str, arguments: &[&str]) {
    let path = programs::postgresql(program).expect("it is on this machine");
    let output = Command::new(path)
        .args(["-U", "postgres", "-p", &bank.port().to_string(), "-h"])
        .arg(bank.socket_folder())
        .args(arguments)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
}

fn wrong(bank: &Postgres, database: &str) -> String {
    let check = prod_sql("check.sql");
    run(bank, &format!("\\connect {database}\n{check}"))
}

#[test]
fn what_comes_back_is_the_bank_and_goes_on() {
    let bank = bank();
    assert_eq!(run(&bank, FILL), "50\n{0,1,2,0}\n900");
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("banco.dump");
    let dump = dump.to_str().expect("a plain path");
    ask(&bank, "pg_dump", &["-Fc", "-f", dump, "crebito"]);
    let before = run(&bank, BOOKS);
    // What comes after the dump is not in it.
    run(&bank, "SELECT InsertTransacao(2, 1, 'c', 'late')");

    run(&bank, "CREATE DATABASE other OWNER crebito");
    ask(
        &bank,
        "pg_restore",
        &["--exit-on-error", "-d", "other", dump],
    );
    assert_eq!(wrong(&bank, "other"), "");
    // A dump does not hold the database's search_path: sql/ sets it, run as its manual says.
    let files = xtask::stack::sql_files().expect("sql/ is there");
    for file in files {
        let sql = fs::read_to_string(file).expect("a file of sql/ can be read");
        let said = run(&bank, &format!("\\connect other crebito\n{sql}"));
        assert_eq!(said, "");
    }
    let other = |sql: &str| run(&bank, &format!("\\connect other\n{sql}"));
    assert_eq!(other(BOOKS), before);
    for found in [INVARIANTS, EXTRATOS] {
        assert_eq!(other(found), "");
    }

    let calls = "
        SELECT resultado FROM InsertTransacao(1, 3, 'c', 'new');
        SELECT resultado FROM transacoes_lote('{2,1,2}', '{1,2,3}', '{a,b,c}');
        SELECT n FROM clientes ORDER BY id";
    let calls = other(&format!("SET ROLE crebito; {calls}"));
    assert_eq!(calls, "0\n{0,0,0}\n316\n315\n313\n12\n0");
    assert_ne!(other(BOOKS), before);
    for found in [INVARIANTS, EXTRATOS] {
        assert_eq!(other(found), "");
    }
    assert_eq!(wrong(&bank, "other"), "");
}
