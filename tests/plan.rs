//! How PostgreSQL reads the bank for a replica: by the keys, however small the tables were when the
//! session made its plans. The plans are what the server itself logs of the replica's session.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;
mod sql_bank;

use std::fs;

use replica::Replica;
use sql_bank::{INVARIANTS, run};
use xtask::stack::{Postgres, ROLE};

/// A handful of lotes, which the statistics know.
const SMALL: &str = "
    SELECT FROM banco.InsertTransacao(1, 1, 'c', 'small');
    SELECT FROM banco.InsertTransacao(2, 1, 'c', 'small');
    ANALYZE banco.lotes, banco.clientes;";
/// Many more, which they do not.
const MANY: &str = "
    SELECT count(*) FROM (SELECT banco.InsertTransacao(1 + i % 5, 1, 'c', 'many')
                          FROM generate_series(1, 5000) AS i) AS calls;";

/// A part of each statement of a replica, and by what it finds its rows.
const BY_KEY: &[(&str, &str)] = &[
    ("FROM banco.extrato($1)", "lotes_pkey"),
    ("FROM banco.extrato($1)", "clientes_pkey"),
    ("FOR NO KEY UPDATE", "clientes_pkey"),
    (
        "UPDATE banco.clientes AS c SET saldo = u.s",
        "clientes_pkey",
    ),
    (
        "WHEN NOT banco.cabe(c.saldo, c.limite, valores[width_bucket(c.id, primeiros)])",
        "Index Scan using clientes_pkey",
    ),
    (
        "UPDATE banco.clientes AS c SET saldo = c.saldo + valores[outra]",
        "Index Scan using clientes_pkey",
    ),
    (
        "UPDATE banco.clientes AS c SET saldo = c.saldo + delta",
        "clientes_pkey",
    ),
];

/// A bank whose statistics are only those that a test asks for.
fn bank() -> Postgres {
    let bank = Postgres::private(&[("autovacuum", "off")], &[]).unwrap();
    bank.apply_sql().unwrap();
    bank
}

/// The plan of a prepared extrato, made while lotes was small, once there are many.
fn plan_of_before(settings: &str) -> String {
    run(
        &bank(),
        &format!(
            "SET plan_cache_mode = force_generic_plan; {settings}; {SMALL}
             PREPARE e (bigint) AS SELECT * FROM banco.extrato($1); EXECUTE e (1);
             {MANY} EXPLAIN (COSTS OFF) EXECUTE e (1)"
        ),
    )
}

/// Why the replicas' sessions have the setting: the plan outlives the small table.
#[test]
fn a_plan_outlives_the_small_table_that_it_was_made_for() {
    let plan = plan_of_before("SET enable_seqscan = on");
    assert!(plan.contains("Seq Scan on lotes"), "{plan}");
    let plan = plan_of_before("SET enable_seqscan = off");
    assert!(!plan.contains("Seq Scan"), "{plan}");
    assert!(plan.contains("lotes_pkey"), "{plan}");
}

#[test]
fn a_replica_reads_by_the_keys() {
    let bank = bank();
    run(&bank, SMALL);
    run(
        &bank,
        "INSERT INTO banco.clientes (id, limite) SELECT id, 0 FROM generate_series(6, 17) AS id",
    );
    // The replica's session logs each plan that it runs, the procedures' own among them.
    run(
        &bank,
        &format!(
            "ALTER ROLE {ROLE} SET session_preload_libraries = 'auto_explain';
             ALTER ROLE {ROLE} SET auto_explain.log_min_duration = 0;
             ALTER ROLE {ROLE} SET auto_explain.log_nested_statements = on;"
        ),
    );
    let url = bank.role_url();
    let listen = replica::free_address().to_string();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("LISTEN", listen.as_str()),
        ("WORKERS", "1"),
        // So that what is sent together is one flight, however it is read.
        ("PAUSE_US", "100000"),
    ];
    let mut replica = Replica::start(&settings);
    replica.wait_for("/health", 200);
    let mut client = common::Client::connect(replica.peer()).unwrap();
    // One transacao alone, several in one flight, several of different clientes, of whom one comes
    // again, and an extrato; before and after.
    let mut ask = |number: i64| {
        let credit = common::transacao(1, "c", number, "planned");
        assert_eq!(client.exchange(&credit).unwrap().status, 200);
        // Twice: the first flight after a crowd does not wait for it.
        for _ in 0..2 {
            client.send(credit.repeat(40)).unwrap();
            for _ in 0..40 {
                assert_eq!(client.receive().unwrap().status, 200);
            }
        }
        let each = (2..=17).chain([2]);
        let each = each.map(|cliente| common::transacao(cliente, "c", number, "planned"));
        client.send(each.collect::<Vec<_>>().concat()).unwrap();
        for _ in 0..17 {
            assert_eq!(client.receive().unwrap().status, 200);
        }
        let extrato = client.exchange(common::extrato(1)).unwrap().json();
        assert_eq!(extrato["ultimas_transacoes"][9]["valor"], number);
    };
    ask(1);
    run(&bank, MANY);
    let before = fs::read_to_string(bank.log()).unwrap().len();
    ask(2);
    let log = fs::read_to_string(bank.log()).unwrap();
    check_plans(&log[before..]);
    assert_eq!(run(&bank, INVARIANTS), "");
}

/// Each statement is in the log, and finds its rows by a key; no other reads a whole table.
fn check_plans(log: &str) {
    let plans: Vec<&str> = log.split("LOG:").collect();
    for (statement, key) in BY_KEY {
        let mut plans = plans.iter().filter(|plan| plan.contains(statement));
        let plan = plans
            .next()
            .unwrap_or_else(|| panic!("{statement}:\n{log}"));
        assert!(plan.contains(key), "{statement}: {plan}");
        // By its key: a scan of the whole index has no condition.
        let scans = plan.matches("Scan using ").count() + plan.matches("Bitmap Index Scan").count();
        let conditions = plan.matches("Index Cond: (id = ").count();
        assert_eq!(conditions, scans, "{statement}: {plan}");
    }
    for plan in plans {
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
}
