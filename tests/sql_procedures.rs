//! The tables and procedures of sql/ on a real server, as by hand with psql.

mod sql_bank;

use serde_json::Value;
use sql_bank::{INVARIANTS, bank, run};
use xtask::stack::Postgres;

/// Runs each case's SQL in turn. One that is to fail must change nothing, and is given by a part
/// of its message.
fn check(bank: &Postgres, cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        let fails = expected.strip_prefix("error:");
        let before = fails.map(|_| state(bank));
        let printed = run(bank, sql);
        if let Some(part) = fails {
            let refused = printed.starts_with("error:") && printed.contains(part);
            assert!(refused, "{sql}: {printed}");
            assert_eq!(Some(state(bank)), before, "{sql}");
        } else {
            assert_eq!(printed, *expected, "{sql}");
        }
    }
}

/// All rows of both tables.
fn state(bank: &Postgres) -> String {
    run(
        bank,
        "SELECT * FROM clientes ORDER BY id; SELECT * FROM transacoes ORDER BY cliente_id, n",
    )
}

/// Calls by hand, in this order, and what psql prints.
#[rustfmt::skip]
const BY_HAND: &[(&str, &str)] = &[
    ("SELECT * FROM InsertTransacao(1, 1000, 'c', 'descricao')", "1000|100000|0"),
    ("SELECT * FROM InsertTransacao(1, 101000, 'd', 'éééééééééé')", "-100000|100000|0"),
    ("SELECT * FROM InsertTransacao(1, 1, 'd', 'x')", "-100000|100000|2"),
    ("SELECT * FROM InsertTransacao(1, 9223372036854775807, 'd', 'x')", "-100000|100000|2"),
    ("SELECT * FROM InsertTransacao(2, 9223372036854775807, 'd', 'x')", "0|80000|2"),
    ("SELECT * FROM InsertTransacao(2, 9223372036854775807, 'c', 'x')",
     "9223372036854775807|80000|0"),
    ("SELECT * FROM InsertTransacao(2, 1, 'c', 'x')", "9223372036854775807|80000|3"),
    ("SELECT * FROM InsertTransacao(2, 9223372036854775807, 'c', 'x')",
     "9223372036854775807|80000|3"),
    ("SELECT * FROM InsertTransacao(6, 1, 'c', 'x')", "||1"),
    ("SELECT * FROM InsertTransacao(-1, 1, 'd', 'x')", "||1"),
    ("SELECT * FROM InsertTransacao(NULL, 1, 'd', 'x')", "||1"),
    ("SELECT * FROM InsertTransacao(3, 0, 'c', 'x')", "error:transacoes_valor_check"),
    ("SELECT * FROM InsertTransacao(3, -1, 'c', 'x')", "error:transacoes_valor_check"),
    ("SELECT * FROM InsertTransacao(3, -1, 'd', 'x')", "error:transacoes_valor_check"),
    ("SELECT * FROM InsertTransacao(3, NULL, 'c', 'x')", "error:null value cannot be assigned"),
    ("SELECT * FROM InsertTransacao(3, 1, 'x', 'x')", "error:transacoes_tipo_check"),
    ("SELECT * FROM InsertTransacao(3, 1, 'credito', 'x')", "error:transacoes_tipo_check"),
    ("SELECT * FROM InsertTransacao(3, 1, NULL, 'x')", "error:not-null"),
    ("SELECT * FROM InsertTransacao(3, 1, 'c', '')", "error:transacoes_descricao_check"),
    ("SELECT * FROM InsertTransacao(3, 1, 'c', '12345678901')", "error:transacoes_descricao"),
    ("SELECT * FROM InsertTransacao(3, 1, 'c', NULL)", "error:not-null"),
    ("SELECT * FROM transacoes WHERE cliente_id = 3", ""),
    // A new cliente is a row.
    ("INSERT INTO clientes VALUES (9223372036854775807, 5)", ""),
    ("SELECT * FROM InsertTransacao(9223372036854775807, 5, 'd', 'x')", "-5|5|0"),
    (INVARIANTS, ""),
];

#[test]
fn one_transacao_by_hand() {
    check(&bank(), BY_HAND);
}

