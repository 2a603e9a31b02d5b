//! What a transacao does to a saldo: exact answers, limits, 64 bits.

use crate::answers::Place;
use crate::common::{get, transacao};

const MAX: i64 = i64::MAX;

/// One cliente's life: its limite, and what is sent in turn with what comes back.
struct Life {
    name: &'static str,
    limite: i64,
    steps: &'static [(&'static str, i64, Option<i64>)],
}

/// The saldo after each step; none where it is refused with 422 and changes nothing.
const LIVES: &[Life] = &[
    Life {
        name: "a debit down to the limite passes, one below it fails",
        limite: 1_000,
        steps: &[
            ("d", 1_001, None),
            ("d", 1_000, Some(-1_000)),
            ("d", 1, None),
            ("c", 1, Some(-999)),
            ("d", 2, None),
            ("d", 1, Some(-1_000)),
            ("c", 2_000, Some(1_000)),
            ("d", 2_001, None),
            ("d", 2_000, Some(-1_000)),
        ],
    },
    Life {
        name: "the contest's example",
        limite: 100_000,
        steps: &[("d", 9_098, Some(-9_098)), ("c", 10, Some(-9_088))],
    },
    Life {
        name: "no limite at all",
        limite: 0,
        steps: &[
            ("d", 1, None),
            ("d", MAX, None),
            ("c", 1, Some(1)),
            ("d", 1, Some(0)),
        ],
    },
    Life {
        name: "integers that a double does not hold",
        limite: 0,
        steps: &[
            ("c", 1 << 53, Some(9_007_199_254_740_992)),
            ("c", 1, Some(9_007_199_254_740_993)),
            ("d", (1 << 53) + 1, Some(0)),
        ],
    },
    Life {
        name: "the largest integer, and an overflow",
        limite: 0,
        steps: &[
            ("c", MAX, Some(MAX)),
            ("c", 1, None),
            ("c", MAX, None),
            ("d", 1, Some(MAX - 1)),
            ("c", 2, None),
            ("c", 1, Some(MAX)),
            ("d", MAX, Some(0)),
        ],
    },
    Life {
        name: "the largest limite",
        limite: MAX,
        steps: &[
            ("d", MAX, Some(-MAX)),
            ("d", 1, None),
            ("d", MAX, None),
            ("c", MAX, Some(0)),
            ("c", MAX, Some(MAX)),
            ("d", MAX, Some(0)),
        ],
    },
];

/// Each life one request at a time, and again with all its requests in one write: the second way
/// takes the batch procedure.
pub fn check(place: &Place) {
    for life in LIVES {
        in_turn(place, life);
        // NGINX takes pipelined requests one at a time.
        if !place.behind_nginx {
            at_once(place, life);
        }
    }
    a_new_cliente_is_served_at_once(place);
}

fn in_turn(place: &Place, life: &Life) {
    let id = place.bank.cliente(life.limite);
    let mut client = place.connect();
    for &(tipo, valor, saldo) in life.steps {
        let name = format!("{}: {tipo} {valor}", life.name);
        let Some(answer) = place.ask(&mut client, &name, &transacao(id, tipo, valor, "x")) else {
            continue;
        };
        judge(place, life, &name, (answer.status, answer.text()), saldo);
    }
    rows_agree(place, life, id);
}

fn at_once(place: &Place, life: &Life) {
    let id = place.bank.cliente(life.limite);
    let all: Vec<u8> = life
        .steps
        .iter()
        .flat_map(|&(tipo, valor, _)| transacao(id, tipo, valor, "x"))
        .collect();
    let mut client = place.connect();
    place.report.ok(life.name, client.send(all));
    for &(tipo, valor, saldo) in life.steps {
        let name = format!("{}, at once: {tipo} {valor}", life.name);
        let Some(answer) = place.report.ok(&place.named(&name), client.receive()) else {
            return;
        };
        judge(place, life, &name, (answer.status, answer.text()), saldo);
    }
    rows_agree(place, life, id);
}

fn judge(place: &Place, life: &Life, name: &str, got: (u16, String), saldo: Option<i64>) {
    let name = place.named(name);
    match saldo {
        Some(saldo) => {
            let body = format!(r#"{{"limite":{},"saldo":{saldo}}}"#, life.limite);
            place.report.equal(&name, got, (200, body));
        }
        None => {
            place.report.equal(&name, got.0, 422);
        }
    }
}

/// What was refused left no trace.
fn rows_agree(place: &Place, life: &Life, id: i64) {
    let applied: Vec<i64> = life
        .steps
        .iter()
        .filter_map(|&(_, _, saldo)| saldo)
        .collect();
    let last = applied.last().copied().unwrap_or_default();
    let rows = format!("{last} {}", applied.len());
    place
        .report
        .equal(&place.named(life.name), place.bank.row(id), rows);
}

fn a_new_cliente_is_served_at_once(place: &Place) {
    let mut client = place.connect();
    let absent = 900_000_000_000_000_000_i64 + place.bank.cliente(0);
    let target = format!("/clientes/{absent}/extrato");
    place.expect(&mut client, "before its INSERT", &get(&target), 404);
    let sql = format!("INSERT INTO clientes (id, limite) VALUES ({absent}, 7)");
    place
        .report
        .ok("INSERT of a cliente", place.bank.psql(&sql));
    place.expect(&mut client, "after its INSERT", &get(&target), 200);
    place.expect(
        &mut client,
        "a debit of the new one",
        &transacao(absent, "d", 7, "x"),
        200,
    );
}
