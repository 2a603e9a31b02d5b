//! The contest's own load, an open model: each request is due when it is due, whatever the bank
//! does, on a connection of its own. In stretches of a few seconds, so that what is compared is
//! driven in turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::floor::Floor;
use super::flush::Flushes;
use super::fresh::{fresh, used};
use super::open::{self, Latency, Outcome, Plan, Tally};
use super::record::{Facts, floor_of, is_floor};
use super::{Bench, Variant, check, measure, to_f64};
use crate::error::Error;
use crate::stack::{Groups, Stack};

/// At most: shorter than a machine's moods, longer than what the first requests find cold.
pub(super) const STRETCH_SECONDS: u32 = 5;

/// Seconds of it beside the levels, in a run for which nothing is chosen.
const WHOLE_SECONDS: u32 = 10;

/// Into how many stretches so many seconds of load are cut: an even number, to go there and back.
fn stretches(seconds: u32) -> u32 {
    2 * seconds.div_ceil(2 * STRETCH_SECONDS)
}

/// One variant in one round: all of its stretches.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Contest {
    pub variant: String,
    pub round: u32,
    pub facts: Facts,
    pub outcome: Outcome,
    /// Flushes of the disk alone, between the stretches of this round.
    pub flush_us: Latency,
    /// CPUs that each service used, and the share of the time for which its quota held it back.
    pub services: BTreeMap<String, (f64, f64)>,
    pub wrong_clientes: u64,
    pub rows: u64,
}

impl Contest {
    /// Everything was answered, nothing contradicts anything.
    pub fn holds(&self) -> bool {
        let is_floor = is_floor(&self.variant);
        let applied = self.outcome.applied();
        let may_be = applied..=applied + self.outcome.open(true);
        let rows = is_floor || may_be.contains(&self.rows);
        rows && self.wrong_clientes == 0
            && self.outcome.unanswered() == 0
            && (is_floor || self.outcome.inconsistencies.is_empty())
    }
}

/// `variant` beside the floor under its kind of NGINX: what `of` makes of the two latencies in each
/// round, since only what was measured in turn compares. Nothing where no floor was measured, nor
/// for a floor itself.
pub(super) fn beside_floor(
    contests: &[Contest],
    variant: &str,
    of: fn(&Latency, &Latency) -> f64,
) -> Vec<f64> {
    let own = contests
        .iter()
        .filter(|contest| contest.variant == variant && !is_floor(variant));
    let both = own.filter_map(|own| {
        let floor = contests.iter().find(|other| {
            is_floor(&other.variant)
                && other.round == own.round
                && other.facts.proxy == own.facts.proxy
        })?;
        Some(of(&own.outcome.latency_us, &floor.outcome.latency_us))
    });
    both.collect()
}

/// By how many milliseconds the median is above the floor's.
pub(super) fn p50_above(own: &Latency, floor: &Latency) -> f64 {
    (to_f64(own.p50) - to_f64(floor.p50)) / 1e3
}

/// How many times the floor's the 99th percentile is.
pub(super) fn p99_times(own: &Latency, floor: &Latency) -> f64 {
    to_f64(own.p99) / to_f64(floor.p99)
}

/// What stands by while another one is under the load.
pub(super) struct Driven<'a> {
    variant: &'a Variant,
    round: u32,
    what: What,
    tally: Tally,
    services: BTreeMap<String, Spent>,
}

enum What {
    Bank(Box<Stack>, Option<Arc<Groups>>),
    Floor(Box<Floor>),
}

/// CPU time of a service, and for how long its quota held it back, in µs.
#[derive(Clone, Copy, Default)]
struct Spent {
    cpu_us: u64,
    throttled_us: u64,
}

