//! The contest's own load, an open model: each request is due when it is due, whatever the bank
//! does, on a connection of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::fresh::{fresh, used};
use super::open::{self, Outcome, Plan};
use super::record::{Facts, floor_of, is_floor};
use super::{Bench, Variant, check, to_f64};
use crate::cgroup::Used;
use crate::error::Error;

/// One run of the load.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Contest {
    pub variant: String,
    pub round: u32,
    pub facts: Facts,
    pub outcome: Outcome,
    /// CPUs that each service used, and the share of the time for which its quota held it back.
    pub services: BTreeMap<String, (f64, f64)>,
    pub wrong_clientes: u64,
    pub rows: u64,
}

impl Contest {
    /// Everything was answered, nothing contradicts anything.
    pub fn holds(&self) -> bool {
        let is_floor = is_floor(&self.variant);
        let rows = is_floor || self.rows == self.outcome.applied();
        rows && self.wrong_clientes == 0
            && self.outcome.unanswered() == 0
            && (is_floor || self.outcome.inconsistencies.is_empty())
    }
}

fn plan(bench: &Bench, round: u32) -> Plan {
    let hold = Duration::from_secs(bench.contest.unwrap_or(60).into());
    Plan {
        ramp: hold / 4,
        hold,
        seed: round.into(),
        ..Plan::default()
    }
}

/// A fresh stack under the load.
pub(super) fn measure(bench: &Bench, variant: &Variant, round: u32) -> Result<Contest, Error> {
    let (stack, groups) = fresh(variant)?;
    let before = used(groups.as_deref())?;
    let outcome = open::drive(stack.address(), &plan(bench, round))?;
    let after = used(groups.as_deref())?;
    let check = check::check(&stack, outcome.applied(), 0)?;
    Ok(Contest {
        variant: variant.name.clone(),
        round,
        facts: super::measure::facts(&stack)?,
        services: services(&before, &after, &outcome),
        wrong_clientes: check.wrong_clientes,
        rows: check.rows,
        outcome,
    })
}

/// The same load on the floor under `variant`.
pub(super) fn measure_floor(
    bench: &Bench,
    variant: &Variant,
    round: u32,
) -> Result<Contest, Error> {
    let floor = super::floor::Floor::start(variant)?;
    let before = used(floor.groups.as_deref())?;
    let outcome = open::drive(floor.front.address, &plan(bench, round))?;
    let after = used(floor.groups.as_deref())?;
    Ok(Contest {
        variant: floor_of(variant.options.proxy).to_owned(),
        round,
        facts: Facts::of_floor(variant.options.proxy),
        services: services(&before, &after, &outcome),
        wrong_clientes: 0,
        rows: 0,
        outcome,
    })
}

fn services(
    before: &BTreeMap<String, Used>,
    after: &BTreeMap<String, Used>,
    outcome: &Outcome,
) -> BTreeMap<String, (f64, f64)> {
    let took = to_f64(outcome.generator.duration_us);
    let share = |(name, after): (&String, &Used)| {
        let before = before.get(name).copied().unwrap_or_default();
        let cpus = to_f64(after.cpu_us - before.cpu_us) / took;
        let held = to_f64(after.throttled_us - before.throttled_us) / took;
        (name.clone(), (cpus, held))
    };
    after.iter().map(share).collect()
}
