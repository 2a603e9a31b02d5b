//! What a run came to, and how it is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::request::{CLIENTES, Kind, Request, contradiction};
use super::times::{Latency, Times, micros};
use crate::bench::check::leaves_open;
use crate::cpus::Ticks;

/// A run's figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Of all kinds together.
    pub latency_us: Latency,
    /// The same as a curve: the share `1 - 10^(-k/10)` of them took at most entry `k`, so the
    /// tenth is 90%, the twentieth 99%. It ends where less than one request is left.
    #[serde(default)]
    pub curve_us: Vec<u64>,
    /// Each kind's own.
    pub kinds: BTreeMap<Kind, OfKind>,
    /// The share of the constant part that took more than [`SLA`](super::SLA) or was never
    /// answered, 0 to 1. The contest wants it below 0.02.
    pub above_sla: f64,
    /// Answers of 200 that contradict the bank's rules, by what is wrong with them.
    pub inconsistencies: BTreeMap<String, u64>,
    /// Why requests were never answered, and how often.
    pub failures: BTreeMap<String, u64>,
    /// By each of the five clientes: credits less debits answered with 200. If no transacao was
    /// left unanswered or got a 5xx other than 503, each saldo has changed by exactly that.
    pub changes: BTreeMap<u32, i64>,
    /// The generator's own part in it.
    pub generator: Generator,
    /// The share of all CPU time that the hypervisor gave to other machines while something here
    /// wanted it, 0 to 1.
    #[serde(default)]
    pub stolen: f64,
}

/// One kind of request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OfKind {
    /// Of those answered, with whatever status.
    pub latency_us: Latency,
    /// How often each status was answered, in the whole run.
    pub statuses: BTreeMap<u16, u64>,
    /// How many were never answered, in the whole run.
    pub unanswered: u64,
}

/// How good the generator was.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Generator {
    /// Microseconds from the scheduled moment to the first system call for the request, of the
    /// constant part; they are within the latencies.
    pub lateness_us: Latency,
    /// How many were more than a millisecond late, of the constant part.
    pub late: u64,
    /// The most requests that were under way at once.
    pub under_way_max: usize,
    /// CPU time of its thread.
    pub cpu_us: u64,
    /// How long all its stretches took.
    pub duration_us: u64,
}

impl Outcome {
    /// Transacoes answered with 200: so many rows there are more.
    pub fn applied(&self) -> u64 {
        let transacoes = [Kind::Debitos, Kind::Creditos];
        let kinds = transacoes.iter().filter_map(|kind| self.kinds.get(kind));
        kinds.filter_map(|of| of.statuses.get(&200)).sum()
    }

    /// Requests sent, the unanswered ones too.
    pub fn requests(&self) -> u64 {
        let kinds = self.kinds.values();
        kinds
            .map(|of| of.statuses.values().sum::<u64>() + of.unanswered)
            .sum()
    }

    /// Requests that may have been applied without a 200: [`leaves_open`] says of which.
    pub(in crate::bench) fn open(&self, is_ours: bool) -> u64 {
        let statuses = self.kinds.values().flat_map(|kind| &kind.statuses);
        let errors = statuses.filter(|(status, _)| leaves_open(**status, is_ours));
        self.unanswered() + errors.map(|(_, count)| count).sum::<u64>()
    }

    /// Requests that were never answered.
    pub fn unanswered(&self) -> u64 {
        self.kinds.values().map(|of| of.unanswered).sum()
    }
}

impl Generator {
    /// CPUs in use.
    #[allow(
        clippy::cast_precision_loss,
        reason = "a figure for people: 53 bits are enough"
    )]
    pub fn cpus(&self) -> f64 {
        self.cpu_us as f64 / self.duration_us.max(1) as f64
    }
}

/// An outcome in the making.
#[derive(Debug)]
pub(crate) struct Tally {
    sla: Duration,
    kinds: BTreeMap<Kind, (Times, OfKind)>,
    lateness: Times,
    late: u64,
    /// Of the constant part: all, and those above the SLA.
    constant: (u32, u32),
    inconsistencies: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
    changes: BTreeMap<u32, i64>,
    stretches: Stretch,
}

/// What a stretch of load took, or several.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    /// The generator's thread's.
    pub cpu: Duration,
    /// From the first request to the last answer.
    pub duration: Duration,
    pub under_way_max: usize,
    /// The whole machine.
    pub ticks: Ticks,
}

/// What is counted as late.
const LATE: Duration = Duration::from_millis(1);

impl Tally {
    pub fn new(sla: Duration) -> Tally {
        let kinds = Kind::ALL.map(|kind| (kind, (Times::new(), OfKind::default())));
        Tally {
            sla,
            kinds: kinds.into(),
            lateness: Times::new(),
            late: 0,
            constant: (0, 0),
            inconsistencies: BTreeMap::new(),
            failures: BTreeMap::new(),
            changes: CLIENTES.map(|cliente| (cliente, 0)).collect(),
            stretches: Stretch::default(),
        }
    }

    /// One more stretch is over.
    pub fn stretch(&mut self, more: Stretch) {
        let all = self.stretches;
        self.stretches = Stretch {
            cpu: all.cpu + more.cpu,
            duration: all.duration + more.duration,
            under_way_max: all.under_way_max.max(more.under_way_max),
            ticks: all.ticks + more.ticks,
        };
    }

    /// A request of the constant part was begun so long after its moment.
    pub fn begun(&mut self, lateness: Duration) {
        self.lateness.record(lateness);
        self.late += u64::from(lateness > LATE);
    }

