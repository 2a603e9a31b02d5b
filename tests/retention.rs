//! prod/postgres/retention.sql and check.sql on a real server: what is old goes, extratos and
//! saldos stay what they were, and what is wrong is found.

mod sql_bank;

use std::fs;
use std::path::Path;

use sql_bank::{INVARIANTS, bank, run};
use xtask::stack::Postgres;

/// One transacao more than an extrato shows, on each of so many days.
const FILL: &str = "
    SELECT count(*) FROM generate_series(1, 400) AS i,
        LATERAL InsertTransacao(1 + i % 4, i, CASE i % 3 WHEN 0 THEN 'd' ELSE 'c' END, 'x' || i);
    UPDATE transacoes SET realizada_em = now() - make_interval(days => (100 - n)::integer);";

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("prod/postgres")
        .join(name);
    fs::read_to_string(path).expect("the file is in the checkout")
}

/// Runs it once with these variables; how many rows went.
fn retain(bank: &Postgres, variables: &str) -> String {
    run(bank, &format!("{variables}\n{}", file("retention.sql")))
}

fn wrong(bank: &Postgres) -> String {
    run(bank, &file("check.sql"))
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
    assert_eq!(run(&bank, FILL), "400");
    let before = extratos(&bank);
    // Where nothing was deleted yet, the check is what it is for any bank.
    assert_eq!(
        (wrong(&bank), run(&bank, INVARIANTS)),
        ("".into(), "".into())
    );

    // Nothing is that old; then 1..69 of each cliente are; in two runs.
    assert_eq!(retain(&bank, "\\set days 1000"), "0");
    assert_eq!(retain(&bank, "\\set days 30\n\\set most 50"), "200");
    assert_eq!(
        rows(&bank),
        "1|50|51|100\n2|50|51|100\n3|50|51|100\n4|50|51|100"
    );
    assert_eq!(wrong(&bank), "");
    assert_eq!(retain(&bank, "\\set days 30\n\\set most 50"), "80");
    assert_eq!(retain(&bank, "\\set days 30"), "0");
    assert_eq!(
        rows(&bank),
        "1|30|71|100\n2|30|71|100\n3|30|71|100\n4|30|71|100"
    );
    assert_eq!((extratos(&bank), wrong(&bank)), (before.clone(), "".into()));

    // However short the time, the last ten stay.
    assert_eq!(retain(&bank, "\\set days 0"), "80");
    assert_eq!(
        rows(&bank),
        "1|10|91|100\n2|10|91|100\n3|10|91|100\n4|10|91|100"
    );
    assert_eq!((extratos(&bank), wrong(&bank)), (before, "".into()));

    // And the bank goes on; a cliente with fewer than ten loses none.
    assert_eq!(
        run(
            &bank,
            "SELECT resultado FROM InsertTransacao(1, 7, 'c', 'new');
             SELECT resultado FROM InsertTransacao(5, 7, 'c', 'first');
             SELECT resultado FROM transacoes_lote('{1,1}', '{-3,2}', '{a,b}')"
        ),
        "0\n0\n{0,0}"
    );
    let before = extratos(&bank);
    assert_eq!(retain(&bank, "\\set days 0"), "3");
    assert_eq!(
        rows(&bank),
        "1|10|94|103\n2|10|91|100\n3|10|91|100\n4|10|91|100\n5|1|1|1"
    );
    assert_eq!((extratos(&bank), wrong(&bank)), (before, "".into()));
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
    assert_eq!(run(&bank, "SELECT count(*) FROM transacoes"), "400");
}

#[test]
fn the_check_finds_what_is_wrong() {
    let bank = bank();
    run(&bank, FILL);
    for days in ["1000", "30"] {
        retain(&bank, &format!("\\set days {days}"));
        for harm in [
            "UPDATE clientes SET saldo = saldo + 1 WHERE id = 2",
            "UPDATE clientes SET n = n + 1 WHERE id = 2",
            "DELETE FROM transacoes WHERE cliente_id = 2 AND n = 100",
            "DELETE FROM transacoes WHERE cliente_id = 2 AND n = 71",
            "DELETE FROM transacoes WHERE cliente_id = 2 AND n = 80",
            "UPDATE transacoes SET valor = valor + 1 WHERE cliente_id = 2 AND n = 80",
            "DELETE FROM transacoes WHERE cliente_id = 2",
            "UPDATE transacoes SET n = n + 1000 WHERE cliente_id = 2 AND n = 100",
            "UPDATE clientes SET saldo = 1 WHERE id = 5",
        ] {
            let id = if harm.ends_with("id = 5") { "5|" } else { "2|" };
            let found = run(
                &bank,
                &format!("BEGIN; {harm};\n{}ROLLBACK", file("check.sql")),
            );
            assert!(found.starts_with(id), "{days}: {harm}: {found:?}");
            assert_eq!(found.lines().count(), 1, "{days}: {harm}: {found:?}");
        }
    }
    assert_eq!(wrong(&bank), "");
}
