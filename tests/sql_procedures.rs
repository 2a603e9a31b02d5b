//! The tables and procedures of sql/ on a real server, as by hand with psql.

mod sql_bank;

use serde_json::Value;
use sql_bank::{INVARIANTS, bank, check, run, state};

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
    ("SELECT * FROM InsertTransacao(3, -9223372036854775808, 'd', 'x')", "error:transacoes_valor"),
    ("SELECT * FROM InsertTransacao(6, 0, 'c', 'x')", "error:transacoes_valor_check"),
    ("SELECT * FROM InsertTransacao(6, 1, 'C', 'x')", "error:transacoes_tipo_check"),
    ("SELECT * FROM InsertTransacao(3, 1, NULL, 'x')", "error:null value cannot be assigned"),
    ("SELECT * FROM InsertTransacao(3, 1, 'c', '')", "error:transacoes_descricao_check"),
    ("SELECT * FROM InsertTransacao(3, 1, 'c', '12345678901')", "error:transacoes_descricao"),
    ("SELECT * FROM InsertTransacao(3, 1, 'c', NULL)",
     "error:domain descricao does not allow null values"),
    ("SELECT * FROM transacoes WHERE cliente_id = 3", ""),
    // One applied is one lote; a refused one and an error are none.
    ("SELECT clientes, ns, valores, descricoes FROM lotes ORDER BY id",
     "{1}|{1}|{1000}|{descricao}\n{1}|{2}|{-101000}|{éééééééééé}\n\
      {2}|{1}|{9223372036854775807}|{x}"),
    ("SELECT c.id, c.n, c.lotes = array_agg(l.id ORDER BY l.id DESC)
      FROM clientes AS c JOIN lotes AS l ON l.clientes = ARRAY[c.id] GROUP BY c.id ORDER BY c.id",
     "1|2|t\n2|1|t"),
    ("SELECT id, n, lotes FROM clientes WHERE id > 2 ORDER BY id", "3|0|{}\n4|0|{}\n5|0|{}"),
    // A new cliente is a row.
    ("INSERT INTO clientes VALUES (9223372036854775807, 5)", ""),
    ("SELECT * FROM InsertTransacao(9223372036854775807, 5, 'd', 'x')", "-5|5|0"),
    (INVARIANTS, ""),
];

#[test]
fn one_transacao_by_hand() {
    check(&bank(), BY_HAND);
}

