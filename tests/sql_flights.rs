//! Flights on a real server: what one does, and many beside each other.

mod sql_bank;

use std::thread;

use sql_bank::{EXTRATOS, INVARIANTS, bank, run};

/// Numbers that look random, the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// One of the first clientes, whose sixth is absent, and a signed valor: small, near the
    /// limits, vast.
    fn transacao(&mut self, clientes: u64) -> (i64, i64) {
        let bound = match self.below(4) {
            0 => 100,
            1 => 50_000,
            2 => 600_000,
            _ => 1 << 63,
        };
        let valor = i64::try_from(1 + self.below(bound - 1)).expect("below 2^63");
        let sign = if self.below(3) == 0 { 1 } else { -1 };
        (1 + self.below(clientes) as i64, sign * valor)
    }
}

fn lote(transacoes: &[(i64, i64)]) -> String {
    let list = |values: Vec<String>| format!("'{{{}}}'", values.join(","));
    let ids = list(transacoes.iter().map(|(id, _)| id.to_string()).collect());
    let valores = list(
        transacoes
            .iter()
            .map(|(_, valor)| valor.to_string())
            .collect(),
    );
    let descricoes = list((0..transacoes.len()).map(|at| format!("d{at}")).collect());
    format!("SELECT * FROM transacoes_lote({ids}, {valores}, {descricoes});\n")
}

fn single(id: i64, valor: i64, descricao: &str) -> String {
    let (tipo, cents) = if valor < 0 {
        ('d', -valor)
    } else {
        ('c', valor)
    };
    let args = format!("{id}, {cents}, '{tipo}', '{descricao}'");
    format!("SELECT resultado, saldo, limite FROM InsertTransacao({args});\n")
}

/// Clientes 1 to 5 get flights, and with 7 to 30 longer ones; their twins, from 1001 on, the same
/// transacoes one by one.
#[test]
fn a_flight_is_the_fold_of_its_transacoes() {
    let bank = bank();
    run(
        &bank,
        "INSERT INTO clientes (id, limite) SELECT id, 100000 FROM generate_series(7, 30) AS id;
         INSERT INTO clientes (id, limite) SELECT id + 1000, limite FROM clientes",
    );
    let mut random = Random(1);
    let flights: Vec<Vec<_>> = (0..120)
        .map(|flight| {
            let (len, clientes) = match flight % 10 {
                0 => (100, 30),
                5 => (100, 6),
                _ => (random.below(8), 6),
            };
            (0..len).map(|_| random.transacao(clientes)).collect()
        })
        .collect();
    let together = run(
        &bank,
        &flights
            .iter()
            .map(|flight| lote(flight))
            .collect::<String>(),
    );
    let twins = flights.iter().flat_map(|flight| flight.iter().enumerate());
    let twins = twins.map(|(at, (id, valor))| single(id + 1000, *valor, &format!("d{at}")));
    let one_by_one = run(&bank, &twins.collect::<String>());

    let mut singles = one_by_one.lines();
    for (flight, found) in flights.iter().zip(together.lines()) {
        let own: Vec<&str> = singles.by_ref().take(flight.len()).collect();
        assert_eq!(found, arrays(&own), "{flight:?}");
    }
    assert_eq!(singles.next(), None);
    assert_eq!(together.lines().count(), flights.len());
    for outcome in ["0|", "1|", "2|", "3|"] {
        let count = one_by_one
            .lines()
            .filter(|line| line.starts_with(outcome))
            .count();
        assert!(count > 20, "{count} outcomes {outcome}");
    }

    let rows = "SELECT cliente_id % 1000, n, valor, tipo, descricao FROM transacoes";
    assert_eq!(
        run(
            &bank,
            &format!("{rows} WHERE cliente_id < 1000 ORDER BY 1, 2")
        ),
        run(
            &bank,
            &format!("{rows} WHERE cliente_id > 1000 ORDER BY 1, 2")
        ),
    );
    assert_eq!(run(&bank, INVARIANTS), "");
    assert_eq!(run(&bank, EXTRATOS), "");
}

