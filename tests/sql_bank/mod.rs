//! A real server with sql/ run on it, and what must hold of it always.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

use xtask::stack::Postgres;

/// A server of our own with sql/ run on it.
pub fn bank() -> Postgres {
    let postgres = Postgres::private(&[], &[]).expect("PostgreSQL starts");
    postgres.apply_sql().expect("sql/ runs");
    postgres
}

/// What `sql` prints; an error is `error: ` and its first line.
pub fn run(bank: &Postgres, sql: &str) -> String {
    match bank.psql(sql) {
        Ok(printed) => printed,
        Err(error) => {
            let text = error.to_string();
            let line = text.lines().find(|line| line.contains("ERROR:"));
            let line = line.unwrap_or(&text);
            format!("error:{}", line.split("ERROR:").last().unwrap_or_default())
        }
    }
}

/// What must hold of any bank, whatever was done to it; prints nothing if it does.
pub const INVARIANTS: &str = "
    SELECT 'saldo or n', c.* FROM clientes AS c LEFT JOIN (
        SELECT cliente_id, count(*) AS n, min(n) AS first_n, max(n) AS last_n,
               sum(CASE tipo WHEN 'c' THEN valor ELSE -valor END) AS saldo
        FROM transacoes GROUP BY cliente_id
    ) AS t ON t.cliente_id = c.id
    WHERE (c.saldo, c.n, c.n) IS DISTINCT FROM
          (coalesce(t.saldo, 0), coalesce(t.n, 0), coalesce(t.last_n, 0)) OR t.first_n <> 1;
    SELECT 'time', * FROM (
        SELECT *, lag(realizada_em) OVER (PARTITION BY cliente_id ORDER BY n) AS earlier
        FROM transacoes
    ) AS t WHERE realizada_em < earlier;";
