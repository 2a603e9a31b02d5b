//! What sql/ promises in writing: a transacao once written is never updated or deleted, nothing
//! is dropped or reset, and every name is qualified.

use std::fs;
use std::path::Path;

/// The files of sql/ in order, each as its name and its statements' words in lower case.
fn files() -> Vec<(String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("sql/ is there")
        .map(|entry| entry.expect("sql/ can be listed").path())
        .collect();
    names.sort();
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).expect("a file of sql/ can be read");
        (path.display().to_string(), words(&text))
    };
    names.iter().map(read).collect()
}

/// The words of SQL without its comments, with a space between any two.
fn words(sql: &str) -> Vec<String> {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let bare: String = lines.collect::<Vec<_>>().join(" ");
    assert!(!bare.contains("/*"), "this test reads only -- comments");
    let spaced = bare.replace(['(', ')', ',', ';', '"'], " ");
    spaced.split_whitespace().map(str::to_lowercase).collect()
}

/// What in these words changes a transacao that was written, or hides what it changes.
fn offences(words: &[String]) -> Vec<String> {
    let all = [
        "drop", "truncate", "merge", "unlogged", "rename", "disable", "setval", "restart",
        "trigger", "rule", "instead",
    ];
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let after = words.get(at + 1..).unwrap_or_default().join(" ");
        let only = |table: &str| {
            ["", "only "]
                .iter()
                .any(|o| after.starts_with(&format!("{o}{table}")))
        };
        let bad = match word.as_str() {
            "delete" => true,
            // Rows of clientes only; `FOR NO KEY UPDATE` locks and writes nothing.
            "update" => {
                let lock = at > 0 && matches!(words[at - 1].as_str(), "key" | "for");
                !lock && !only("banco.clientes ")
            }
            "execute" => !after.starts_with("format 'alter database"),
            "do" => ![
                "nothing",
                "$$ begin execute format",
                "$$ begin create domain",
                // Says that a database has another encoding than UTF8, and stops there.
                "$$ begin if current_setting 'server_encoding' <> 'utf8' then raise exception '",
                // Says that a bank is an old one, and stops there.
                "$$ begin if select relkind from pg_class where oid = to_regclass \
                 'banco.transacoes' = 'r' then raise exception '",
            ]
            .iter()
            .any(|harmless| after.starts_with(harmless)),
            word => all.contains(&word),
        };
        if bad {
            let words: Vec<&str> = after.split(' ').take(5).collect();
            found.push(format!("{word} {}", words.join(" ")));
        }
    }
    found
}

#[test]
fn a_written_transacao_is_never_changed() {
    let files = files();
    let names: Vec<&str> = files
        .iter()
        .filter_map(|(name, _)| name.rsplit('/').next())
        .collect();
    assert_eq!(
        names,
        ["001_schema.sql", "002_procedures.sql", "003_clientes.sql"]
    );
    for (name, words) in &files {
        assert_eq!(offences(words), Vec::<String>::new(), "{name}");
    }
    // It did read the procedures.
    let all: Vec<String> = files.into_iter().flat_map(|(_, words)| words).collect();
    let count = |wanted: &str| all.join(" ").matches(wanted).count();
    assert_eq!(count("insert into banco.lotes "), 3);
    assert_eq!(count("insert into "), 4, "and the five clientes");
    assert_eq!(count("update banco.clientes "), 5);
    assert_eq!(count("create or replace function "), 8);
    // Whoever reads by hand sees rows; a view is replaced, never in somebody's way.
    assert_eq!(count("create or replace view banco.transacoes as "), 1);
    assert_eq!(count(" view "), 1);
    assert_eq!(
        count("create "),
        count("create table if not exists banco.")
            + count("create sequence if not exists banco.")
            + count("create schema if not exists banco ")
            + count("create domain banco.")
            + count("create or replace "),
    );
}

