//! Many transacoes of different clientes in one call, as by hand with psql.

mod sql_bank;

use sql_bank::{INVARIANTS, bank, check};

/// Many by the procedure for clientes that come once each, by ascending id.
#[test]
fn transacoes_of_different_clientes_by_hand() {
    let bank = bank();
    let all = |args: &str| {
        let ids = args.split('\'').nth(1).expect("the ids");
        format!("SELECT * FROM transacoes_distintas({args}, cardinality('{ids}'::text[]))")
    };
    let call = &all;
    let ascend = "error:the ids must ascend";
    check(
        &bank,
        &[
            (&call("'{}', '{}', '{}'"), "{}|{}|{}"),
            (
                &call("'{1,2,3,9}', '{-100000,-80001,9223372036854775807,1}', '{a,b,c,d}'"),
                "{0,2,0,1}|{-100000,0,9223372036854775807,NULL}|{100000,80000,1000000,NULL}",
            ),
            (
                "SELECT cliente_id, n, valor, tipo, descricao FROM transacoes ORDER BY 1, 2",
                "1|1|100000|d|a\n3|1|9223372036854775807|c|c",
            ),
            // Where all are refused there is no lote.
            (
                &call("'{-1,1,2,3}', '{1,-1,-9223372036854775807,1}', '{a,b,c,d}'"),
                "{1,2,2,3}|{NULL,-100000,0,9223372036854775807}|{NULL,100000,80000,1000000}",
            ),
            ("SELECT count(*), max(cardinality(ns)) FROM lotes", "1|4"),
            (
                &call("'{6,NULL}', '{1,1}', '{a,b}'"),
                "{1,1}|{NULL,NULL}|{NULL,NULL}",
            ),
            // What a search by halves may find, and what it may not.
            (&call("'{2,1}', '{1,1}', '{a,b}'"), "error:"),
            (&call("'{1,1}', '{1,1}', '{a,b}'"), ascend),
            (&call("'{1,2,2}', '{1,1,1}', '{a,b,c}'"), ascend),
            (&call("'{1,7,1}', '{1,1,1}', '{a,b,c}'"), ascend),
            (&call("'{1,2,1}', '{1,1,1}', '{a,b,c}'"), ascend),
            (&call("'{8,9,8}', '{1,1,1}', '{a,b,c}'"), ascend),
            (&call("'{9,8}', '{1,1}', '{a,b}'"), ascend),
            (
                &call("'{1,NULL}', '{1,1}', '{a,b}'"),
                "error:must not contain NULLs",
            ),
            (INVARIANTS, ""),
        ],
    );
}

/// The same procedure, with a few that come again behind the first of each.
#[test]
fn transacoes_of_clientes_that_come_again_by_hand() {
    let bank = bank();
    let call = |args: &str| format!("SELECT * FROM transacoes_distintas({args})");
    let not_first = "error:is not among the first";
    check(
        &bank,
        &[
            // Refused at first and then applied, applied and then refused, one that is not there.
            (
                &call(
                    "'{1,2,3,9,3,1,9,2,1}',
                     '{-100001,7,9223372036854775807,1,1,-100000,1,-80008,-1}',
                     '{a,b,c,d,e,f,g,h,i}', 4",
                ),
                "{2,0,0,1,3,0,1,2,2}|\
                 {0,7,9223372036854775807,NULL,9223372036854775807,-100000,NULL,7,-100000}|\
                 {100000,80000,1000000,NULL,1000000,100000,NULL,80000,100000}",
            ),
            (
                "SELECT cliente_id, n, valor, tipo, descricao FROM transacoes ORDER BY 1, 2",
                "1|1|100000|d|f\n2|1|7|c|b\n3|1|9223372036854775807|c|c",
            ),
            (
                &call("'{4,5,5,4,5}', '{1,2,3,4,5}', '{a,b,c,d,e}', 2"),
                "{0,0,0,0,0}|{1,2,5,5,10}|{10000000,500000,500000,10000000,500000}",
            ),
            (
                "SELECT id, n, lotes = array_fill(lotes[1], ARRAY[n::int]) FROM clientes
                 WHERE id > 3 ORDER BY id",
                "4|2|t\n5|3|t",
            ),
            (&call("'{1,2,3}', '{1,1,1}', '{a,b,c}', 2"), not_first),
            (&call("'{1,2,0}', '{1,1,1}', '{a,b,c}', 2"), not_first),
            (&call("'{1,NULL}', '{1,1}', '{a,b}', 1"), not_first),
            (&call("'{1,1}', '{1,1}', '{a,b}', 0"), not_first),
            (
                &call("'{1,1}', '{1,1}', '{a,b}', 3"),
                "error:there are not 3",
            ),
            (
                &call("'{1,1}', '{1,1}', '{a,b}', -1"),
                "error:there are not -1",
            ),
            (&call("'{1,1}', '{1,1}', '{a,b}', NULL"), "error:null value"),
            (&call("'{1,1}', '{1,NULL}', '{a,b}', 1"), "error:null value"),
            // As replicas of before call it.
            (
                &call("'{4,5}', '{1,1}', '{a,b}'"),
                "{0,0}|{6,11}|{10000000,500000}",
            ),
            (
                &call("'{4,4}', '{1,1}', '{a,b}'"),
                "error:the ids must ascend",
            ),
            (INVARIANTS, ""),
        ],
    );
}
