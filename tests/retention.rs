//! prod/postgres/retention.sql and check.sql on a real server: what is old goes, extratos and
//! saldos stay what they were, and what is wrong is found.

mod sql_bank;

use sql_bank::{EXTRATOS, INVARIANTS, bank, prod_sql, run, wrong};
use xtask::stack::Postgres;

/// Of clientes 1 to 4 a hundred, one of each on each of so many days: by turns in one flight, with
/// two that are refused, and one by one. Before them, 5 has his only one in a flight with one of 1.
const FILL: &str = "
    DO $$
    BEGIN
        PERFORM transacoes_lote('{5,1}', '{7,3}', '{x-100,x-100}');
        FOR f IN 1..100 LOOP
            IF f % 2 = 1 THEN
                PERFORM transacoes_lote('{1,2,3,4,6,3}',
                    ARRAY[4 * f, -4 * f - 1, 4 * f + 2, 4 * f + 3, 1, -1000000000],
                    array_fill('x' || f, ARRAY[6]));
            ELSE
                PERFORM InsertTransacao(c, 4 * f + c, CASE c WHEN 2 THEN 'd' ELSE 'c' END, 'x' || f)
                FROM generate_series(1, 4) AS c;
            END IF;
        END LOOP;
    END
    $$;
    UPDATE lotes SET realizada_em =
        now() - make_interval(days => 100 - substr(descricoes[1], 2)::integer);
    SELECT count(*) FROM lotes";

/// Runs it once with these variables; how many transacoes went.
fn retain(bank: &Postgres, variables: &str) -> String {
    run(bank, &format!("{variables}\n{}", prod_sql("retention.sql")))
}

/// Every cliente's row and extrato, by both ways to read it, but for the time of the reading.
fn extratos(bank: &Postgres) -> String {
    run(
        bank,
        "SELECT * FROM clientes ORDER BY id;
         SELECT c.id, e.saldo, e.limite, e.valor, e.tipo, e.descricao, e.realizada_em
         FROM clientes AS c, extrato(c.id) AS e ORDER BY c.id, e.realizada_em;
         SELECT id, GetSaldoClienteById(id) #- '{saldo,data_extrato}' FROM clientes ORDER BY id",
    )
}

fn rows(bank: &Postgres) -> String {
    run(
        bank,
        "SELECT cliente_id, count(*), min(n), max(n) FROM transacoes GROUP BY 1 ORDER BY 1",
    )
}

#[test]
fn what_is_old_goes_and_every_extrato_stays() {
    let bank = bank();
    assert_eq!(wrong(&bank), "", "a fresh bank");
    assert_eq!(run(&bank, FILL), "251");
    let before = extratos(&bank);
    // Where nothing was deleted yet, the check is what it is for any bank.
    assert_eq!(
        (wrong(&bank), run(&bank, INVARIANTS)),
        ("".into(), "".into())
    );

    // Nothing is that old; then seventy days are, and what is before them; in two runs.
    assert_eq!(retain(&bank, "\\set days 1000"), "0");
    assert_eq!(retain(&bank, "\\set days 30\n\\set most 50"), "80");
    // The only one of 5 stays, what 1 had beside it is gone; between two runs nobody has a gap.
    assert_eq!(
        rows(&bank),
        "1|80|22|101\n2|80|21|100\n3|80|21|100\n4|81|20|100\n5|1|1|1"
    );
    assert_eq!((extratos(&bank), wrong(&bank)), (before.clone(), "".into()));
    assert_eq!(retain(&bank, "\\set days 30\n\\set most 1000"), "201");
    assert_eq!(retain(&bank, "\\set days 30"), "0");
    assert_eq!(
        rows(&bank),
        "1|30|72|101\n2|30|71|100\n3|30|71|100\n4|30|71|100\n5|1|1|1"
    );
    assert_eq!((extratos(&bank), wrong(&bank)), (before.clone(), "".into()));
    assert_eq!(
        run(
            &bank,
            "SELECT * FROM transacoes_apagadas ORDER BY cliente_id"
        ),
        "1|71|9978\n2|70|-10045\n3|70|10115\n4|70|10185"
    );

    // However short the time, the last ten stay.
    assert_eq!(retain(&bank, "\\set days 0"), "80");
    assert_eq!(
        rows(&bank),
        "1|10|92|101\n2|10|91|100\n3|10|91|100\n4|10|91|100\n5|1|1|1"
    );
    assert_eq!((extratos(&bank), wrong(&bank)), (before, "".into()));
    assert_eq!(run(&bank, "SELECT count(*) FROM lotes"), "26");
    check_it_goes_on(&bank);
}