#[test]
fn the_reader_of_sql_finds_what_it_looks_for() {
    for (sql, bad) in [
        ("UPDATE banco.lotes SET valores = '{1}'", true),
        ("update\n  only banco.lotes set valores = '{1}'", true),
        ("UPDATE lotes AS l SET valores = '{1}'", true),
        ("UPDATE \"banco\".\"lotes\" SET valores = '{1}'", true),
        ("UPDATE banco.lotes SET ns[1] = 1", true),
        ("UPDATE banco.transacoes SET valor = 1", true),
        ("DELETE FROM banco.lotes WHERE id < 10", true),
        ("DELETE FROM banco.transacoes WHERE n < 10", true),
        ("DELETE FROM banco.clientes", true),
        (
            "DO $$ BEGIN IF current_setting('server_encoding') <> 'UTF8' THEN \
             RAISE EXCEPTION 'no'; END IF; END $$",
            false,
        ),
        (
            "DO $$ BEGIN IF current_setting('server_encoding') <> 'UTF8' THEN \
             PERFORM 1; END IF; END $$",
            true,
        ),
        (
            "WITH x AS (DELETE FROM banco.lotes RETURNING *) SELECT 1",
            true,
        ),
        (
            "INSERT INTO banco.lotes VALUES (1) ON CONFLICT (id) DO UPDATE SET ns = '{2}'",
            true,
        ),
        ("TRUNCATE banco.lotes", true),
        ("DROP TABLE banco.lotes", true),
        ("DROP VIEW banco.transacoes", true),
        ("ALTER TABLE banco.transacoes RENAME TO antigas", true),
        ("SELECT setval('banco.lotes_id', 1)", true),
        ("ALTER SEQUENCE banco.lotes_id RESTART", true),
        ("CREATE RULE r AS ON INSERT TO banco.lotes DO NOTHING", true),
        (
            "MERGE INTO banco.lotes USING x ON true WHEN MATCHED THEN DELETE",
            true,
        ),
        ("EXECUTE 'UP' || 'DATE banco.lotes SET id = 1'", true),
        ("DO $$ BEGIN PERFORM 1; END $$", true),
        (
            "DO $$ BEGIN IF (SELECT relkind FROM pg_class
             WHERE oid = to_regclass('banco.transacoes')) = 'r' THEN PERFORM 1; END IF; END $$",
            true,
        ),
        (
            "DO $$ BEGIN IF (SELECT relkind FROM pg_class
             WHERE oid = to_regclass('banco.transacoes')) = 'r' THEN
             RAISE EXCEPTION 'no'; END IF; UPDATE banco.lotes SET id = 1; END $$",
            true,
        ),
        (
            "DO $$ BEGIN IF (SELECT relkind FROM pg_class
             WHERE oid = to_regclass('banco.transacoes')) = 'r' THEN
             RAISE EXCEPTION 'no'; END IF; END $$",
            false,
        ),
        ("CREATE UNLOGGED TABLE t (n bigint)", true),
        ("SELECT n FROM t -- DELETE\n", false),
        ("SELECT n FROM banco.clientes FOR NO KEY UPDATE", false),
        ("SELECT n FROM banco.clientes FOR UPDATE; SELECT 1", false),
        ("UPDATE banco.clientes AS c SET saldo = 1", false),
        ("UPDATE ONLY banco.clientes SET saldo = 1", false),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", false),
    ] {
        assert_eq!(!offences(&words(sql)).is_empty(), bad, "{sql}");
    }
}

/// The words that name something of the bank's without its schema.
fn unqualified(words: &[String]) -> Vec<String> {
    let of_the_bank = ["clientes", "transacoes", "lotes", "lotes_id"];
    let named = [
        "from", "join", "into", "update", "only", "table", "exists", "function", "view",
        "sequence", "domain", "index", "by",
    ];
    let by_text = ["nextval", "currval", "to_regclass"];
    let mut found = Vec::new();
    for pair in words.windows(2) {
        let [before, word] = pair else { continue };
        let bare = word.strip_prefix('\'').unwrap_or(word);
        let is_bare = of_the_bank.iter().any(|table| bare.starts_with(table));
        let table = named.contains(&before.as_str()) && is_bare;
        let text = by_text.contains(&before.as_str()) && !bare.starts_with("banco.");
        if table || text {
            found.push(format!("{before} {word}"));
        }
    }
    found
}

#[test]
fn names_are_qualified() {
    for (name, words) in files() {
        assert_eq!(unqualified(&words), Vec::<String>::new(), "{name}");
    }
    for (sql, bad) in [
        ("INSERT INTO lotes (id) VALUES (1)", true),
        ("CREATE SEQUENCE IF NOT EXISTS lotes_id", true),
        ("SELECT nextval('lotes_id')", true),
        ("CREATE OR REPLACE VIEW transacoes AS SELECT 1", true),
        ("SELECT 1 FROM clientes AS c", true),
        ("UPDATE banco.clientes AS c SET lotes = '{}'", false),
        ("SELECT nextval('banco.lotes_id') FROM banco.lotes", false),
    ] {
        assert_eq!(!unqualified(&words(sql)).is_empty(), bad, "{sql}");
    }
}
