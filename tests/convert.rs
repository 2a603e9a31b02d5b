//! prod/postgres/lotes.sql on a real server: a bank that keeps a row per transacao becomes one that
//! keeps a row per flight, and says the same to everybody. Until then sql/ leaves it alone.

#[path = "sql_bank/old.rs"]
mod old;
mod sql_bank;

use std::fs;

use sql_bank::{EXTRATOS, INVARIANTS, prod, prod_sql, run, wrong};
use xtask::stack::{Postgres, ROLE, sql_files};

/// Clientes with none, one, nine, ten, eleven, a hundred and more than a thousand transacoes. Some
/// of one cliente are of one moment, some of several clientes; all of 9 were brought in at once.
const FILL: &str = "
    INSERT INTO banco.clientes (id, limite) VALUES (6, 5), (7, 0), (8, 9), (9, 1000000);
    INSERT INTO banco.transacoes
    SELECT c, n, 1 + (n * 37 + c * 11) % 90,
           '2026-01-31 23:59:58.123456Z'::timestamptz + CASE c WHEN 9 THEN '0' ELSE
               make_interval(secs => (n + c) / 3) END,
           CASE WHEN (n + c) % 3 = 0 AND c NOT IN (7, 8) THEN 'd' ELSE 'c' END,
           CASE n % 2 WHEN 0 THEN 'n' || n ELSE 'éééééééééé' END
    FROM (VALUES (1, 100), (2, 1), (3, 9), (4, 10), (5, 11), (7, 12), (8, 1), (9, 1500))
         AS f (c, count), generate_series(1, count) AS n;
    UPDATE banco.clientes AS c SET n = t.n, saldo = t.saldo
    FROM (SELECT cliente_id, count(*) AS n,
                 sum(CASE tipo WHEN 'd' THEN -valor ELSE valor END) AS saldo
          FROM banco.transacoes GROUP BY 1) AS t
    WHERE t.cliente_id = c.id;";

/// What clientes have and see, as both shapes have it.
const BOOKS: &str = "
    SELECT id, limite, saldo, n FROM banco.clientes ORDER BY id;
    SELECT cliente_id, n, valor, realizada_em, tipo, descricao FROM banco.transacoes ORDER BY 1, 2;
    SELECT c.id, t.valor, t.tipo, t.descricao, t.realizada_em
    FROM banco.clientes AS c LEFT JOIN LATERAL (
        SELECT * FROM banco.transacoes WHERE cliente_id = c.id ORDER BY n DESC LIMIT 10
    ) AS t ON true ORDER BY c.id, t.n DESC;";

/// What is in the schema.
const SHAPE: &str = "
    SELECT relname, relkind, array(SELECT unnest(reloptions) ORDER BY 1) FROM pg_class
    WHERE relnamespace = 'banco'::regnamespace ORDER BY 1;
    SELECT typname, typtype, typnotnull FROM pg_type
    WHERE typnamespace = 'banco'::regnamespace ORDER BY 1;
    SELECT proname, md5(prosrc) FROM pg_proc
    WHERE pronamespace = 'banco'::regnamespace ORDER BY 1;";

/// The sentence for whoever runs sql/ on such a bank.
const SENTENCE: &str = "prod/postgres/lotes.sql converts it";

/// An old bank; its tables belong to `role`.
fn old(role: &str, fill: &str) -> Postgres {
    made_by(&old::old(), role, fill)
}

fn made_by(tables: &str, role: &str, fill: &str) -> Postgres {
    let bank = Postgres::private(&[], &[]).expect("PostgreSQL starts");
    let made = bank.psql(&format!("SET ROLE {role}; {tables} {fill}"));
    made.expect("an old bank is made");
    bank
}

/// Runs the conversion as `role`, as a file; what it prints.
fn convert(bank: &Postgres, role: &str) -> String {
    let file = prod("lotes.sql");
    run(bank, &format!("SET ROLE {role};\n\\i '{}'", file.display()))
}

/// All that must hold of the bank's own count of things.
fn check_books(bank: &Postgres) {
    for found in [INVARIANTS, EXTRATOS] {
        assert_eq!(run(bank, found), "");
    }
    assert_eq!(wrong(bank), "");
}

#[test]
fn everybody_sees_what_was_there_before() {
    for tables in [old::old(), old::older(), old::between()] {
        check_what_was_there(&made_by(&tables, ROLE, FILL));
    }
}

