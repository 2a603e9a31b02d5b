//! What a comparison came to, as it is kept beside the report and embedded in it.

use serde::{Deserialize, Serialize};

use super::super::open::Outcome;
use super::super::record::{Facts, GENERATOR, Record, Service};
use super::super::rounds::median_if_any;
use super::super::to_f64;
use crate::k6::Summary;

/// All of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Comparison {
    /// When it began, RFC 3339, UTC.
    pub taken: String,
    /// Of the checkout that measured.
    pub commit: String,
    /// Names and values, for people.
    pub machine: Vec<(String, String)>,
    pub method: Method,
    /// In the order in which they were named.
    pub targets: Vec<About>,
    /// In the order in which they took place.
    pub visits: Vec<Visit>,
}

/// How it was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Method {
    pub rounds: u32,
    /// Of each level of connections.
    pub seconds: u32,
    pub connections: Vec<u32>,
    /// In which the contest's load was measured, by our own generator; 0 is not.
    pub contest_seconds: u32,
    /// The same by k6; 0 is not.
    pub k6_seconds: u32,
    /// The shipped stack within the limits of docker-compose.yml.
    pub limited: bool,
}

/// What a target is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// It is compared.
    Bank,
    /// No bank behind this NGINX answers faster.
    Floor,
    /// No bank that makes one call for each transacao applies more.
    Ceiling,
}

/// One target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub name: String,
    pub role: Role,
    /// A sentence: what it is made of.
    pub what: String,
    pub facts: Option<Facts>,
}

/// One target's turn in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Visit {
    pub target: String,
    pub round: u32,
    pub k6: Option<Summary>,
    pub contest: Option<Contest>,
    pub levels: Vec<Record>,
    /// What was looked at, whether or not something was found.
    #[serde(rename = "checked")]
    pub aspects: Vec<Aspect>,
    pub findings: Vec<Finding>,
}

/// The contest's load by our own generator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Contest {
    pub outcome: Outcome,
    pub services: Vec<Service>,
}

/// What a bank is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Aspect {
    /// The contest's, asked of a fresh bank.
    Validations,
    /// What an answer under load says of saldo and limite.
    Answers,
    /// Each saldo before and after a load, asked over HTTP, against the answers in between.
    Saldos,
    /// The database: each saldo the sum of its transacoes, as many rows as answers of 200.
    Database,
    /// That it answered at all, and with a status that the contest knows.
    Availability,
}

impl Aspect {
    pub const ALL: [Aspect; 5] = [
        Aspect::Validations,
        Aspect::Answers,
        Aspect::Saldos,
        Aspect::Database,
        Aspect::Availability,
    ];

    /// For a column's head.
    pub fn name(self) -> &'static str {
        match self {
            Aspect::Validations => "Validations",
            Aspect::Answers => "Answers",
            Aspect::Saldos => "Saldos",
            Aspect::Database => "Database",
            Aspect::Availability => "Availability",
        }
    }

    /// Whether what is found makes the bank wrong, and not only unavailable.
    pub fn is_about_money(self) -> bool {
        self != Aspect::Availability
    }
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Finding {
    #[serde(rename = "check")]
    pub aspect: Aspect,
    /// Under which load.
    pub load: String,
    pub sentence: String,
    pub count: u64,
}

/// CPU µs a request of all services but the generator.
pub(super) fn cpu_us(record: &Record) -> f64 {
    let services = record.services.iter();
    let services = services.filter(|service| service.name != GENERATOR);
    services.map(|service| service.cpu_us_per_request).sum()
}

/// The median, and how far the rounds lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spread {
    pub mid: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// None of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let mid = median_if_any(values.into_iter())?;
        Some(Spread { mid, least, most })
    }
}

impl Comparison {
    /// Of one target, over the rounds.
    pub fn visits<'a>(&'a self, target: &'a str) -> impl Iterator<Item = &'a Visit> + Clone {
        let of = move |visit: &&Visit| visit.target == target;
        self.visits.iter().filter(of)
    }

