//! Flights on a real server: many beside each other.

mod sql_bank;

use std::thread;
use std::time::Duration;

use sql_bank::flights::{Random, lote, single};
use sql_bank::{EXTRATOS, INVARIANTS, bank, run};

/// Flights and single calls over the same clientes in any order: none waits for another in a
/// circle, none is lost, and what each was told is what it did.
#[test]
fn sessions_beside_each_other() {
    let bank = bank();
    let scripts: Vec<String> = (0..4)
        .map(|session| {
            let mut random = Random(session);
            let calls = (0..300).map(|at| match (at + session) % 3 {
                0 => lote(&(0..20).map(|_| random.transacao(6)).collect::<Vec<_>>()),
                1 => lote(&random.quase_distintas(12, 6, session % 2)),
                _ => {
                    let (id, valor) = random.transacao(6);
                    single(id, valor, "x")
                }
            });
            calls.collect()
        })
        .collect();
    let applied: usize = thread::scope(|scope| {
        let sessions: Vec<_> = scripts
            .iter()
            .map(|script| scope.spawn(|| bank.psql(script).expect("no call fails")))
            .collect();
        let printed = sessions
            .into_iter()
            .map(|session| session.join().expect("no panic"));
        printed.map(|printed| count_applied(&printed)).sum()
    });
    assert!(applied > 1000, "{applied} applied");
    assert_eq!(
        run(&bank, "SELECT count(*) FROM transacoes"),
        applied.to_string()
    );
    assert_eq!(run(&bank, INVARIANTS), "");
    assert_eq!(run(&bank, EXTRATOS), "");
}

/// A call takes its lote's number before it has its locks. Here it waits for the first one while
/// another session gives the second cliente a later lote: it must then take a number later still.
fn a_lote_that_waited(transacoes: &[(i64, i64)], answer: &str, lotes: &str) {
    let bank = bank();
    let first =
        "SET statement_timeout = '60s'; BEGIN; SELECT FROM clientes WHERE id = 1 FOR NO KEY UPDATE;
        DO $$ BEGIN
            WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) LOOP
                PERFORM pg_sleep(0.01);
            END LOOP;
        END $$;
        SELECT resultado FROM InsertTransacao(2, 5, 'c', 'between'); COMMIT;";
    let waiting = lote(transacoes);
    assert!(waiting.contains("transacoes_distintas"));
    thread::scope(|scope| {
        let first = scope.spawn(|| bank.psql(first).expect("no call fails"));
        let locked = "SELECT count(*) FROM pg_locks WHERE relation = 'clientes'::regclass
            AND mode = 'RowShareLock' AND granted";
        while run(&bank, locked) == "0" && !first.is_finished() {
            thread::sleep(Duration::from_millis(5));
        }
        let answered = bank.psql(&waiting).expect("no call fails");
        assert_eq!(answered.trim(), answer);
        assert_eq!(first.join().expect("no panic").trim(), "0");
    });
    let found = "SELECT id, lotes FROM clientes ORDER BY id; SELECT id, clientes FROM lotes";
    assert_eq!(run(&bank, found), lotes);
    assert_eq!(run(&bank, INVARIANTS), "");
    assert_eq!(run(&bank, EXTRATOS), "");
}

/// Of the third cliente nothing is applied.
#[test]
fn a_lote_that_waited_is_later_than_what_it_waited_for() {
    a_lote_that_waited(
        &[(1, 1), (2, 2), (3, -2_000_000), (4, 4)],
        "{0,0,2,0}|{1,7,0,4}|{100000,80000,1000000,10000000}",
        "1|{3}\n2|{3,2}\n3|{}\n4|{3}\n5|{}\n2|{2}\n3|{1,2,3,4}",
    );
}

/// The one whose lote came between is refused at first, and applied as he comes again.
#[test]
fn so_it_is_where_a_cliente_comes_again() {
    a_lote_that_waited(
        &[(1, 1), (2, -2_000_000), (4, 4), (2, 2), (1, 1)],
        "{0,2,0,0,0}|{1,5,4,7,2}|{100000,80000,10000000,80000,100000}",
        "1|{3,3}\n2|{3,2}\n3|{}\n4|{3}\n5|{}\n2|{2}\n3|{1,2,4,2,1}",
    );
}

/// Several sessions with one cliente, by flights of up to twelve and one by one: every extrato that
/// is read meanwhile is whole, and the numbers are one row without a gap.
#[test]
fn sessions_with_one_cliente() {
    let bank = bank();
    let scripts: Vec<String> = (0..4)
        .map(|session| {
            let mut random = Random(100 + session);
            let calls = (0..150).map(|_| match random.below(3) {
                0 => single(1, 1 - 2 * random.below(2) as i64, "alone"),
                _ => {
                    let len = 1 + random.below(12);
                    let valor = |random: &mut Random| match random.below(10) {
                        0 => -1_000_000,
                        _ => 1 + random.below(9) as i64,
                    };
                    lote(
                        &(0..len)
                            .map(|_| (1, valor(&mut random)))
                            .collect::<Vec<_>>(),
                    )
                }
            });
            calls.collect()
        })
        .collect();
    let (applied, moved) = thread::scope(|scope| {
        let sessions: Vec<_> = scripts
            .iter()
            .map(|script| scope.spawn(|| bank.psql(script).expect("no call fails")))
            .collect();
        let mut moved = 0;
        while sessions.iter().any(|session| !session.is_finished()) {
            let count = "SELECT n FROM clientes WHERE id = 1;";
            let seen = run(&bank, &format!("{count}{}{count}", EXTRATOS.repeat(5)));
            // Two counts, and no extrato that is not whole.
            let counts: Vec<u64> = seen.lines().flat_map(str::parse).collect();
            assert!(counts.len() == 2 && seen.lines().count() == 2, "{seen}");
            moved += u32::from(counts[0] < counts[1]);
        }
        let printed = sessions
            .into_iter()
            .map(|session| session.join().expect("no panic"));
        let applied: usize = printed.map(|printed| count_applied(&printed)).sum();
        (applied, moved)
    });
    assert!(moved > 0, "nobody wrote while the extratos were read");
    assert!(applied > 1000, "{applied} applied");
    let numbers = "SELECT n, (SELECT count(DISTINCT n) FROM transacoes) FROM clientes WHERE id = 1";
    assert_eq!(run(&bank, numbers), format!("{applied}|{applied}"));
    assert_eq!(run(&bank, INVARIANTS), "");
    assert_eq!(run(&bank, EXTRATOS), "");
}

/// How many transacoes the printed outcomes say were applied.
fn count_applied(printed: &str) -> usize {
    let outcomes = printed
        .lines()
        .map(|line| line.split('|').next().unwrap_or_default());
    let codes = |list: &str| {
        list.trim_matches(['{', '}'])
            .split(',')
            .filter(|c| *c == "0")
            .count()
    };
    outcomes.map(codes).sum()
}