impl<'a> Driven<'a> {
    /// A fresh stack.
    pub fn start(_: &Bench, variant: &'a Variant, round: u32) -> Result<Driven<'a>, Error> {
        let (stack, groups) = fresh(variant)?;
        Ok(Driven::of(
            variant,
            round,
            What::Bank(Box::new(stack), groups),
        ))
    }

    /// A fresh floor under `variant`.
    pub fn start_floor(_: &Bench, variant: &'a Variant, round: u32) -> Result<Driven<'a>, Error> {
        let floor = Floor::start(variant)?;
        Ok(Driven::of(variant, round, What::Floor(Box::new(floor))))
    }

    fn of(variant: &'a Variant, round: u32, what: What) -> Driven<'a> {
        Driven {
            variant,
            round,
            what,
            tally: Tally::new(open::SLA),
            services: BTreeMap::new(),
        }
    }

    /// One more stretch of the load.
    ///
    /// # Errors
    /// The generator cannot drive it, or a group cannot be read.
    fn stretch(&mut self, plan: &Plan) -> Result<(), Error> {
        let (address, groups) = match &self.what {
            What::Bank(stack, groups) => (stack.address(), groups.as_deref()),
            What::Floor(floor) => (floor.front.address, floor.groups.as_deref()),
        };
        let before = used(groups)?;
        open::drive_on(address, plan, &mut self.tally)?;
        for (name, after) in used(groups)? {
            let before = before.get(&name).copied().unwrap_or_default();
            let spent = self.services.entry(name).or_default();
            spent.cpu_us += after.cpu_us.saturating_sub(before.cpu_us);
            spent.throttled_us += after.throttled_us.saturating_sub(before.throttled_us);
        }
        Ok(())
    }

    /// What all stretches came to, once the bank was held against its answers.
    ///
    /// # Errors
    /// The bank cannot be asked.
    fn end(self, flush_us: Latency) -> Result<Contest, Error> {
        let outcome = self.tally.outcome();
        let took = to_f64(outcome.generator.duration_us);
        let share = |spent: Spent| {
            (
                to_f64(spent.cpu_us) / took,
                to_f64(spent.throttled_us) / took,
            )
        };
        let services = self.services.into_iter();
        let proxy = self.variant.options.proxy;
        let (variant, facts, wrong_clientes, rows) = match &self.what {
            What::Bank(stack, _) => {
                let check = check::check(stack, outcome.applied(), 0)?;
                let facts = measure::facts(stack)?;
                let name = self.variant.name.clone();
                (name, facts, check.wrong_clientes, check.rows)
            }
            What::Floor(_) => (floor_of(proxy).to_owned(), Facts::of_floor(proxy), 0, 0),
        };
        Ok(Contest {
            variant,
            round: self.round,
            facts,
            services: services.map(|(name, spent)| (name, share(spent))).collect(),
            wrong_clientes,
            rows,
            outcome,
            flush_us,
        })
    }
}

/// A round of all that stands there, stretch by stretch, there and back, so that what is compared
/// is seconds apart; and the disk's flushes between them.
///
/// # Errors
/// As of [`Driven::stretch`], [`Flushes::stretch`] and [`Driven::end`].
pub(super) fn drive(
    bench: &Bench,
    round: u32,
    mut standing: Vec<Driven>,
) -> Result<Vec<Contest>, Error> {
    let hold = bench.contest.unwrap_or(WHOLE_SECONDS);
    let stretches = stretches(hold);
    let mut flushes = Flushes::new()?;
    let hold = Duration::from_secs(hold.into()) / stretches;
    for stretch in 0..stretches {
        let plan = Plan {
            ramp: hold / 4,
            hold,
            scale: bench.times.unwrap_or(1).into(),
            seed: (round * stretches + stretch).into(),
            ..Plan::default()
        };
        for driven in &mut standing {
            driven.stretch(&plan)?;
        }
        standing.reverse();
        flushes.stretch()?;
    }
    let flush_us = flushes.latency();
    let ended = standing.into_iter().map(|driven| driven.end(flush_us));
    ended.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_short_and_even_in_number() {
        for (seconds, number) in [(4, 2), (10, 2), (11, 4), (19, 4), (20, 4), (60, 12)] {
            assert_eq!(stretches(seconds), number, "{seconds} s");
        }
    }

    #[test]
    fn each_round_is_held_against_its_own_floor() {
        let contest = |variant: &str, round, proxy: &str, p50| {
            let mut outcome = Tally::new(open::SLA).outcome();
            outcome.latency_us.p50 = p50;
            Contest {
                variant: variant.to_owned(),
                round,
                facts: Facts {
                    proxy: proxy.to_owned(),
                    ..Facts::default()
                },
                outcome,
                flush_us: Latency::default(),
                services: BTreeMap::new(),
                wrong_clientes: 0,
                rows: 0,
            }
        };
        let contests = [
            contest("shipped", 1, "http", 1_200),
            contest("floor", 1, "http", 500),
            contest("floor stream", 1, "stream", 100),
            contest("floor", 2, "http", 900),
            contest("shipped", 2, "http", 1_300),
            contest("shipped", 3, "http", 1_300),
        ];
        let above = beside_floor(&contests, "shipped", p50_above);
        assert_eq!(above.len(), 2, "of the third round there is no floor");
        assert!((above[0] - 0.7).abs() < 1e-9 && (above[1] - 0.4).abs() < 1e-9);
        for none in ["another", "floor"] {
            assert!(
                beside_floor(&contests, none, p50_above).is_empty(),
                "{none}"
            );
        }
    }
}
