//! The history checker on histories that it must accept and, rule by rule, refuse.

#[path = "mod.rs"]
mod checker;
#[path = "../load/random.rs"]
mod random;
mod search;

use std::collections::HashSet;

use checker::Rule::*;
use checker::{Answer, Conta, Operation, Question, Row, Rule};

const LIMITE: i64 = 1000;

/// A history of cliente 1, whose limit is 1000, with the rows that were found after it.
struct Case {
    name: &'static str,
    operations: Vec<Operation>,
    rows: Vec<Row>,
    expected: Option<Rule>,
}

#[test]
fn every_rule_is_held() {
    let mut refused = HashSet::new();
    for case in accepted()
        .into_iter()
        .chain(row_faults())
        .chain(order_faults())
    {
        check(&case, conta(case.rows.clone()));
        refused.extend(case.expected);
    }
    refused.extend([Numbers, Sum, NoSuchCliente, Limit]);
    let every = [
        Numbers,
        Sum,
        Limit,
        Unasked,
        Twice,
        Lost,
        RefusedYetApplied,
        Balance,
        RealTime,
        ConnectionOrder,
        Snapshot,
        StaleOrEarly,
        BackInTime,
        WasPossible,
        NoSuchCliente,
        Malformed,
    ];
    assert_eq!(refused, HashSet::from(every), "a rule without a case");
}

#[test]
fn the_database_agrees_with_itself() {
    let good = conta(vec![row(1, "a", 10), row(2, "b", -5)]);
    let cases = [
        (None, good.clone()),
        (
            Some(Sum),
            Conta {
                saldo: 6,
                ..good.clone()
            },
        ),
        (
            Some(Numbers),
            Conta {
                n: 3,
                ..good.clone()
            },
        ),
        (
            Some(Numbers),
            Conta {
                rows: vec![row(2, "a", 10)],
                ..good.clone()
            },
        ),
        (
            Some(Limit),
            conta(vec![row(1, "a", 10), row(2, "b", -1011)]),
        ),
        (
            Some(Limit),
            conta(vec![row(1, "a", i64::MAX), row(2, "b", 1)]),
        ),
        (
            Some(NoSuchCliente),
            Conta {
                cliente: 2,
                ..conta(vec![])
            },
        ),
    ];
    let operations = vec![applied(0, 0..9, "a", 10, 10), unknown(1, 0..9, "b", -5)];
    for (expected, conta) in cases {
        let case = Case {
            name: "conta",
            operations: operations.clone(),
            rows: vec![],
            expected,
        };
        let mut case = case;
        if expected == Some(Limit) {
            case.operations.clear();
        }
        check(&case, conta);
    }
}

fn check(case: &Case, conta: Conta) {
    let judged = checker::check(&case.operations, &[conta]).err();
    let rule = judged.as_ref().map(|fault| fault.rule);
    let detail = judged.map_or_else(String::new, |fault| fault.to_string());
    assert_eq!(rule, case.expected, "{}: {detail}", case.name);
}

#[rustfmt::skip]
fn accepted() -> Vec<Case> {
    let eleven: Vec<Row> = (1..=11).map(|n| row(n, &format!("r{n}"), n)).collect();
    let eleven_asked = eleven.iter().map(|row| unknown(0, 0..1, &row.descricao, row.valor));
    vec![
        good("nothing", vec![], vec![]),
        good("one after another",
            vec![applied(0, 0..1, "a", 10, 10), applied(1, 2..3, "b", -1010, -1000),
                 impossible(0, 4..5, "c", -1), applied(0, 6..7, "d", 1, -999)],
            vec![row(1, "a", 10), row(2, "b", -1010), row(3, "d", 1)]),
        good("overlapping, the later first",
            vec![applied(0, 0..9, "a", 10, 30), applied(1, 5..6, "b", 20, 20)],
            vec![row(1, "b", 20), row(2, "a", 10)]),
        good("unknown and there", vec![unknown(0, 0..1, "a", 10)], vec![row(1, "a", 10)]),
        good("unknown and not there", vec![unknown(0, 0..1, "a", 10)], vec![]),
        good("unknown and late, after what its own connection asked for next",
            vec![unknown(0, 0..1, "a", 10), applied(0, 2..3, "b", 20, 20)],
            vec![row(1, "b", 20), row(2, "a", 10)]),
        good("refused", vec![refused(0, 0..1, "a", 10)], vec![]),
        good("refused between, when it was impossible for a moment",
            vec![applied(0, 0..9, "a", -1000, -1000), applied(1, 0..9, "b", 500, -500),
                 impossible(2, 0..9, "c", -200)],
            vec![row(1, "a", -1000), row(2, "b", 500)]),
        good("a credit that overflows",
            vec![applied(0, 0..1, "a", i64::MAX, i64::MAX), impossible(0, 2..3, "b", 1)],
            vec![row(1, "a", i64::MAX)]),
        good("an extrato of nothing", vec![extrato(0, 0..1, 0, &[])], vec![]),
        good("an extrato of an overlapping one, and without it",
            vec![applied(0, 0..9, "a", 10, 10), extrato(1, 1..2, 0, &[]),
                 extrato(2, 3..4, 10, &[("a", 10)])],
            vec![row(1, "a", 10)]),
        good("pipelined: overlapping in time, in order of the connection",
            vec![applied(0, 0..9, "a", 10, 10), extrato(0, 1..9, 10, &[("a", 10)]),
                 applied(0, 2..9, "b", 20, 30)],
            vec![row(1, "a", 10), row(2, "b", 20)]),
        good("ten lines of eleven rows",
            eleven_asked.chain([extrato(1, 2..3, 66, &[("r11", 11), ("r10", 10), ("r9", 9),
                ("r8", 8), ("r7", 7), ("r6", 6), ("r5", 5), ("r4", 4), ("r3", 3), ("r2", 2)])])
                .collect(),
            eleven),
    ]
}

