//! The ceiling of a server that makes one call for each transacao: pgbench on the very procedure,
//! with the database's own share and nothing else in the way.

use std::fs;
use std::process::Command;

use super::fresh::{fresh, used};
use super::load::Load;
use super::measure::{Seen, services, shared};
use super::record::{CEILING, Facts, GENERATOR, Record};
use super::{Bench, Variant, check, usage};
use crate::cpus::Ticks;
use crate::error::Error;
use crate::programs;
use crate::stack::{Groups, ROLE, Stack};

/// Sessions of pgbench; the best of them is the ceiling.
const CLIENTS: [u32; 3] = [2, 8, 32];
/// A transacao of the contest's mix.
const SCRIPT: &str = "\\set id random(1, 5)
\\set valor random(1, 10000)
\\set debit random(1, 3)
SELECT * FROM banco.InsertTransacao(:id::bigint, :valor::bigint, \
CASE WHEN :debit < 3 THEN 'd' ELSE 'c' END, 'descricao');
";

/// A fresh database, and a record for each number of sessions.
pub(super) fn measure(bench: &Bench, shipped: &Variant, round: u32) -> Result<Vec<Record>, Error> {
    // Its replicas and NGINX are idle: they cost nothing.
    let (stack, groups) = fresh(shipped)?;
    let folder = tempfile::tempdir().map_err(Error::while_doing("a temporary folder"))?;
    let script = folder.path().join("transacao.sql");
    fs::write(&script, SCRIPT).map_err(Error::while_doing(script.display()))?;
    let mut records = Vec::new();
    // Of a fresh bank.
    let mut rows = 0;
    for connections in CLIENTS {
        let before = seen(&stack, groups.as_deref())?;
        let mut pgbench = Command::new(programs::postgresql("pgbench")?);
        pgbench
            .args(["--no-vacuum", "--protocol=prepared"])
            .arg(format!("--jobs={}", bench.threads.min(connections)))
            .arg(format!("--client={connections}"))
            .arg(format!("--time={}", bench.seconds))
            .arg(format!("--username={ROLE}"))
            .arg("--host")
            .arg(stack.postgres().socket_folder())
            .arg(format!("--port={}", stack.postgres().port()))
            .arg("--file")
            .arg(&script)
            .arg(ROLE)
            .env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan");
        let ticks = Ticks::now();
        let output = pgbench.output().map_err(Error::while_doing("pgbench"))?;
        let stolen = (Ticks::now() - ticks).stolen_share();
        if !output.status.success() {
            return Err(Error::of_program("pgbench", &output));
        }
        let after = seen(&stack, groups.as_deref())?;
        let check = check::check(&stack, 0, u64::MAX)?;
        let load = Load {
            stolen,
            // Refused debits are answered, too.
            applied: check.rows.saturating_sub(rows),
            ..read(&String::from_utf8_lossy(&output.stdout), bench.seconds)?
        };
        rows = check.rows;
        records.push(Record {
            variant: CEILING.to_owned(),
            round,
            connections,
            facts: Facts::default(),
            requests_per_second: load.requests_per_second(),
            services: shared(services(&before, &after, &load), shipped),
            flights_per_second: None,
            operations_per_flight: None,
            largest_flight: None,
            check: Some(check),
            load,
        });
    }
    Ok(records)
}

/// What the database and pgbench have used so far. The rest of the stack is idle.
fn seen(stack: &Stack, groups: Option<&Groups>) -> Result<Seen, Error> {
    let db_us = stack.postgres_pid().map_or(0, usage::cpu_us);
    Ok(Seen {
        cpu: vec![
            ("db".to_owned(), db_us),
            (GENERATOR.to_owned(), usage::ended_children_us()),
        ],
        groups: used(groups)?,
        ..Seen::default()
    })
}

/// What pgbench says at its end. It has no percentiles: its mean stands for the median.
fn read(said: &str, seconds: u32) -> Result<Load, Error> {
    let after = |words: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(words))?;
        line.split([' ', '/']).find(|word| !word.is_empty())
    };
    let requests = after("number of transactions actually processed:");
    let requests = requests.and_then(|number| number.parse().ok());
    let mean_ms = after("latency average =").and_then(|ms| ms.parse::<f64>().ok());
    let both = requests.zip(mean_ms);
    let (requests, mean_ms) = both.ok_or_else(|| Error::new(format!("pgbench said: {said}")))?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean in µs"
    )]
    let p50_us = (mean_ms * 1e3) as u64;
    Ok(Load {
        requests,
        duration_us: u64::from(seconds) * 1_000_000,
        p50_us,
        ..Load::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_says_is_read() {
        let said = "number of threads: 1\nnumber of transactions actually processed: 1234\n\
                    number of failed transactions: 0 (0.000%)\nlatency average = 0.250 ms\n";
        let load = read(said, 2).unwrap();
        assert_eq!(
            (load.requests, load.duration_us, load.p50_us),
            (1234, 2_000_000, 250)
        );
        assert!(read("pgbench: error", 2).is_err());
    }
}
