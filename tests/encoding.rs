//! A database of another encoding than UTF8: in such a one a descricao could be an error, and with
//! it all that is in the same call. sql/ and the replica refuse it, and say what would do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;

use replica::run;
use xtask::stack::{Postgres, sql_files};

#[test]
fn another_encoding_is_refused() {
    let postgres = Postgres::private(&[], &[]).unwrap();
    let first = sql_files().unwrap().remove(0);
    let schema = std::fs::read_to_string(first).unwrap();
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let name = encoding.to_lowercase();
        let of = format!("ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
        postgres
            .psql(&format!("CREATE DATABASE {name} {of}"))
            .unwrap();
        let said = postgres.psql(&format!("\\connect {name}\n{schema}"));
        let said = said.unwrap_err().to_string();
        assert!(said.contains(encoding) && said.contains("UTF-8"), "{said}");
        let made = "SELECT count(*) FROM pg_namespace WHERE nspname = 'banco'";
        let made = postgres.psql(&format!("\\connect {name}\n{made}"));
        assert_eq!(made.unwrap(), "0");

        let url = postgres.role_url();
        let (server, _) = url.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        let ended = run(&["--check"], &[("DATABASE_URL", &url)]);
        assert!(!ended.status.success(), "{ended:?}");
        let said = &ended.stderr;
        assert!(said.contains(encoding) && said.contains("UTF8"), "{said}");
    }
}