#[test]
fn constraints_by_hand() {
    let bank = bank();
    let insert = "INSERT INTO transacoes VALUES";
    check(
        &bank,
        &[
            (
                "SELECT * FROM InsertTransacao(1, 1, 'c', 'x')",
                "1|100000|0",
            ),
            (
                "UPDATE clientes SET saldo = -100001 WHERE id = 1",
                "error:saldo_dentro_do_limite",
            ),
            (
                "UPDATE clientes SET saldo = -9223372036854775808",
                "error:saldo_dentro_do_limite",
            ),
            ("UPDATE clientes SET saldo = NULL", "error:not-null"),
            (
                "UPDATE clientes SET limite = -1",
                "error:clientes_limite_check",
            ),
            ("UPDATE clientes SET n = -1", "error:clientes_n_check"),
            ("INSERT INTO clientes VALUES (1, 5)", "error:clientes_pkey"),
            (
                &format!("{insert} (1, 1, 1, now(), 'c', 'x')"),
                "error:transacoes_pkey",
            ),
            (
                &format!("{insert} (1, 2, 0, now(), 'c', 'x')"),
                "error:transacoes_valor_check",
            ),
            (
                &format!("{insert} (1, 2, 1, now(), 'C', 'x')"),
                "error:transacoes_tipo_check",
            ),
            (
                &format!("{insert} (1, 2, 1, now(), 'c', '')"),
                "error:transacoes_descricao_check",
            ),
            (
                &format!("{insert} (1, 2, 1, NULL, 'c', 'x')"),
                "error:not-null",
            ),
            (
                "SELECT DISTINCT relpersistence FROM pg_class
                 WHERE relnamespace = 'banco'::regnamespace",
                "p",
            ),
        ],
    );
}

#[test]
fn many_transacoes_by_hand() {
    let bank = bank();
    let lote = |args: &str| format!("SELECT * FROM transacoes_lote({args})");
    check(
        &bank,
        &[
            (&lote("'{}', '{}', '{}'"), "{}|{}|{}"),
            (
                &lote("'{3,1,9,1,3,1}', '{5,-100000,3,-1,9223372036854775807,1}', '{a,b,c,d,e,f}'"),
                "{0,0,1,2,3,0}|{5,-100000,NULL,-100000,5,-99999}|\
             {1000000,100000,NULL,100000,1000000,100000}",
            ),
            (
                "SELECT cliente_id, n, valor, tipo, descricao FROM transacoes ORDER BY 1, 2",
                "1|1|100000|d|b\n1|2|1|c|f\n3|1|5|c|a",
            ),
            ("SELECT count(DISTINCT realizada_em) FROM transacoes", "1"),
            (
                &lote("'{6,NULL,6}', '{1,1,-1}', '{a,b,c}'"),
                "{1,1,1}|{NULL,NULL,NULL}|{NULL,NULL,NULL}",
            ),
            (
                &lote("'{2}', '{-9223372036854775807}', '{a}'"),
                "{2}|{0}|{80000}",
            ),
            (&lote("'{1,2}', '{1}', '{a,b}'"), "error:differ in length"),
            (&lote("'{1,2}', '{1,1}', '{a}'"), "error:differ in length"),
            (&lote("'{1}', '{1,1}', '{a}'"), "error:differ in length"),
            (
                &lote("'{1,2}', '{1,0}', '{a,b}'"),
                "error:transacoes_valor_check",
            ),
            (&lote("'{1,2}', '{1,NULL}', '{a,b}'"), "error:not-null"),
            (&lote("'{1,2}', '{1,1}', '{a,NULL}'"), "error:not-null"),
            (
                &lote("'{1,2}', '{1,1}', '{a,\"\"}'"),
                "error:transacoes_descricao_check",
            ),
            (INVARIANTS, ""),
        ],
    );
}

