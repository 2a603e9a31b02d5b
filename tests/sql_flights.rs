//! Flights on a real server: what one does, and many beside each other.

mod sql_bank;

use std::thread;

use sql_bank::{INVARIANTS, bank, run};

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