fn check_what_was_there(bank: &Postgres) {
    let before = run(bank, BOOKS);
    assert!(before.lines().count() > 1700, "{before}");
    assert_eq!(convert(bank, ROLE), "");
    assert_eq!(run(bank, BOOKS), before);
    check_books(bank);
    // The old rows stay for whoever wants to compare, and all is the same role's.
    let kept = "
        SELECT count(*) FROM banco.transacoes_antigas;
        SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'banco'::regnamespace;
        SELECT array_length(lotes, 1) FROM banco.clientes ORDER BY id;
        SELECT max(cardinality(ns)) <= 1024 FROM banco.lotes;
        SELECT count(*) < (SELECT count(*) FROM banco.transacoes_antigas) FROM banco.lotes";
    let rows = "10\n1\n9\n10\n10\n\n10\n1\n10";
    assert_eq!(run(bank, kept), format!("1644\n{ROLE}\n{rows}\nt\nt"));

    // It has the shape of a fresh bank, but for the old table.
    let fresh = sql_bank::bank();
    let shape = |bank: &Postgres| {
        let shape = run(bank, SHAPE);
        let own = |line: &&str| !line.contains("transacoes_antigas") && !line.contains("_pkey");
        shape.lines().filter(own).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(shape(bank), shape(&fresh));
    let columns = "SELECT table_name, column_name, domain_name, udt_name, is_nullable
        FROM information_schema.columns
        WHERE table_schema = 'banco' AND table_name <> 'transacoes_antigas' ORDER BY 1, 2;
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = 'banco.clientes'::regclass ORDER BY 1";
    assert_eq!(run(bank, columns), run(&fresh, columns));
    check_it_goes_on(bank);
}

/// Its procedures, sql/ once more, and retention.
fn check_it_goes_on(bank: &Postgres) {
    bank.apply_sql().expect("sql/ runs on it from now on");
    check_books(bank);
    let calls = "
        SELECT resultado FROM InsertTransacao(1, 3, 'c', 'new');
        SELECT resultado FROM InsertTransacao(6, 5, 'd', 'first');
        SELECT resultado FROM InsertTransacao(7, 1000000, 'd', 'x');
        SELECT resultado FROM transacoes_lote('{9,2,9,6,8}', '{1,2,3,-1,4}', '{a,b,c,d,e}');
        SELECT n FROM clientes ORDER BY id";
    let counts = "101\n2\n9\n10\n11\n1\n12\n2\n1502";
    assert_eq!(
        run(bank, calls),
        format!("0\n0\n2\n{{0,0,0,2,0}}\n{counts}")
    );
    check_books(bank);
    let before = run(
        bank,
        "SELECT id, GetSaldoClienteById(id) #- '{saldo,data_extrato}' FROM clientes",
    );
    let retention = prod_sql("retention.sql");
    let gone = run(bank, &format!("\\set days 0\n{retention}"));
    assert!(gone.parse::<u64>().is_ok_and(|gone| gone > 10), "{gone}");
    let after = run(
        bank,
        "SELECT id, GetSaldoClienteById(id) #- '{saldo,data_extrato}' FROM clientes",
    );
    assert_eq!((after, wrong(bank)), (before, String::new()));
    assert_eq!(run(bank, EXTRATOS), "");
}

/// The superuser's tables, and some that retention has deleted.
#[test]
fn what_was_deleted_before_still_counts() {
    let retained = "
        CREATE TABLE banco.transacoes_apagadas (
            cliente_id bigint PRIMARY KEY, n bigint NOT NULL, saldo numeric NOT NULL);
        WITH gone AS (
            DELETE FROM banco.transacoes WHERE cliente_id IN (1, 5) AND n <= CASE cliente_id
                WHEN 1 THEN 55 ELSE 1 END
            RETURNING cliente_id, n, CASE tipo WHEN 'd' THEN -valor ELSE valor END AS valor)
        INSERT INTO banco.transacoes_apagadas
        SELECT cliente_id, max(n), sum(valor) FROM gone GROUP BY 1;";
    let bank = old("postgres", &format!("{FILL} {retained}"));
    let before = run(&bank, BOOKS);
    assert_eq!(convert(&bank, "postgres"), "");
    assert_eq!(run(&bank, BOOKS), before);
    assert_eq!((wrong(&bank), run(&bank, EXTRATOS)), ("".into(), "".into()));
    assert_eq!(run(&bank, "UPDATE clientes SET saldo = 0 WHERE id = 1"), "");
    assert!(wrong(&bank).starts_with("1|"), "the check knows what went");
    // The replicas' role, by its grants.
    let grants = prod_sql("grants.sql");
    let calls = format!(
        "{grants}\nSET ROLE {ROLE}; SELECT resultado FROM InsertTransacao(1, 3, 'c', 'new');
         SELECT resultado FROM transacoes_lote('{{5,1}}', '{{1,2}}', '{{a,b}}');
         SELECT count(*) FROM extrato(5)"
    );
    assert_eq!(run(&bank, &calls), "0\n{0,0}\n10");
    assert_eq!(run(&bank, EXTRATOS), "");
}

#[test]
fn an_empty_bank_is_converted() {
    // What somebody has chosen stays.
    let bank = old(ROLE, "ALTER TABLE banco.clientes SET (fillfactor = 90)");
    assert_eq!(convert(&bank, ROLE), "");
    let chosen =
        "SELECT 'fillfactor=90' = ANY (reloptions) FROM pg_class WHERE relname = 'clientes'";
    assert_eq!(run(&bank, chosen), "t");
    check_books(&bank);
    bank.apply_sql().expect("sql/ runs on it from now on");
    let first = "SELECT resultado FROM InsertTransacao(1, 3, 'c', 'new'); SELECT id, ns FROM lotes";
    assert_eq!(run(&bank, first), "0\n1|{1}");
    check_books(&bank);
}

/// A second time, and on a bank that was never old, it says so and leaves all as it was.
#[test]
fn once_is_enough() {
    let converted = old(ROLE, FILL);
    assert_eq!(convert(&converted, ROLE), "");
    for bank in [converted, sql_bank::bank()] {
        let before = (run(&bank, SHAPE), run(&bank, BOOKS));
        let said = convert(&bank, ROLE);
        assert!(said.contains("there is nothing to convert"), "{said}");
        assert_eq!((run(&bank, SHAPE), run(&bank, BOOKS)), before);
        check_books(&bank);
    }
}

/// sql/ on an old bank says what is to be done, and leaves tables, rows and procedures as they
/// were, also where somebody goes on with the files that follow; so do check.sql and retention.sql.
#[test]
fn sql_leaves_an_old_bank_alone() {
    let bank = old(ROLE, FILL);
    let state = |bank: &Postgres| (run(bank, SHAPE), run(bank, BOOKS));
    let before = state(&bank);
    let said = bank.apply_sql().expect_err("it is an old bank").to_string();
    assert!(said.contains(SENTENCE), "{said}");
    assert_eq!(state(&bank), before);
    for file in sql_files().expect("sql/ is there") {
        let sql = fs::read_to_string(&file).expect("a file of sql/ can be read");
        // As somebody does it who lets neither psql nor the shell end at an error.
        run(
            &bank,
            &format!("SET ROLE {ROLE};\n\\unset ON_ERROR_STOP\n{sql}"),
        );
        assert_eq!(state(&bank), before, "{}", file.display());
    }
    for file in ["check.sql", "retention.sql"] {
        let said = run(&bank, &format!("\\set days 1\n{}", prod_sql(file)));
        assert!(said.contains(SENTENCE), "{file}: {said}");
        assert_eq!(state(&bank), before, "{file}");
    }
    let call = "SELECT resultado FROM InsertTransacao(1, 3, 'c', 'goes on')";
    assert_eq!(run(&bank, call), "0");
}

/// Its rows keep their times, and no lote of a cliente has a lesser number than the one before it:
/// what retention lives on.
#[test]
fn a_clock_that_was_set_back_changes_no_order() {
    const SET_BACK: &str = "
        INSERT INTO banco.transacoes
        SELECT c, n, n, now() - make_interval(days => CASE WHEN n <= 15 THEN 300
                                                          WHEN n <= 25 THEN 400 ELSE 0 END),
               'c', 'x' || n
        FROM generate_series(1, 2) AS c, generate_series(1, 37) AS n;
        UPDATE banco.clientes SET n = 37, saldo = 37 * 38 / 2 WHERE id <= 2;";
    let bank = old(ROLE, SET_BACK);
    let before = run(&bank, BOOKS);
    assert_eq!(convert(&bank, ROLE), "");
    assert_eq!(run(&bank, BOOKS), before);
    let falls = "SELECT count(*) FROM (
        SELECT lote < lag(lote) OVER (PARTITION BY cliente_id ORDER BY n) AS falls
        FROM banco.transacoes) AS t WHERE falls";
    assert_eq!(
        (run(&bank, falls).as_str(), wrong(&bank).as_str()),
        ("0", "")
    );
    let retention = prod_sql("retention.sql");
    assert_eq!(run(&bank, &format!("\\set days 200\n{retention}")), "50");
    assert_eq!(wrong(&bank), "");
}

#[test]
fn nobody_but_the_owner_converts() {
    let bank = old(ROLE, FILL);
    let before = (run(&bank, SHAPE), run(&bank, BOOKS));
    let said = run(&bank, &format!("\\i {}", prod("lotes.sql").display()));
    assert!(said.contains("only the tables' owner"), "{said}");
    assert_eq!((run(&bank, SHAPE), run(&bank, BOOKS)), before);
}