/// Rows as psql prints them, turned into arrays of their columns as psql prints those.
fn arrays(rows: &[&str]) -> String {
    let column = |at: usize| {
        let cells = rows.iter().map(|row| row.split('|').nth(at).unwrap_or("?"));
        let cells = cells.map(|cell| if cell.is_empty() { "NULL" } else { cell });
        format!("{{{}}}", cells.collect::<Vec<_>>().join(","))
    };
    [column(0), column(1), column(2)].join("|")
}

/// Flights and single calls over the same clientes in any order: none waits for another in a
/// circle, none is lost, and what each was told is what it did.
#[test]
fn sessions_beside_each_other() {
    let bank = bank();
    let scripts: Vec<String> = (0..4)
        .map(|session| {
            let mut random = Random(session);
            let flight = |random: &mut Random| {
                let transacoes: Vec<_> = (0..20).map(|_| random.transacao(6)).collect();
                lote(&transacoes)
            };
            let calls = (0..200).map(|at| match (at + session) % 2 {
                0 => flight(&mut random),
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

/// A list of every length up to twelve, each in many ways: one by one, in flights, by turns, with
/// transacoes that are refused and those of others between them.
#[test]
fn extratos_of_every_length() {
    let bank = bank();
    run(
        &bank,
        "INSERT INTO clientes (id, limite) SELECT 100 + i, 50 FROM generate_series(0, 299) AS i",
    );
    let mut random = Random(7);
    let mut script = String::new();
    for at in 0_i64..300 {
        let (cliente, mut left) = (100 + at, at.unsigned_abs() % 13);
        while left > 0 {
            // Every third cliente by flights alone, every third one by one, every third by both.
            let by_flight = at / 13 % 3 == 0 || (at / 13 % 3 == 1 && random.below(2) == 0);
            let take = if by_flight { 1 + random.below(left) } else { 1 };
            let mut flight = Vec::new();
            for _ in 0..take {
                flight.push((cliente, 1 + random.below(9) as i64));
                match random.below(6) {
                    0 => flight.push((cliente, -100_000)),
                    1 => flight.push((3, 1)),
                    2 => flight.push((6, 1)),
                    _ => {}
                }
            }
            script += &match (by_flight, flight[0]) {
                (true, _) => lote(&flight),
                (false, (id, valor)) => single(id, valor, "alone"),
            };
            left -= take;
        }
    }
    bank.psql(&script).expect("no call fails");
    assert_eq!(run(&bank, EXTRATOS), "");
    assert_eq!(run(&bank, INVARIANTS), "");
    let lengths = "SELECT count(DISTINCT n), min(n), max(n) FROM clientes WHERE id >= 100;
         SELECT bool_and((SELECT count(valor) FROM extrato(id)) = least(n, 10)) FROM clientes;
         SELECT bool_or(lotes[1] = lotes[10]), bool_or(lotes[1] <> lotes[2]) FROM clientes";
    assert_eq!(run(&bank, lengths), "13|0|12\nt\nt|t");
}

/// As large a flight as the server sends, with as long descricoes as there are: its row is beyond
/// a page, and kept outside of the table.
#[test]
fn a_flight_beyond_a_page() {
    let bank = bank();
    let all = |cliente: &str| {
        format!(
            "SELECT cardinality(resultado), array_position(resultado, 2::smallint) FROM
             transacoes_lote(
                (SELECT array_agg({cliente} ORDER BY i) FROM generate_series(1, 1024) AS i),
                (SELECT array_agg(7 * i + i * i % 5 ORDER BY i) FROM generate_series(1, 1024) AS i),
                (SELECT array_agg((SELECT string_agg(
                                       chr(131072 + abs(hashint8(i * j + j)) % 4000), '')
                                   FROM generate_series(1, 10) AS j) ORDER BY i)
                 FROM generate_series(1, 1024) AS i))"
        )
    };
    run(
        &bank,
        "INSERT INTO clientes (id, limite) SELECT i, 5 FROM generate_series(11, 1034) AS i",
    );
    let before = run(&bank, "SELECT GetSaldoClienteById(1)");
    // One cliente alone; a thousand, in no order; two by turns, with one of nobody.
    assert_eq!(run(&bank, &all("1::bigint")), "1024|");
    assert_eq!(run(&bank, &all("11 + i * 5 % 1024::bigint")), "1024|");
    assert_eq!(
        run(
            &bank,
            &all("CASE i % 3 WHEN 0 THEN 6 ELSE i % 3 END::bigint")
        ),
        "1024|"
    );
    assert_ne!(run(&bank, "SELECT GetSaldoClienteById(1)"), before);
    let written = "
        SELECT count(*), min(cardinality(ns)), min(octet_length(descricoes::text)) FROM lotes;
        SELECT pg_relation_size(reltoastrelid) > 3 * 8192
        FROM pg_class WHERE oid = 'banco.lotes'::regclass;
        SELECT id, n, saldo FROM clientes WHERE id < 7 ORDER BY id;
        SELECT count(*) FROM clientes WHERE id > 10 AND n = 1;
        SELECT count(*), sum(valor), min(char_length(descricao)) FROM transacoes";
    assert_eq!(
        run(&bank, written),
        "3|1024|41985\nt\n1|1366|4903257\n2|341|1222828\n3|0|0\n4|0|0\n5|0|0\n\
         1024\n2731|9801735|10"
    );
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

/// What may be wrong with a bank of two flights, and by which of its lines [`INVARIANTS`] says so.
const HARMS: &[(&str, &str)] = &[
    ("UPDATE clientes SET saldo = 1 WHERE id = 1", "saldo or n|1"),
    ("UPDATE clientes SET n = 4 WHERE id = 1", "saldo or n|1"),
    (
        "UPDATE lotes SET ns = '{1,1,2}' WHERE id = 2",
        "saldo or n|1",
    ),
    ("UPDATE lotes SET ns[3] = NULL WHERE id = 2", "saldo or n|2"),
    (
        "UPDATE lotes SET clientes[1] = 99 WHERE id = 2",
        "saldo or n|1",
    ),
    (
        "UPDATE lotes SET realizada_em = realizada_em + '1 day' WHERE id = 1",
        "time|1",
    ),
    (
        "UPDATE clientes SET lotes = '{}' WHERE id = 1",
        "last ten|1|{}|{2,1,1}",
    ),
    (
        "UPDATE clientes SET lotes = '{2,1,2}' WHERE id = 1",
        "last ten|1|{2,1,2}|{2,1,1}",
    ),
    ("UPDATE lotes SET ns[1] = 2 WHERE id = 2", "twice|1|2"),
    (
        "UPDATE lotes SET valores = valores || 1 WHERE id = 2",
        "lengths|2",
    ),
    (
        "UPDATE lotes SET descricoes = '[0:2]={a,b,c}' WHERE id = 2",
        "lengths|2",
    ),
    (
        "INSERT INTO lotes VALUES (0, now(), '{1}', '{NULL}', '{1}', '{a}')",
        "nothing in it|0",
    ),
    ("UPDATE lotes SET ns = '{2,1}' WHERE id = 1", "order|1|1|1"),
    ("SELECT FROM setval('lotes_id', 1)", "to be given again|2|1"),
];

#[test]
fn the_invariants_find_what_is_wrong() {
    let bank = bank();
    let first = lote(&[(1, 5), (1, 5)]);
    let flights = format!("{first}{}", lote(&[(1, 5), (6, 1), (2, 5)]));
    assert_eq!(run(&bank, &flights).lines().count(), 2);
    assert_eq!(run(&bank, INVARIANTS), "");
    for (harm, line) in HARMS {
        let found = run(&bank, &format!("BEGIN; {harm}; {INVARIANTS} ROLLBACK"));
        let is_said = found.lines().any(|said| said.starts_with(line));
        assert!(is_said, "{harm}: {found:?}");
    }
}
