//! The bench's load generator against the whole bank: all is answered, and the sums agree.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::Bank;
use xtask::bench::open::{self, Kind, Plan};
use xtask::stack::{Driver, Sockets};

#[test]
fn what_it_was_answered_is_what_the_database_has() {
    let mut bank = Bank::start(Driver::Auto, Sockets::Unix);
    let address = bank.stack().address();
    let mut applied = 0;
    let mut saldos: BTreeMap<u32, i64> = BTreeMap::new();
    for keepalive in [false, true] {
        let plan = Plan {
            ramp: Duration::from_secs(2),
            hold: Duration::from_secs(1),
            keepalive,
            ..Plan::default()
        };
        let outcome = open::drive(address, &plan).expect("the plan can be driven");
        let case = format!("{outcome:#?}\n{}", bank.logs());
        assert_eq!(outcome.unanswered(), 0, "{case}");
        assert!(outcome.inconsistencies.is_empty(), "{case}");
        for (kind, expected, statuses) in [
            (Kind::Debitos, 221 + 220, &[200, 422][..]),
            (Kind::Creditos, 111 + 110, &[200]),
            (Kind::Extratos, 11 + 10, &[200]),
        ] {
            let of = &outcome.kinds[&kind];
            assert_eq!(of.statuses.values().sum::<u64>(), expected, "{case}");
            assert!(
                of.statuses.keys().all(|status| statuses.contains(status)),
                "{case}"
            );
        }
        applied += outcome.applied();
        for (id, change) in outcome.changes {
            *saldos.entry(id).or_default() += change;
        }
        let sql = "SELECT id, saldo FROM clientes ORDER BY id";
        let expected: Vec<String> = saldos
            .iter()
            .map(|(id, sum)| format!("{id}|{sum}"))
            .collect();
        assert_eq!(
            bank.psql(sql).as_deref(),
            Ok(&*expected.join("\n")),
            "{case}"
        );
        let rows = bank.psql("SELECT count(*) FROM transacoes");
        assert_eq!(rows, Ok(applied.to_string()), "{case}");
    }
}
