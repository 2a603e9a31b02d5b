//! One target's turn: started, loaded in each way, looked at after each load, stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::super::load::{self, Load};
use super::super::open::{self, CLIENTES, Outcome, Plan};
use super::super::record::{self, Facts, Record};
use super::super::{Bench, ceiling, measure, to_f64};
use super::figures::{Aspect, Contest, Finding, Visit};
use super::judge;
use super::running::Running;
use super::target::{Kind, Target};
use crate::error::Error;
use crate::http::{self, Saldo};
use crate::{k6, say};

/// What each target is to bear.
#[derive(Clone, Debug)]
pub(super) struct Loads<'a> {
    pub bench: Bench,
    pub contest_seconds: u32,
    pub k6_seconds: u32,
    /// Ctrl-C was heard.
    pub interrupted: &'a AtomicBool,
}

impl Loads<'_> {
    /// # Errors
    /// Ctrl-C was heard: no further load.
    fn go_on(&self) -> Result<(), Error> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(Error::interrupted()),
            false => Ok(()),
        }
    }
}

/// A visit and, of a stack of ours, what was in force.
///
/// # Errors
/// The target does not start, or a generator does not run.
pub(super) fn visit(
    loads: &Loads<'_>,
    target: &Target,
    round: u32,
) -> Result<(Visit, Option<Facts>), Error> {
    let running = match &target.kind {
        Kind::Bank(variant) => Running::stack(variant)?,
        Kind::Floor(variant) => Running::floor(variant)?,
        Kind::Foreign(description) => Running::foreign(description)?,
        Kind::Ceiling(variant) => {
            let mut levels = ceiling::measure(&loads.bench, variant, round)?;
            for level in &mut levels {
                level.variant.clone_from(&target.name);
            }
            let mut visit = empty(target, round);
            visit.levels = levels;
            visit.looked(Aspect::Database);
            for level in &visit.levels {
                let check = level.check.iter().filter(|check| check.wrong_clientes > 0);
                let wrong = check.map(|check| judge::wrong_saldos("pgbench", check.wrong_clientes));
                visit.findings.extend(wrong);
            }
            return Ok((visit, None));
        }
    };
    let facts = running.facts()?;
    let mut turn = Turn {
        loads,
        running,
        visit: empty(target, round),
        facts: facts.clone().unwrap_or_default(),
    };
    turn.k6()?;
    loads.go_on()?;
    turn.contest()?;
    loads.go_on()?;
    turn.saturation()?;
    Ok((turn.visit, facts))
}

fn empty(target: &Target, round: u32) -> Visit {
    Visit {
        target: target.name.clone(),
        round,
        k6: None,
        contest: None,
        levels: Vec::new(),
        aspects: Vec::new(),
        findings: Vec::new(),
    }
}

impl Visit {
    fn looked(&mut self, aspect: Aspect) {
        if !self.aspects.contains(&aspect) {
            self.aspects.push(aspect);
        }
    }

    fn found(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }
}

struct Turn<'a> {
    loads: &'a Loads<'a>,
    running: Running,
    visit: Visit,
    facts: Facts,
}

