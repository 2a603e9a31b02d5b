//! The contest's load on a composition, and whether the bank is right after it.

use std::time::Duration;

use serde::Serialize;

use super::composition::Composition;
use super::container::Container;
use super::usage::{self, Use};
use crate::bench::check::WRONG;
use crate::error::Error;
use crate::k6::{self, Summary};

/// How it is driven, and judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LoadPlan {
    pub seconds: u32,
    /// A time that is missed is a failure, too: for a machine that does nothing else.
    pub is_strict: bool,
}

/// A load, and what it cost.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Loaded {
    pub summary: Summary,
    pub used: Use,
    /// Transacoes that the load had answered with 200, and rows that the database has of it.
    pub applied: u64,
    pub rows: u64,
    /// What is not as it must be.
    pub faults: Vec<String>,
}

/// Drives the fresh bank with so many seconds of the contest's load, half of which it grows.
///
/// # Errors
/// The load could not be made. What it found is in the figures.
pub(super) fn drive(
    composition: &Composition,
    containers: &[Container],
    plan: LoadPlan,
) -> Result<Loaded, Error> {
    let LoadPlan { seconds, is_strict } = plan;
    let half = Duration::from_secs(u64::from(seconds.div_ceil(2)));
    let options = k6::Options {
        ramp: half,
        hold: half,
        ..k6::Options::default()
    };
    let url = composition.url();
    let work = || k6::contest(&url, &options);
    let (summary, used) = usage::watch(composition, containers, half, work)?;
    let mut loaded = Loaded {
        applied: applied(&summary),
        rows: number(
            composition,
            containers,
            "SELECT count(*) FROM banco.transacoes",
        )?,
        summary,
        used,
        faults: Vec::new(),
    };
    let wrong = number(composition, containers, WRONG)?;
    loaded.faults = faults(&loaded, wrong);
    if is_strict {
        let missed = loaded.summary.failed_thresholds.iter().cloned();
        loaded.faults.extend(missed);
    }
    Ok(loaded)
}

fn number(composition: &Composition, containers: &[Container], sql: &str) -> Result<u64, Error> {
    let said = composition.sql(containers, sql)?;
    said.parse()
        .map_err(Error::while_doing(format!("`{said}` for {sql}")))
}

fn applied(summary: &Summary) -> u64 {
    let kinds = ["debitos", "creditos"].into_iter();
    let kinds = kinds.filter_map(|kind| summary.kinds.get(kind));
    kinds.filter_map(|kind| kind.statuses.get("200")).sum()
}

/// Requests that were not answered with what the contest counts as an answer.
pub(super) fn unanswered(summary: &Summary) -> u64 {
    let kinds = summary.kinds.values().flat_map(|kind| &kind.statuses);
    let others = kinds.filter(|(status, _)| !matches!(status.as_str(), "200" | "422"));
    others.map(|(_, count)| count).sum()
}

fn faults(loaded: &Loaded, wrong: u64) -> Vec<String> {
    let (summary, used) = (&loaded.summary, &loaded.used);
    let mut faults = summary.failed_check_names.clone();
    let reuse = used.sockets.upstream;
    let counts = [
        (summary.requests == 0, "no request was sent".to_owned()),
        (
            unanswered(summary) > 0,
            format!("{} requests were not answered", unanswered(summary)),
        ),
        (
            summary.inconsistencies > 0,
            format!(
                "{} answers contradict the bank's rules",
                summary.inconsistencies
            ),
        ),
        (
            wrong > 0,
            format!("{wrong} clientes whose saldo is not the sum of their rows"),
        ),
        (
            loaded.rows != loaded.applied,
            format!("{} rows, {} answered with 200", loaded.rows, loaded.applied),
        ),
        (
            !reuse.is_kept(summary.requests),
            format!("the connections to the replicas are not reused: {reuse:?}"),
        ),
        (
            used.sockets.time_wait.1 > used.sockets.time_wait.0,
            format!("TIME_WAIT grows within: {:?}", used.sockets.time_wait),
        ),
    ];
    faults.extend(
        counts
            .into_iter()
            .filter(|(is_so, _)| *is_so)
            .map(|(_, fault)| fault),
    );
    let killed = used.services.iter().filter(|service| service.oom_kills > 0);
    faults.extend(killed.map(|service| format!("{}: killed at its memory limit", service.service)));
    faults
}