/// After ten days were kept of [`FILL`].
fn check_it_goes_on(bank: &Postgres) {
    assert_eq!(
        run(
            bank,
            "SELECT resultado FROM InsertTransacao(1, 7, 'c', 'new');
             SELECT resultado FROM InsertTransacao(5, 7, 'c', 'second');
             SELECT resultado FROM transacoes_lote('{1,1}', '{-3,2}', '{a,b}')"
        ),
        "0\n0\n{0,0}"
    );
    let before = extratos(bank);
    // Three of 1 are no longer among its last ten; two of them lie with what others still show. The
    // first lote has nothing to give, and does not count.
    assert_eq!(retain(bank, "\\set days 0\n\\set most 1"), "1");
    assert_eq!(
        run(
            bank,
            "SELECT clientes, ns, valores, descricoes FROM lotes WHERE ns[1] = 91 AND ns[2] = 91"
        ),
        "{2,3,4}|{91,91,91}|{-365,366,367}|{x91,x91,x91}"
    );
    assert_eq!(retain(bank, "\\set days 0"), "2");
    assert_eq!(
        rows(bank),
        "1|10|95|104\n2|10|91|100\n3|10|91|100\n4|10|91|100\n5|2|1|2"
    );
    assert_eq!((extratos(bank), wrong(bank)), (before, "".into()));
    assert_eq!(run(bank, EXTRATOS), "");
    // After ten in one flight, what was before them may all go.
    run(
        bank,
        "SELECT transacoes_lote(array_fill(c::bigint, ARRAY[10]), array_fill(c::bigint, ARRAY[10]),
                                array_fill('ten'::text, ARRAY[10]))
         FROM generate_series(1, 5) AS c",
    );
    let before = extratos(bank);
    assert_eq!(retain(bank, "\\set days 0\n\\set most 1"), "1");
    assert_eq!(wrong(bank), "");
    assert_eq!(retain(bank, "\\set days 0"), "41");
    assert_eq!(retain(bank, "\\set days 0"), "0");
    assert_eq!(
        rows(bank),
        "1|10|105|114\n2|10|101|110\n3|10|101|110\n4|10|101|110\n5|10|3|12"
    );
    assert_eq!((extratos(bank), wrong(bank)), (before, "".into()));
    assert_eq!(run(bank, EXTRATOS), "");
    assert_eq!(run(bank, "SELECT count(*) FROM lotes"), "5");
}

/// What a clock that was wrong has written takes nothing too early, and leaves nobody with a gap.
#[test]
fn it_goes_in_the_order_of_the_lotes() {
    let bank = bank();
    run(&bank, FILL);
    let harm = "UPDATE lotes SET realizada_em = now() + '1 year' WHERE ns[2] = 21;
        UPDATE lotes SET realizada_em = '1970-01-01' WHERE ns[2] = 85";
    assert_eq!(run(&bank, harm), "");
    assert_eq!(retain(&bank, "\\set days 0"), "81");
    let kept = "1|80|22|101\n2|80|21|100\n3|80|21|100\n4|80|21|100\n5|1|1|1";
    assert_eq!((rows(&bank), wrong(&bank)), (kept.into(), "".into()));
    run(
        &bank,
        "UPDATE lotes SET realizada_em = now() - '99 days'::interval WHERE ns[2] = 21",
    );
    assert_eq!(retain(&bank, "\\set days 30"), "200");
    let kept = "1|30|72|101\n2|30|71|100\n3|30|71|100\n4|30|71|100\n5|1|1|1";
    assert_eq!((rows(&bank), wrong(&bank)), (kept.into(), "".into()));
}