#[test]
fn extratos_by_hand() {
    let bank = bank();
    let json = |sql: &str| -> Value { serde_json::from_str(&run(&bank, sql)).expect("JSON") };
    check(
        &bank,
        &[
            (
                "SELECT saldo, limite, valor, tipo, descricao, realizada_em FROM banco.extrato(2)",
                "0|80000||||",
            ),
            ("SELECT * FROM banco.extrato(6)", ""),
            ("SELECT GetSaldoClienteById(6) IS NULL", "t"),
        ],
    );
    assert_eq!(
        json("SELECT GetSaldoClienteById(2)")["ultimas_transacoes"],
        Value::Array(vec![])
    );
    run(
        &bank,
        "SELECT InsertTransacao(1, i, CASE WHEN i > 9 THEN 'd' ELSE 'c' END, 't' || i)
                FROM generate_series(1, 12) AS i",
    );
    check(
        &bank,
        &[
            (
                "SELECT saldo, limite, valor, tipo, descricao FROM banco.extrato(1) LIMIT 4",
                "12|100000|12|d|t12\n12|100000|11|d|t11\n12|100000|10|d|t10\n12|100000|9|c|t9",
            ),
            (
                "SELECT string_agg(descricao, ' ') FROM banco.extrato(1)",
                "t12 t11 t10 t9 t8 t7 t6 t5 t4 t3",
            ),
            (
                "SELECT bool_and(lida_em >= realizada_em) FROM banco.extrato(1)",
                "t",
            ),
        ],
    );
    let newest = "SELECT extract(epoch FROM max(realizada_em)) * 1000000 FROM transacoes";
    check_json(
        &json("SET timezone = 'America/Sao_Paulo'; SELECT GetSaldoClienteById(1)"),
        &run(&bank, newest).replace(".000000", ""),
    );
}

/// The extrato after twelve transacoes, the newest at this time (microseconds).
fn check_json(extrato: &Value, newest: &str) {
    assert_eq!(
        (&extrato["saldo"]["total"], &extrato["saldo"]["limite"]),
        (&12.into(), &100_000.into())
    );
    let last = &extrato["ultimas_transacoes"];
    let found: Vec<_> = (0..11).map(|at| last[at]["descricao"].as_str()).collect();
    let expected: Vec<_> = (3..13).rev().map(|i| format!("t{i}")).collect();
    assert_eq!(
        found[..10],
        expected
            .iter()
            .map(|text| Some(text.as_str()))
            .collect::<Vec<_>>()
    );
    assert_eq!(found[10], None);
    assert_eq!(
        (&last[0]["valor"], &last[0]["tipo"]),
        (&12.into(), &"d".into())
    );
    // RFC 3339 in UTC, and what the table holds.
    let time = |value: &Value| -> jiff::Timestamp {
        let text = value.as_str().expect("a string");
        assert!(text.len() == 27 && text.ends_with('Z'), "{text}");
        text.parse().expect("RFC 3339")
    };
    let read_at = time(&extrato["saldo"]["data_extrato"]);
    assert_eq!(
        time(&last[0]["realizada_em"]).as_microsecond().to_string(),
        newest
    );
    assert!(read_at >= time(&last[0]["realizada_em"]));
}

#[test]
fn files_run_again_without_harm() {
    let bank = bank();
    run(
        &bank,
        "SELECT InsertTransacao(1, 7, 'd', 'x'); INSERT INTO clientes VALUES (6, 1);
                UPDATE clientes SET limite = 123 WHERE id = 2",
    );
    let before = state(&bank);
    bank.apply_sql().expect("sql/ runs again");
    assert_eq!(state(&bank), before);
    check(&bank, &[("SHOW search_path", "banco, public")]);
}

#[test]
fn no_search_path_changes_what_procedures_do() {
    let bank = bank();
    check(
        &bank,
        &[(
            "CREATE SCHEMA outro;
         CREATE TABLE outro.clientes (LIKE banco.clientes);
         CREATE TABLE outro.transacoes (LIKE banco.transacoes);
         INSERT INTO outro.clientes VALUES (1, 1, 1, 1), (99, 1, 1, 1);
         CREATE FUNCTION outro.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS 'SELECT NULL::timestamptz';
         SET search_path = outro;
         SELECT saldo, limite, resultado FROM banco.InsertTransacao(1, 5, 'c', 'x');
         SELECT resultado FROM banco.transacoes_lote('{1,99}', '{5,5}', '{y,z}');
         SELECT saldo, descricao, lida_em IS NULL FROM banco.extrato(1);
         SELECT banco.GetSaldoClienteById(1)->'saldo'->'total';",
            "5|100000|0\n{0,1}\n10|y|f\n10|x|f\n10",
        )],
    );
}
