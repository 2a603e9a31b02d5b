//! Flights on a real server: what one does.

mod sql_bank;

use sql_bank::flights::{Random, lote, single};
use sql_bank::{EXTRATOS, INVARIANTS, bank, run};

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
                1 | 6 => return random.distintas(100, 30),
                2 | 7 => return random.distintas(8, 6),
                3 => return random.quase_distintas(100, 30, 5),
                8 => return random.quase_distintas(8, 6, 2),
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
    (
        "UPDATE lotes SET id = 3 WHERE id = 1; UPDATE clientes SET lotes = '{2,3,3}' WHERE id = 1",
        "time|1|3",
    ),
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