#[rustfmt::skip]
fn row_faults() -> Vec<Case> {
    let a = || vec![row(1, "a", 10)];
    let mut other_limite = applied(0, 0..1, "a", 10, 10);
    other_limite.answer = Answer::Applied { limite: 1, saldo: 10 };
    let mut other_kind = extrato(0, 0..1, 0, &[]);
    other_kind.answer = Answer::Impossible;
    let extrato_limite = Operation {
        answer: Answer::Extrato { limite: 1, total: 0, list: vec![] },
        ..extrato(0, 0..1, 0, &[])
    };
    vec![
        bad(Unasked, "nobody asked", vec![], a()),
        bad(Unasked, "another valor", vec![unknown(0, 0..1, "a", 11)], a()),
        bad(Unasked, "a debit became a credit", vec![unknown(0, 0..1, "a", -10)], a()),
        bad(Twice, "one unknown, twice there", vec![unknown(0, 0..1, "a", 10)],
            vec![row(1, "a", 10), row(2, "a", 10)]),
        bad(Lost, "acknowledged, not there", vec![applied(0, 0..1, "a", 10, 10)], vec![]),
        bad(RefusedYetApplied, "503, yet there", vec![refused(0, 0..1, "a", 10)], a()),
        bad(RefusedYetApplied, "422, yet there", vec![impossible(0, 0..1, "a", 10)], a()),
        bad(Balance, "a saldo of nowhere", vec![applied(0, 0..1, "a", 10, 11)], a()),
        bad(Balance, "the saldo of another place",
            vec![applied(0, 0..9, "a", 10, 30), applied(1, 0..9, "b", 20, 20)],
            vec![row(1, "a", 10), row(2, "b", 20)]),
        bad(Balance, "another limite", vec![other_limite], a()),
        bad(Malformed, "a 422 to an extrato", vec![other_kind], vec![]),
        bad(Malformed, "answered before it was asked for",
            vec![Operation { asked_ns: 5, ..applied(0, 0..1, "a", 10, 10) }], a()),
        bad(Malformed, "one descricao of two",
            vec![unknown(0, 0..1, "a", 10), unknown(1, 0..1, "a", 10)], a()),
        bad(Snapshot, "a total of nowhere",
            vec![unknown(1, 0..1, "a", 10), extrato(0, 2..3, 11, &[("a", 10)])], a()),
        bad(Snapshot, "another limite", vec![extrato_limite], vec![]),
        bad(Snapshot, "a line that is not there", vec![extrato(0, 0..1, 0, &[("x", 1)])], vec![]),
        bad(Snapshot, "a line too few",
            vec![unknown(1, 0..1, "a", 10), unknown(1, 0..1, "b", 10),
                 extrato(0, 2..3, 20, &[("b", 10)])],
            vec![row(1, "a", 10), row(2, "b", 10)]),
        bad(Snapshot, "oldest first",
            vec![unknown(1, 0..1, "a", 10), unknown(1, 0..1, "b", 10),
                 extrato(0, 2..3, 20, &[("a", 10), ("b", 10)])],
            vec![row(1, "a", 10), row(2, "b", 10)]),
        bad(Snapshot, "another valor in the list",
            vec![unknown(1, 0..1, "a", 10), extrato(0, 2..3, 10, &[("a", -10)])], a()),
    ]
}