/// What the tables refuse of whoever writes to them by hand, and by which rule.
#[rustfmt::skip]
const CONSTRAINTS: &[(&str, &str)] = &[
    ("UPDATE clientes SET saldo = -100001 WHERE id = 1", "error:saldo_dentro_do_limite"),
    ("UPDATE clientes SET saldo = -9223372036854775808", "error:saldo_dentro_do_limite"),
    ("UPDATE clientes SET saldo = NULL", "error:not-null"),
    ("UPDATE clientes SET limite = -1", "error:clientes_limite_check"),
    ("UPDATE clientes SET n = -1", "error:clientes_n_check"),
    ("UPDATE clientes SET lotes = NULL", "error:not-null"),
    ("INSERT INTO clientes VALUES (1, 5)", "error:clientes_pkey"),
    ("INSERT INTO lotes SELECT min(id), now(), '{1}', '{2}', '{1}', '{x}' FROM lotes",
     "error:lotes_pkey"),
    ("INSERT INTO lotes VALUES (NULL, now(), '{1}', '{2}', '{1}', '{x}')", "error:not-null"),
    ("INSERT INTO lotes VALUES (99, NULL, '{1}', '{2}', '{1}', '{x}')", "error:not-null"),
    ("INSERT INTO lotes VALUES (99, now(), NULL, '{2}', '{1}', '{x}')", "error:not-null"),
    ("INSERT INTO lotes VALUES (99, now(), '{1}', NULL, '{1}', '{x}')", "error:not-null"),
    ("INSERT INTO lotes VALUES (99, now(), '{1}', '{2}', NULL, '{x}')", "error:not-null"),
    ("INSERT INTO lotes VALUES (99, now(), '{1}', '{2}', '{1}', NULL)", "error:not-null"),
    ("INSERT INTO lotes VALUES (99, now(), '{1}', '{2}', '{0}', '{x}')",
     "error:transacoes_lancamento_check"),
    ("INSERT INTO lotes VALUES (99, now(), '{1,1}', '{2,3}', '{1,NULL}', '{x,y}')",
     "error:domain lancamento does not allow null values"),
    ("INSERT INTO lotes VALUES (99, now(), '{1,1}', '{2,3}', '{1,1}', '{x,\"\"}')",
     "error:transacoes_descricao_check"),
    ("INSERT INTO lotes VALUES (99, now(), '{1}', '{2}', '{1}', '{12345678901}')",
     "error:transacoes_descricao_check"),
    ("INSERT INTO lotes VALUES (99, now(), '{1}', '{2}', '{1}', '{NULL}')",
     "error:domain descricao does not allow null values"),
    // The view is for reading.
    ("INSERT INTO transacoes VALUES (1, 2, 1, now(), 'c', 'x', 9)", "error:cannot insert into"),
    ("UPDATE transacoes SET valor = 1", "error:cannot update view"),
    ("DELETE FROM transacoes", "error:cannot delete from view"),
    ("TRUNCATE transacoes", "error:is not a table"),
    // What must survive a crash does.
    ("SELECT DISTINCT relpersistence FROM pg_class
      WHERE relnamespace = 'banco'::regnamespace", "p"),
    ("SELECT string_agg(relname || relkind::text, ' ' ORDER BY relname) FROM pg_class
      WHERE relnamespace = 'banco'::regnamespace AND relkind <> 'i'",
     "clientesr lotesr lotes_idS transacoesv"),
];

#[test]
fn constraints_by_hand() {
    let bank = bank();
    let first = "SELECT * FROM InsertTransacao(1, 1, 'c', 'x')";
    check(&bank, &[(first, "1|100000|0")]);
    check(&bank, CONSTRAINTS);
}

/// What neither procedure for many takes, and changes nothing by.
const MISUSE: &[(&str, &str)] = &[
    ("'{1,2}', '{1}', '{a,b}'", "error:lists of one length"),
    ("'{1,2}', '{1,1}', '{a}'", "error:lists of one length"),
    ("'{1}', '{1,1}', '{a}'", "error:lists of one length"),
    ("'{1,2}', '{1,0}', '{a,b}'", "error:transacoes_lancamento"),
    (
        "'{1,2}', '{1,-9223372036854775808}', '{a,b}'",
        "error:out of range",
    ),
    ("'{1,2}', '{1,NULL}', '{a,b}'", "error:not-null"),
    (
        "'{1,2}', '{1,1}', '{a,NULL}'",
        "error:descricao does not allow null",
    ),
    (
        "'{1,2}', '{1,1}', '{a,12345678901}'",
        "error:transacoes_descricao_check",
    ),
    (
        "'{1,2}', '{1,1}', '{a,\"\"}'",
        "error:transacoes_descricao_check",
    ),
    ("NULL, '{1}', '{a}'", "error:"),
    ("'{1}', NULL, '{a}'", "error:"),
    ("'{1}', '{1}', NULL", "error:"),
    // Not the arrays that everybody means by a list.
    ("'{{1,2}}', '{1,1}', '{a,b}'", "error:lists"),
    ("'{1,2}', '{{1,1}}', '{a,b}'", "error:lists"),
    ("'{1,2}', '{1,1}', '{{a,b}}'", "error:lists"),
    ("'[0:1]={1,99}', '{1,2}', '{a,b}'", "error:lists"),
    ("'{1,99}', '[0:1]={1,2}', '{a,b}'", "error:lists"),
    ("'{1,99}', '{1,2}', '[0:1]={a,b}'", "error:lists"),
];

#[test]
fn many_transacoes_take_only_lists() {
    let bank = bank();
    for (args, expected) in MISUSE {
        let lote = format!("SELECT * FROM transacoes_lote({args})");
        let distintas = format!("SELECT * FROM transacoes_distintas({args}, 2)");
        check(&bank, &[(&lote, expected), (&distintas, expected)]);
    }
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
            (
                &lote("'{2,7,1}', '{-80001,1,-2}', '{a,b,c}'"),
                "{2,1,2}|{0,NULL,-99999}|{80000,NULL,100000}",
            ),
            // Where all are refused there is no lote.
            ("SELECT count(*), max(cardinality(ns)) FROM lotes", "1|6"),
            (
                &lote("'{1,6}', '{1,NULL}', '{a,b}'"),
                "error:not allow null",
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
         CREATE TABLE outro.lotes (LIKE banco.lotes);
         CREATE SEQUENCE outro.lotes_id START 1000;
         CREATE DOMAIN outro.valor AS bigint CHECK (VALUE < 0);
         CREATE DOMAIN outro.tipo AS text CHECK (VALUE = 'x');
         INSERT INTO outro.clientes VALUES (1, 1, 1, 1, '{1000}'), (99, 1, 1, 1, '{}');
         CREATE FUNCTION outro.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS 'SELECT NULL::timestamptz';
         SET search_path = outro;
         SELECT saldo, limite, resultado FROM banco.InsertTransacao(1, 5, 'c', 'x');
         SELECT resultado FROM banco.transacoes_lote('{1,99}', '{5,5}', '{y,z}');
         SELECT saldo, descricao, lida_em IS NULL FROM banco.extrato(1);
         SELECT banco.GetSaldoClienteById(1)->'saldo'->'total';
         SELECT count(*), max(lote) < 1000 FROM banco.transacoes;
         SELECT count(*) FROM outro.lotes; SELECT count(*) FROM outro.transacoes;
         SELECT nextval('outro.lotes_id');",
            "5|100000|0\n{0,1}\n10|y|f\n10|x|f\n10\n2|t\n0\n0\n1000",
        )],
    );
}