#[test]
fn without_a_number_of_days_nothing_goes() {
    let bank = bank();
    run(&bank, FILL);
    for days in ["", "\\set days -5", "\\set days abc", "\\set days 1e3"] {
        let said = retain(&bank, days);
        assert!(
            said.contains("say how many days are kept"),
            "{days}: {said}"
        );
    }
    let said = retain(&bank, "\\set days 30\n\\set most 0");
    assert!(said.contains("-v most="), "{said}");
    assert_eq!(run(&bank, "SELECT count(*) FROM lotes"), "251");
    assert_eq!(run(&bank, "SELECT count(*) FROM transacoes"), "402");
}

/// What somebody may do to a bank, and which cliente is found by it. 72, 80 and 100 of cliente 2
/// are lotes of their own, 81 is in a flight with those of others.
#[rustfmt::skip]
const HARMS: &[(&str, &str)] = &[
    ("UPDATE clientes SET saldo = saldo + 1 WHERE id = 2", "2|"),
    ("UPDATE clientes SET n = n + 1 WHERE id = 2", "2|"),
    ("UPDATE clientes SET saldo = 1 WHERE id = 5", "5|"),
    // Which lotes hold the last ten.
    ("UPDATE clientes SET lotes = '{}' WHERE id = 2", "2|"),
    ("UPDATE clientes SET lotes = lotes[1:9] WHERE id = 2", "2|"),
    ("UPDATE clientes SET lotes = lotes[1:9] || lotes[9] WHERE id = 2", "2|"),
    ("UPDATE clientes SET lotes = lotes[2] || (lotes[1] || lotes[3:10]) WHERE id = 2", "2|"),
    ("UPDATE clientes SET lotes = lotes || lotes[10] WHERE id = 5", "5|"),
    ("UPDATE clientes SET lotes[1] = -1 WHERE id = 2", "2|"),
    // Lotes of its own.
    ("DELETE FROM lotes WHERE clientes = '{2}' AND ns = '{100}'", "2|"),
    ("DELETE FROM lotes WHERE clientes = '{2}' AND ns = '{72}'", "2|"),
    ("DELETE FROM lotes WHERE clientes = '{2}' AND ns = '{80}'", "2|"),
    ("DELETE FROM lotes WHERE clientes = '{2}'", "2|"),
    ("UPDATE lotes SET valores = '{1}' WHERE clientes = '{2}' AND ns = '{80}'", "2|"),
    ("UPDATE lotes SET ns = '{1100}' WHERE clientes = '{2}' AND ns = '{100}'", "2|"),
    ("UPDATE lotes SET ns = '{81}' WHERE clientes = '{2}' AND ns = '{80}'", "2|"),
    ("UPDATE lotes SET ns = '{1}' WHERE clientes = '{2}' AND ns = '{80}'", "2|"),
    ("UPDATE lotes SET ns = '{0}' WHERE clientes = '{2}' AND ns = '{80}'", "2|"),
    ("UPDATE lotes SET id = -id WHERE clientes = '{2}' AND ns = '{100}'", "2|"),
    // Its part of a flight.
    ("UPDATE lotes SET valores[2] = 1 WHERE ns[2] = 81", "2|"),
    ("UPDATE lotes SET ns[2] = NULL WHERE ns[2] = 81", "2|"),
    ("UPDATE lotes SET ns[2] = 0 WHERE ns[2] = 81", "2|"),
    ("UPDATE lotes SET clientes[2] = NULL WHERE ns[2] = 81", "2|;|"),
    ("UPDATE lotes SET clientes[2] = 4 WHERE ns[2] = 81", "2|;4|"),
    ("DELETE FROM lotes WHERE ns[2] = 81", "1|;2|;3|;4|"),
    // One that was refused counts, and rows of nobody.
    ("UPDATE lotes SET ns[6] = 1000 WHERE ns[2] = 81", "3|"),
    ("UPDATE lotes SET ns[5] = 1 WHERE ns[2] = 81", "6|"),
    // Arrays that do not go together.
    ("UPDATE lotes SET valores = valores || 1 WHERE ns[2] = 81", "lote|"),
    ("UPDATE lotes SET descricoes = descricoes[1:5] WHERE ns[2] = 81", "lote|"),
    ("UPDATE lotes SET descricoes = '[0:5]={a,b,c,d,e,f}' WHERE ns[2] = 81", "lote|"),
];

