//! A real server with sql/ run on it, and what must hold of it always.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

pub mod flights;

use std::fs;
use std::path::{Path, PathBuf};

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

/// A file of prod/postgres/.
pub fn prod(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prod/postgres");
    folder.join(name)
}

/// What is in it.
pub fn prod_sql(name: &str) -> String {
    fs::read_to_string(prod(name)).expect("the file is in the checkout")
}

/// What check.sql prints of it.
pub fn wrong(bank: &Postgres) -> String {
    run(bank, &prod_sql("check.sql"))
}

/// What must hold of any bank, whatever was done to it; prints nothing if it does.
pub const INVARIANTS: &str = "
    SELECT 'saldo or n', c.*, t.* FROM clientes AS c FULL JOIN (
        SELECT cliente_id, count(*) AS n, min(n) AS first_n, max(n) AS last_n,
               count(DISTINCT n) AS different,
               sum(CASE tipo WHEN 'c' THEN valor ELSE -valor END) AS saldo
        FROM transacoes GROUP BY cliente_id
    ) AS t ON t.cliente_id = c.id
    WHERE (c.saldo, c.n, c.n, c.n) IS DISTINCT FROM (coalesce(t.saldo, 0), coalesce(t.n, 0),
           coalesce(t.different, 0), coalesce(t.last_n, 0)) OR t.first_n <> 1;
    SELECT 'time', * FROM (
        SELECT *, lag(realizada_em) OVER own AS earlier, lag(lote) OVER own AS lesser
        FROM transacoes WINDOW own AS (PARTITION BY cliente_id ORDER BY n)
    ) AS t WHERE realizada_em < earlier OR lote < lesser;
    SELECT 'last ten', c.id, c.lotes, t.lotes FROM clientes AS c LEFT JOIN (
        SELECT cliente_id, (array_agg(lote ORDER BY n DESC))[1:10] AS lotes
        FROM transacoes GROUP BY cliente_id
    ) AS t ON t.cliente_id = c.id
    WHERE c.lotes <> coalesce(t.lotes, '{}');
    SELECT 'twice', cliente_id, n FROM transacoes GROUP BY 2, 3 HAVING count(*) > 1;
    SELECT 'lengths', id, array_dims(clientes), array_dims(ns), array_dims(valores),
           array_dims(descricoes)
    FROM lotes WHERE (array_dims(ns), array_dims(valores), array_dims(descricoes))
        IS DISTINCT FROM (array_dims(clientes), array_dims(clientes), array_dims(clientes))
       OR array_dims(clientes) IS DISTINCT FROM '[1:' || cardinality(clientes) || ']';
    SELECT 'nothing in it', id FROM lotes
    WHERE NOT EXISTS (SELECT FROM unnest(ns) AS n WHERE n IS NOT NULL);
    SELECT 'order', * FROM (
        SELECT l.id, t.*, lag(t.n) OVER (PARTITION BY l.id, t.cliente ORDER BY t.at) AS before
        FROM lotes AS l, unnest(l.clientes, l.ns) WITH ORDINALITY AS t (cliente, n, at)
        WHERE t.n IS NOT NULL
    ) AS t WHERE n <> before + 1;
    SELECT 'to be given again', id, last_value FROM lotes, lotes_id WHERE id > last_value;";

/// Every cliente whose extrato, by either way to read it, is not the newest ten of the view's rows,
/// in their order; prints nothing if there is none. Of one snapshot, so it holds under load, too.
pub const EXTRATOS: &str = "
    SELECT c.id, c.n, extratos.*, documents.*, expected.* FROM clientes AS c,
    LATERAL (
        SELECT array_agg(ROW(e.valor, e.tipo, e.descricao, e.realizada_em)::text)
                   FILTER (WHERE e.valor IS NOT NULL) AS rows,
               min(e.saldo) AS saldo, min(e.limite) AS limite, count(*) AS count
        FROM extrato(c.id) AS e
    ) AS extratos,
    LATERAL (
        SELECT array_agg(ROW(t.valor, t.tipo, t.descricao, t.realizada_em)::text ORDER BY n DESC)
                   AS rows,
               coalesce(jsonb_agg(jsonb_build_object('valor', t.valor, 'tipo', t.tipo,
                   'descricao', t.descricao, 'realizada_em', to_char(
                       t.realizada_em AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))
                   ORDER BY n DESC), '[]') AS list,
               greatest(count(*), 1) AS count
        FROM (SELECT * FROM transacoes WHERE cliente_id = c.id ORDER BY n DESC LIMIT 10) AS t
    ) AS expected,
    LATERAL (SELECT GetSaldoClienteById(c.id) #- '{saldo,data_extrato}' AS document) AS documents
    WHERE (extratos.rows, extratos.saldo, extratos.limite, extratos.count, documents.document)
        IS DISTINCT FROM (expected.rows, c.saldo, c.limite::bigint, expected.count,
            jsonb_build_object('saldo', jsonb_build_object('total', c.saldo, 'limite', c.limite),
                               'ultimas_transacoes', expected.list))
    ORDER BY c.id;";

/// Runs each case's SQL in turn. One that is to fail must change nothing, and is given by a part
/// of its message.
pub fn check(bank: &Postgres, cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        let fails = expected.strip_prefix("error:");
        let before = fails.map(|_| state(bank));
        let printed = run(bank, sql);
        if let Some(part) = fails {
            let refused = printed.starts_with("error:") && printed.contains(part);
            assert!(refused, "{sql}: {printed}");
            assert_eq!(Some(state(bank)), before, "{sql}");
        } else {
            assert_eq!(printed, *expected, "{sql}");
        }
    }
}

/// All rows of both tables, and of the view.
pub fn state(bank: &Postgres) -> String {
    run(
        bank,
        "SELECT * FROM clientes ORDER BY id; SELECT * FROM lotes ORDER BY id;
         SELECT * FROM transacoes ORDER BY cliente_id, n",
    )
}