#[rustfmt::skip]
fn order_faults() -> Vec<Case> {
    let ab = || vec![row(1, "a", 10), row(2, "b", 20)];
    vec![
        bad(RealTime, "the earlier comes later",
            vec![applied(0, 5..6, "a", 10, 10), applied(1, 1..2, "b", 20, 30)], ab()),
        bad(RealTime, "an unknown from before it was asked for",
            vec![unknown(0, 5..6, "a", 10), applied(1, 1..2, "b", 20, 30)], ab()),
        bad(ConnectionOrder, "pipelined, and turned round",
            vec![applied(0, 2..9, "a", 10, 10), applied(0, 1..9, "b", 20, 30)], ab()),
        bad(ConnectionOrder, "an unknown before what was pipelined ahead of it",
            vec![unknown(0, 2..9, "a", 10), applied(0, 1..9, "b", 20, 30)], ab()),
        bad(StaleOrEarly, "what was answered before is not shown",
            vec![applied(0, 0..1, "a", 10, 10), extrato(1, 2..3, 0, &[])],
            vec![row(1, "a", 10)]),
        bad(StaleOrEarly, "what was asked for after is shown",
            vec![extrato(1, 0..1, 10, &[("a", 10)]), applied(0, 2..3, "a", 10, 10)],
            vec![row(1, "a", 10)]),
        bad(StaleOrEarly, "pipelined after, and shown",
            vec![extrato(0, 1..9, 10, &[("a", 10)]), applied(0, 2..9, "a", 10, 10)],
            vec![row(1, "a", 10)]),
        bad(BackInTime, "shown, then hidden, while it was under way",
            vec![applied(0, 0..9, "a", 10, 10), extrato(1, 1..2, 10, &[("a", 10)]),
                 extrato(2, 3..4, 0, &[])],
            vec![row(1, "a", 10)]),
        bad(BackInTime, "impossible before what had been shown",
            vec![applied(0, 0..1, "c", -1000, -1000), unknown(0, 2..9, "a", 900),
                 extrato(1, 3..4, -100, &[("a", 900), ("c", -1000)]),
                 impossible(2, 5..6, "d", -800)],
            vec![row(1, "c", -1000), row(2, "a", 900)]),
        bad(WasPossible, "never impossible",
            vec![applied(0, 0..1, "a", 10, 10), impossible(1, 2..3, "b", -1010)],
            vec![row(1, "a", 10)]),
        bad(WasPossible, "impossible only before it was asked for",
            vec![applied(0, 0..1, "a", -1000, -1000), applied(0, 2..3, "b", 1000, 0),
                 impossible(1, 4..5, "c", -1)],
            vec![row(1, "a", -1000), row(2, "b", 1000)]),
        bad(WasPossible, "impossible only after it was answered",
            vec![impossible(1, 0..1, "c", -1), applied(0, 2..3, "a", -1000, -1000)],
            vec![row(1, "a", -1000)]),
        bad(WasPossible, "a credit that fits",
            vec![impossible(0, 0..1, "a", i64::MAX)], vec![]),
    ]
}

fn good(name: &'static str, operations: Vec<Operation>, rows: Vec<Row>) -> Case {
    let expected = None;
    Case {
        name,
        operations,
        rows,
        expected,
    }
}

fn bad(rule: Rule, name: &'static str, operations: Vec<Operation>, rows: Vec<Row>) -> Case {
    let expected = Some(rule);
    Case {
        name,
        operations,
        rows,
        expected,
    }
}

fn conta(rows: Vec<Row>) -> Conta {
    let saldo = rows
        .iter()
        .fold(0, |saldo: i64, row| saldo.wrapping_add(row.valor));
    let n = rows.last().map_or(0, |row| row.n);
    Conta {
        cliente: 1,
        limite: LIMITE,
        saldo,
        n,
        rows,
    }
}

fn row(n: i64, descricao: &str, valor: i64) -> Row {
    let realizada_em = String::new();
    Row {
        n,
        valor,
        descricao: descricao.to_owned(),
        realizada_em,
    }
}

type Span = std::ops::Range<u64>;

fn transacao(connection: usize, at: Span, what: (&str, i64), answer: Answer) -> Operation {
    let question = Question::Transacao {
        descricao: what.0.to_owned(),
        valor: what.1,
    };
    let (asked_ns, answered_ns) = (at.start, at.end);
    Operation {
        connection,
        cliente: 1,
        question,
        asked_ns,
        answered_ns,
        answer,
    }
}

fn applied(connection: usize, at: Span, name: &str, valor: i64, saldo: i64) -> Operation {
    let answer = Answer::Applied {
        limite: LIMITE,
        saldo,
    };
    transacao(connection, at, (name, valor), answer)
}

fn impossible(connection: usize, at: Span, name: &str, valor: i64) -> Operation {
    transacao(connection, at, (name, valor), Answer::Impossible)
}

fn refused(connection: usize, at: Span, name: &str, valor: i64) -> Operation {
    transacao(connection, at, (name, valor), Answer::Refused)
}

fn unknown(connection: usize, at: Span, name: &str, valor: i64) -> Operation {
    transacao(connection, at, (name, valor), Answer::Unknown)
}

fn extrato(connection: usize, at: Span, total: i64, list: &[(&str, i64)]) -> Operation {
    let list = list
        .iter()
        .map(|(name, valor)| row(0, name, *valor))
        .collect();
    let answer = Answer::Extrato {
        limite: LIMITE,
        total,
        list,
    };
    Operation {
        question: Question::Extrato,
        ..transacao(connection, at, ("", 0), answer)
    }
}