    /// Those of one target at one level.
    pub fn levels<'a>(
        &'a self,
        target: &'a str,
        connections: u32,
    ) -> impl Iterator<Item = &'a Record> + Clone {
        let levels = self.visits(target).flat_map(|visit| &visit.levels);
        levels.filter(move |level| level.connections == connections)
    }

    /// A figure of one target at one level, over the rounds.
    pub fn at(&self, target: &str, connections: u32, of: fn(&Record) -> f64) -> Option<Spread> {
        Spread::of(self.levels(target, connections).map(of))
    }

    /// Requests a second.
    pub fn rate(&self, target: &str, connections: u32) -> Option<Spread> {
        self.at(target, connections, |level| level.requests_per_second)
    }

    /// A figure of the contest's load, over the rounds.
    pub fn contest(&self, target: &str, of: fn(&Contest) -> f64) -> Option<Spread> {
        let contests = self.visits(target).filter_map(|it| it.contest.as_ref());
        Spread::of(contests.map(of))
    }

    /// The most connections that were measured.
    pub fn top(&self) -> u32 {
        let levels = self.method.connections.iter().copied();
        levels.max().unwrap_or_default()
    }

    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &About> {
        self.targets
            .iter()
            .filter(move |target| target.role == role)
    }

    /// pgbench's best number of sessions.
    pub fn ceiling(&self, target: &str) -> Option<(u32, Spread)> {
        let levels = self.visits(target).flat_map(|visit| &visit.levels);
        let mut sessions: Vec<u32> = levels.map(|level| level.connections).collect();
        sessions.sort_unstable();
        sessions.dedup();
        let rates = sessions
            .into_iter()
            .filter_map(|sessions| Some((sessions, self.rate(target, sessions)?)));
        rates.max_by(|one, other| one.1.mid.total_cmp(&other.1.mid))
    }

    /// How many things were found, by whether they are about money.
    pub fn found(&self, target: &str, about_money: bool) -> u64 {
        let findings = self.visits(target).flat_map(|visit| &visit.findings);
        let of = findings.filter(|finding| finding.aspect.is_about_money() == about_money);
        of.map(|finding| finding.count).sum()
    }

    /// The services of a target in their order, without the generator.
    pub fn services<'a>(&'a self, target: &'a str) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        let levels = self.visits(target).flat_map(|visit| &visit.levels);
        for service in levels.flat_map(|level| &level.services) {
            if service.name != GENERATOR && !names.contains(&service.name.as_str()) {
                names.push(&service.name);
            }
        }
        names
    }

    /// A figure of one service at one level, over the rounds.
    pub fn service(
        &self,
        target: &str,
        connections: u32,
        name: &str,
        of: fn(&Service) -> f64,
    ) -> Option<Spread> {
        let services = self.levels(target, connections).filter_map(|level| {
            let mut services = level.services.iter();
            services.find(|service| service.name == name)
        });
        Spread::of(services.map(of))
    }

    /// The most memory that a service was seen with, in MB: its group's charge, page cache and
    /// all, else what was resident.
    pub fn memory_mb(&self, target: &str, name: &str) -> Option<f64> {
        let levels = self.visits(target).flat_map(|visit| &visit.levels);
        let services = levels.flat_map(|level| &level.services);
        let services = services.filter(|service| service.name == name);
        let bytes = services.filter_map(|service| {
            let resident = service.peak_rss_kib.map(|kib| kib * 1024);
            service.peak_bytes.or(resident)
        });
        bytes.max().map(|bytes| to_f64(bytes) / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_rounds() {
        let check = |values: &[f64], expected: Option<(f64, f64, f64)>| {
            let found = Spread::of(values.iter().copied());
            let found = found.map(|it| (it.mid, it.least, it.most));
            assert_eq!(found, expected, "{values:?}");
        };
        check(&[], None);
        check(&[3.0], Some((3.0, 3.0, 3.0)));
        check(&[4.0, 1.0], Some((2.5, 1.0, 4.0)));
        check(&[9.0, 1.0, 4.0], Some((4.0, 1.0, 9.0)));
    }
}