    /// A request was answered; `latency` is for those of the constant part.
    pub fn answered(
        &mut self,
        request: Request,
        latency: Option<Duration>,
        status: u16,
        body: &[u8],
    ) {
        let (times, of) = self.of(request.kind);
        *of.statuses.entry(status).or_default() += 1;
        if let Some(latency) = latency {
            times.record(latency);
            self.constant.0 += 1;
            self.constant.1 += u32::from(latency > self.sla);
        }
        if status == 200 {
            *self.changes.entry(request.cliente).or_default() += request.change;
            if let Some(wrong) = contradiction(request.kind, body) {
                *self.inconsistencies.entry(wrong.to_owned()).or_default() += 1;
            }
        }
    }

    /// A request was not, and will not be.
    pub fn unanswered(&mut self, request: Request, constant: bool, why: String) {
        self.of(request.kind).1.unanswered += 1;
        *self.failures.entry(why).or_default() += 1;
        if constant {
            self.constant.0 += 1;
            self.constant.1 += 1;
        }
    }

    fn of(&mut self, kind: Kind) -> &mut (Times, OfKind) {
        self.kinds.get_mut(&kind).expect("all kinds are there")
    }

    /// The figures.
    pub fn outcome(self) -> Outcome {
        let mut all = Times::new();
        let kinds = self.kinds.into_iter().map(|(kind, (times, of))| {
            all.add(&times);
            let latency_us = times.latency();
            (kind, OfKind { latency_us, ..of })
        });
        let kinds = kinds.collect();
        let (constant, above) = self.constant;
        Outcome {
            latency_us: all.latency(),
            curve_us: all.curve(),
            kinds,
            above_sla: f64::from(above) / f64::from(constant.max(1)),
            inconsistencies: self.inconsistencies,
            failures: self.failures,
            changes: self.changes,
            generator: Generator {
                lateness_us: self.lateness.latency(),
                late: self.late,
                under_way_max: self.stretches.under_way_max,
                cpu_us: micros(self.stretches.cpu),
                duration_us: micros(self.stretches.duration),
            },
            stolen: self.stretches.ticks.stolen_share(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_where_it_belongs() {
        let mut tally = Tally::new(Duration::from_millis(250));
        let request = |kind, change| Request {
            kind,
            cliente: 3,
            change,
        };
        let good = br#"{"saldo":0,"limite":1}"#;
        let credit = request(Kind::Creditos, 7);
        let debit = request(Kind::Debitos, -2);
        // The ramp's count in all but the latencies.
        tally.answered(credit, None, 200, good);
        for ms in 1..=100 {
            tally.answered(credit, Some(Duration::from_millis(ms)), 200, good);
        }
        tally.answered(debit, Some(Duration::from_millis(250)), 200, b"{}");
        tally.answered(debit, Some(Duration::from_millis(251)), 422, b"");
        tally.unanswered(debit, true, "no".to_owned());
        tally.unanswered(request(Kind::Extratos, 0), false, "no".to_owned());
        tally.begun(Duration::from_millis(1));
        tally.begun(Duration::from_micros(1001));
        for (under_way_max, cpu, duration) in [(9, 1, 30), (2, 4, 20)] {
            tally.stretch(Stretch {
                cpu: Duration::from_millis(cpu),
                duration: Duration::from_millis(duration),
                under_way_max,
                ticks: Ticks {
                    idle: 5,
                    stolen: cpu,
                    all: 10,
                },
            });
        }
        let outcome = tally.outcome();

        let creditos = &outcome.kinds[&Kind::Creditos];
        let near = |value: u64, ms: u64| value.abs_diff(ms * 1000) <= ms;
        let times = creditos.latency_us;
        assert_eq!((times.count, outcome.latency_us.count), (100, 102));
        assert!(near(times.p50, 50) && near(times.p90, 90), "{times:?}");
        assert!(near(times.p99, 99) && near(times.p99_9, 100), "{times:?}");
        assert!(near(outcome.latency_us.max, 251), "{outcome:?}");
        assert_eq!(creditos.statuses, BTreeMap::from([(200, 101)]));
        let debitos = &outcome.kinds[&Kind::Debitos];
        assert_eq!(debitos.statuses, BTreeMap::from([(200, 1), (422, 1)]));
        assert_eq!(debitos.unanswered, 1);
        // 251 ms and the one that was never answered, of 103.
        assert!(
            (outcome.above_sla - 2.0 / 103.0).abs() < 1e-9,
            "{outcome:?}"
        );
        assert_eq!(outcome.inconsistencies.values().sum::<u64>(), 1);
        assert_eq!(outcome.failures, BTreeMap::from([("no".to_owned(), 2)]));
        let changes = [(1, 0), (2, 0), (3, 101 * 7 - 2), (4, 0), (5, 0)];
        assert_eq!(outcome.changes, BTreeMap::from(changes));
        assert_eq!((outcome.applied(), outcome.requests()), (102, 105));
        assert_eq!((outcome.unanswered(), outcome.generator.late), (2, 1));
        assert!((outcome.generator.cpus() - 0.1).abs() < 1e-9);
        assert_eq!(outcome.generator.under_way_max, 9);
        assert!((outcome.stolen - 0.25).abs() < 1e-9);
        let text = serde_json::to_string(&outcome).unwrap();
        let again: Outcome = serde_json::from_str(&text).unwrap();
        assert_eq!(again.latency_us, outcome.latency_us);
        assert_eq!(again.changes, outcome.changes);
        assert_eq!(again.kinds[&Kind::Debitos].statuses, debitos.statuses);
    }
}