impl Turn<'_> {
    /// The contest's load as k6 makes it; before it, of a fresh bank, the contest's validations.
    fn k6(&mut self) -> Result<(), Error> {
        let seconds = self.loads.k6_seconds;
        if seconds == 0 {
            return Ok(());
        }
        say(format_args!("    k6, {seconds} s"));
        let before = self.counted()?;
        let validate = self.running.is_bank() && self.is_fresh();
        let hold = Duration::from_secs(seconds.into());
        let options = k6::Options {
            ramp: ramp(hold),
            hold,
            validate,
            ..k6::Options::default()
        };
        let summary = k6::contest(&self.running.url(), &options)?;
        self.visit.looked(Aspect::Availability);
        if self.running.is_bank() {
            self.visit.looked(Aspect::Answers);
            if validate {
                self.visit.looked(Aspect::Validations);
            }
            let findings = judge::k6(&summary);
            let validated = !findings.iter().any(|it| it.aspect == Aspect::Validations);
            self.visit.found(findings);
            let answered = judge::applied(&summary, validate);
            // What was refused of the validations, and what was not, is not told apart.
            let unread = match validated {
                true => judge::open(&summary),
                false => u64::MAX,
            };
            self.compare_rows("k6", before, answered, unread)?;
        }
        self.visit.k6 = Some(summary);
        Ok(())
    }

    /// The contest's load as our generator makes it.
    fn contest(&mut self) -> Result<(), Error> {
        let seconds = self.loads.contest_seconds;
        if seconds == 0 {
            return Ok(());
        }
        say(format_args!("    the contest's load, {seconds} s"));
        let hold = Duration::from_secs(seconds.into());
        let plan = Plan {
            ramp: ramp(hold),
            hold,
            seed: self.visit.round.into(),
            ..Plan::default()
        };
        let rows = self.counted()?;
        let saldos = self.saldos();
        let before = self.running.seen()?;
        let outcome = open::drive(self.running.address(), &plan)?;
        let after = self.running.seen()?;
        let load = Load {
            requests: outcome.requests(),
            duration_us: outcome.generator.duration_us,
            ..Load::default()
        };
        let mut services = measure::services(&before, &after, &load);
        // It runs within this process, which is not one that ends.
        services.retain(|service| service.name != record::GENERATOR);
        self.judge_contest(&outcome, &saldos, rows)?;
        self.visit.contest = Some(Contest { outcome, services });
        Ok(())
    }

    fn judge_contest(
        &mut self,
        outcome: &Outcome,
        before: &BTreeMap<u32, Saldo>,
        rows: Option<(u64, u64)>,
    ) -> Result<(), Error> {
        const LOAD: &str = "contest";
        self.visit.looked(Aspect::Availability);
        self.visit.found(judge::availability(outcome, LOAD));
        if !self.running.is_bank() {
            return Ok(());
        }
        self.visit.looked(Aspect::Answers);
        self.visit.found(judge::answers(outcome, LOAD));
        // One that was never answered may have been applied.
        let open = outcome.open(false);
        if open == 0 && before.len() == CLIENTES.count() {
            self.visit.looked(Aspect::Saldos);
            let after = self.saldos();
            self.visit
                .found(judge::saldos(before, &after, &outcome.changes));
        }
        self.compare_rows(LOAD, rows, outcome.applied(), open)
    }

    /// As many requests as it answers, level by level.
    fn saturation(&mut self) -> Result<(), Error> {
        let bench = &self.loads.bench;
        let url = self.running.url();
        if bench.warm_up > 0 {
            let connections = bench.connections.iter().copied().max().unwrap_or(1).min(64);
            load::drive(bench, (&url, connections, bench.warm_up), 1, bench.mix())?;
            thread::sleep(measure::AFTER);
        }
        for (level, &connections) in (2..).zip(&bench.connections) {
            self.loads.go_on()?;
            say(format_args!("    {connections} connections"));
            let rows = self.counted()?;
            let before = self.running.seen()?;
            let load = load::drive(
                bench,
                (&url, connections, bench.seconds),
                level,
                bench.mix(),
            )?;
            let after = self.running.seen()?;
            thread::sleep(measure::AFTER);
            let name = format!("{connections} connections");
            self.visit.looked(Aspect::Availability);
            self.visit.found(judge::load(&load, &name));
            let unread_max = u64::from(connections) + load.open(false);
            let check = self.check_rows(&name, rows, load.applied, unread_max)?;
            let seconds = load.seconds();
            let flights = to_f64(after.flights.saturating_sub(before.flights));
            let operations = to_f64(after.operations.saturating_sub(before.operations));
            let flies = flights > 0.0;
            self.visit.levels.push(Record {
                variant: self.visit.target.clone(),
                round: self.visit.round,
                connections,
                facts: self.facts.clone(),
                requests_per_second: load.requests_per_second(),
                services: measure::services(&before, &after, &load),
                flights_per_second: flies.then_some(flights / seconds),
                operations_per_flight: flies.then(|| operations / flights),
                largest_flight: None,
                check,
                load,
            });
        }
        Ok(())
    }

    fn counted(&self) -> Result<Option<(u64, u64)>, Error> {
        self.running.counted()
    }

    fn compare_rows(
        &mut self,
        load: &str,
        before: Option<(u64, u64)>,
        answered: u64,
        unread_max: u64,
    ) -> Result<(), Error> {
        self.check_rows(load, before, answered, unread_max)
            .map(drop)
    }

    /// The database after a load against the answers in it.
    fn check_rows(
        &mut self,
        load: &str,
        before: Option<(u64, u64)>,
        answered: u64,
        unread_max: u64,
    ) -> Result<Option<record::Check>, Error> {
        let (Some(before), Some((rows, wrong_clientes))) = (before, self.counted()?) else {
            return Ok(None);
        };
        let check = record::Check {
            wrong_clientes,
            rows: rows.saturating_sub(before.0),
            answered,
            unread_max,
        };
        self.visit.looked(Aspect::Database);
        self.visit.found(judge::database(&check, load));
        Ok(Some(check))
    }

    /// Nothing has happened in it, as the validations want it.
    fn is_fresh(&self) -> bool {
        let saldos = self.saldos();
        saldos.len() == CLIENTES.count() && saldos.values().all(|saldo| saldo.is_fresh)
    }

    /// Of the contest's five, those that it says.
    fn saldos(&self) -> BTreeMap<u32, Saldo> {
        if !self.running.is_bank() {
            return BTreeMap::new();
        }
        let (address, url) = (self.running.address(), self.running.url());
        let saldo = |cliente| Some((cliente, http::saldo(address, &url, cliente)?));
        CLIENTES.filter_map(saldo).collect()
    }
}

/// A quarter of the time in which it is measured, in whole seconds.
fn ramp(hold: Duration) -> Duration {
    Duration::from_secs((hold.as_secs() / 4).max(1))
}