#[test]
fn the_check_finds_what_is_wrong() {
    let bank = bank();
    run(&bank, FILL);
    for days in ["1000", "30"] {
        retain(&bank, &format!("\\set days {days}"));
        assert_eq!(wrong(&bank), "");
        for (harm, who) in HARMS {
            let found = run(
                &bank,
                &format!("BEGIN; {harm};\n{}ROLLBACK", prod_sql("check.sql")),
            );
            let lines: Vec<&str> = found.lines().collect();
            let who: Vec<&str> = who.split(';').collect();
            assert_eq!(lines.len(), who.len(), "{days}: {harm}: {found:?}");
            for (line, who) in lines.iter().zip(who) {
                assert!(line.starts_with(who), "{days}: {harm}: {found:?}");
            }
        }
    }
    assert_eq!(wrong(&bank), "");
    // A sequence is no part of a transaction.
    for (behind, next) in [("1", "2"), ("251, false", "251")] {
        run(&bank, &format!("SELECT FROM setval('lotes_id', {behind})"));
        assert_eq!(wrong(&bank), format!("lotes_id|{next}|251"));
    }
    run(&bank, "SELECT FROM setval('lotes_id', 251)");
    assert_eq!(wrong(&bank), "");
}

/// What is old goes under those who write, and no extrato, whenever it is read, lacks a line.
#[test]
fn it_goes_beside_the_bank_at_work() {
    let bank = bank();
    // Each call is a transaction of its own, as the server's are: so no two wait in a circle.
    let work = |session: u64| {
        let flight = |c| {
            format!(
                "SELECT FROM transacoes_lote('{{{c},3,{c}}}', '{{5,1,-2}}', '{{s{session},t,u}}');"
            )
        };
        let single = |c| format!("SELECT FROM InsertTransacao({c}, {c}, 'c', 'single');");
        let turn = (1..=5).map(flight).chain((2..=4).map(single));
        turn.collect::<String>().repeat(60)
    };
    let (gone, moved) = std::thread::scope(|scope| {
        let bank = &bank;
        let writers: Vec<_> = (0..2)
            .map(|session| scope.spawn(move || bank.psql(&work(session)).expect("none fails")))
            .collect();
        let reader = scope.spawn(move || {
            let mut moved = 0;
            while writers.iter().any(|writer| !writer.is_finished()) {
                let count = "SELECT sum(n) FROM clientes;";
                let seen = run(bank, &format!("{count}{}{count}", EXTRATOS.repeat(5)));
                // Two counts, and no extrato that lacks a line.
                let counts: Vec<u64> = seen.lines().flat_map(str::parse).collect();
                assert!(counts.len() == 2 && seen.lines().count() == 2, "{seen}");
                moved += u32::from(counts[0] < counts[1]);
            }
            for writer in writers {
                writer.join().expect("no panic");
            }
            moved
        });
        let one = "\\set days 0\n\\set most 20";
        let mut gone = Vec::new();
        while !reader.is_finished() {
            gone.push(retain(bank, one));
        }
        (gone, reader.join().expect("no panic"))
    });
    assert!(moved > 0, "nobody wrote while the reader read");
    let count: Result<Vec<u64>, _> = gone.iter().map(|count| count.parse::<u64>()).collect();
    assert!(
        count.is_ok_and(|count| count.iter().sum::<u64>() > 0),
        "{gone:?}"
    );
    assert_eq!((wrong(&bank), run(&bank, EXTRATOS)), ("".into(), "".into()));
    let before = extratos(&bank);
    retain(&bank, "\\set days 0");
    assert_eq!(retain(&bank, "\\set days 0"), "0");
    assert_eq!((extratos(&bank), wrong(&bank)), (before, "".into()));
    let kept = "SELECT sum(n) = 2 * 60 * 18 FROM clientes; SELECT count(*) FROM transacoes";
    assert_eq!(run(&bank, kept), "t\n50");
}
