//! docker-compose.reckless.yml against `cargo xtask bench --store reckless`: one and the same.

use std::path::Path;

use xtask::bench::Store;
use xtask::stack::{Postgres, sql_files};

use crate::composition::{CONTEST, composition, file, merged, services, strings};

const RECKLESS: &str = "docker-compose.reckless.yml";
const BANK: &str = "perf/reckless/bank.sql";

/// The lines of the file that begin so, without that and without their semicolon.
fn statements(beginning: &str) -> Vec<String> {
    let text = file(BANK);
    let lines = text.lines().filter_map(|line| line.strip_prefix(beginning));
    lines
        .map(|line| line.trim_end_matches(';').to_owned())
        .collect()
}

#[test]
fn it_gives_up_what_the_bench_gives_up_and_nothing_else() {
    let settings: Vec<String> = Store::Reckless
        .settings()
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    assert_eq!(statements("ALTER SYSTEM SET "), settings);
    let tables: Vec<String> = statements("ALTER TABLE ")
        .iter()
        .map(|rest| format!("ALTER TABLE {rest}"))
        .collect();
    assert_eq!(Some(tables.join("; ").as_str()), Store::Reckless.sql());
    let files: Vec<String> = sql_files()
        .unwrap()
        .iter()
        .map(|path| format!("/sql/{}", path.file_name().unwrap().display()))
        .collect();
    assert_eq!(statements("\\i "), files);
    let text = file(BANK);
    let other = |line: &&str| {
        !["--", "\\i ", "ALTER "]
            .iter()
            .any(|beginning| line.starts_with(beginning))
    };
    let others: Vec<&str> = text.lines().filter(other).collect();
    assert!(others.iter().all(|line| line.is_empty()), "{others:?}");
}

#[test]
fn it_changes_the_database_alone_and_keeps_its_data_apart() {
    let services_of = services(RECKLESS);
    assert!(services_of.keys().eq(["db"]));
    let db = &services_of["db"];
    assert!(db.keys().eq(["volumes"]));
    let mounts = |volumes: Vec<String>| -> Vec<(String, String)> {
        let pair = |volume: &String| {
            let (from, at) = volume.split_once(':').unwrap();
            (at.trim_end_matches(":ro").to_owned(), from.to_owned())
        };
        volumes.iter().map(pair).collect()
    };
    let own = mounts(strings(db.get("volumes")));
    let contest = mounts(strings(services(CONTEST)["db"].get("volumes")));
    for at in ["/var/lib/postgresql", "/docker-entrypoint-initdb.d"] {
        let from = |mounts: &[(String, String)]| {
            let found = mounts.iter().find(|(place, _)| place == at);
            found.map(|(_, from)| from.clone()).unwrap()
        };
        assert_ne!(from(&own), from(&contest), "{at}");
    }
    let volumes = merged(&composition(RECKLESS)["volumes"]);
    assert!(volumes.keys().eq(["db-data-reckless"]));
    assert!(!merged(&composition(CONTEST)["volumes"]).contains_key("db-data-reckless"));
    assert!(file(RECKLESS).starts_with("# RECKLESS"));
}

#[test]
fn its_file_makes_the_bank_and_takes_its_durability() {
    let postgres = Postgres::private(&[], &[]).unwrap();
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let here = format!("\\i {}/", sql.display());
    postgres
        .psql(&file(BANK).replace("\\i /sql/", &here))
        .unwrap();
    postgres.psql("SELECT pg_reload_conf()").unwrap();
    let logged = "SELECT count(*) FROM pg_class WHERE relnamespace = 'banco'::regnamespace
        AND relkind = 'r' AND relpersistence <> 'u'";
    assert_eq!(postgres.psql(logged).unwrap(), "0");
    assert_eq!(
        postgres
            .psql("SELECT count(*) FROM banco.clientes")
            .unwrap(),
        "5"
    );
    for (name, value) in Store::Reckless.settings() {
        let written = format!(
            "SELECT setting FROM pg_file_settings WHERE name = '{name}' AND applied
             AND sourcefile LIKE '%postgresql.auto.conf'"
        );
        assert_eq!(postgres.psql(&written).unwrap(), *value, "{name}");
    }
}
