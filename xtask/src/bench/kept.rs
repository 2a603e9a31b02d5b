//! Runs, kept as JSON in .crebito/bench/, and the one before that had the same settings.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contest::{STRETCH_SECONDS, beside_floor, p50_above, p99_times};
use super::open::Kind;
use super::record::{Record, Run, SHIPPED};
use super::report::commit;
use super::rounds::{Rounds, is_yardstick, median, median_if_any, variants};
use super::{Bench, Variant, to_f64};
use crate::error::Error;
use crate::home::Home;
use crate::{machine, warn};

/// The runs' own, in the folder of the state.
const FOLDER: &str = "bench";

/// One figure of a run: a median.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Figure {
    /// The level; none for the contest's load, which has no levels.
    pub connections: Option<u32>,
    pub variant: String,
    pub name: String,
    pub value: f64,
}

impl Figure {
    /// Whether it is the same figure, with whatever value.
    fn is(&self, other: &Figure) -> bool {
        (self.connections, &self.variant, &self.name)
            == (other.connections, &other.variant, &other.name)
    }
}

/// What every run has, and all that is read of one that was kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Seconds since 1970.
    pub when: u64,
    pub commit: String,
    pub machine: String,
    /// What was asked for: with the same, another run is compared.
    settings: Value,
    /// What is compared: medians.
    pub figures: Vec<Figure>,
    /// Its database did not agree with the answers.
    #[serde(default)]
    pub is_wrong: bool,
}

impl Kept {
    /// Of a run that ends now.
    pub fn now(settings: Value, figures: Vec<Figure>, is_wrong: bool) -> Kept {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Kept {
            when: since.unwrap_or_default().as_secs(),
            commit: commit(),
            machine: machine::description(),
            settings,
            figures,
            is_wrong,
        }
    }

    /// What the figure was then.
    pub fn value(&self, figure: &Figure) -> Option<f64> {
        let found = self.figures.iter().find(|kept| kept.is(figure));
        found.map(|kept| kept.value)
    }
}

/// All that was asked for, however it was asked.
pub(super) fn settings(bench: &Bench, shipped: &Variant) -> Value {
    let options = &shipped.options;
    let crebito = fs::canonicalize(&options.crebito).unwrap_or_else(|_| options.crebito.clone());
    let mut settings = json!({
        "bench": bench,
        "mix": bench.mix().as_str(),
        "crebito": crebito.display().to_string(),
        "replicas": options.replicas,
        "workers": options.workers,
        "driver": options.driver.as_str(),
        "sockets": format!("{:?}", options.sockets),
        "proxy": options.proxy.as_str(),
        "env": options.env,
        "postgres": options.postgres_settings,
    });
    if bench.drives_contest() {
        // The method: with runs of another one there is no comparing.
        settings["contest_stretch"] = json!(STRETCH_SECONDS);
    }
    settings
}

/// The figures that are worth a comparison.
pub(super) fn figures(run: &Run) -> Vec<Figure> {
    [of_levels(run), of_contests(run)].concat()
}

fn of_levels(run: &Run) -> Vec<Figure> {
    let mut figures = Vec::new();
    for rounds in Rounds::all(run) {
        let mut add = |name: &str, value: Option<f64>| {
            figures.extend(value.map(|value| Figure {
                connections: Some(rounds.connections),
                variant: rounds.variant.to_owned(),
                name: name.to_owned(),
                value,
            }));
        };
        let cpu_us = |name: &str| rounds.median_of(|record| record.cpu_us_per_request(name));
        let p99_ms = rounds.median(|record| record.load.p99_ms());
        add("requests/s", Some(rounds.rate()));
        add("/ floor", rounds.of_floor(run));
        add("/ ceiling", rounds.of_ceiling(run));
        let ours = Rounds::of(run, rounds.connections, SHIPPED);
        let ours = ours.filter(|_| rounds.variant != SHIPPED && !is_yardstick(rounds.variant));
        let rate = |record: &Record| Some(record.requests_per_second);
        add(
            "shipped's requests/s over it",
            ours.and_then(|ours| ours.over(&rounds, rate)),
        );
        add("p99 ms", Some(p99_ms).filter(|ms| *ms > 0.0));
        add(
            "stolen %",
            Some(rounds.median(|record| record.load.stolen) * 100.0),
        );
        add("CPU µs nginx", cpu_us("nginx"));
        add("CPU µs replicas", cpu_us("api"));
        add("CPU µs db", cpu_us("db"));
        if !is_yardstick(rounds.variant) {
            add(
                "CPU µs db applied",
                rounds.median_of(Record::db_us_per_applied),
            );
        }
        add(
            "operations a flight",
            rounds.median_of(|record| record.operations_per_flight),
        );
    }
    figures
}

fn of_contests(run: &Run) -> Vec<Figure> {
    let mut figures = Vec::new();
    for variant in variants(run) {
        let all = || {
            run.contests
                .iter()
                .filter(|contest| contest.variant == variant)
        };
        if all().next().is_none() {
            continue;
        }
        let ms = |of: fn(&super::open::Latency) -> u64| {
            median(all().map(|contest| to_f64(of(&contest.outcome.latency_us)) / 1e3))
        };
        let cpus = all().map(|contest| contest.services.values().map(|used| used.0).sum());
        let extratos = all().filter_map(|contest| contest.outcome.kinds.get(&Kind::Extratos));
        let extratos = extratos.map(|kind| to_f64(kind.latency_us.p99) / 1e3);
        let beside = |of| median_if_any(beside_floor(&run.contests, variant, of).into_iter());
        let stolen = median(all().map(|contest| contest.outcome.stolen * 100.0));
        for (name, value) in [
            ("p50 ms", Some(ms(|latency| latency.p50))),
            ("p99 ms", Some(ms(|latency| latency.p99))),
            ("p99.9 ms", Some(ms(|latency| latency.p99_9))),
            ("extratos' p99 ms", median_if_any(extratos)),
            ("p50 above the floor's, ms", beside(p50_above)),
            ("p99 over the floor's", beside(p99_times)),
            ("CPUs", Some(median(cpus))),
            ("stolen %", Some(stolen)),
        ] {
            figures.extend(value.map(|value| Figure {
                connections: None,
                variant: variant.to_owned(),
                name: name.to_owned(),
                value,
            }));
        }
    }
    figures
}

/// The latest run before with the same settings.
pub(super) fn before(run: &Kept) -> Option<Kept> {
    let folder = Home::find().and_then(|home| home.private(FOLDER));
    folder
        .ok()
        .and_then(|folder| latest(&folder, &run.settings))
}

/// Writes a run, `run` of it, beside those before. What was measured is not lost for want of a
/// place to keep it.
pub(super) fn keep(run: &Kept, whole: &impl Serialize) {
    let folder = Home::find().and_then(|home| home.private(FOLDER));
    if let Err(error) = folder.and_then(|folder| keep_in(&folder, run, whole)) {
        warn(format!("this run is not kept: {error}"));
    }
}

fn keep_in(folder: &Path, run: &Kept, whole: &impl Serialize) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::while_doing(folder.display()))?;
    let file = folder.join(format!("{}-{}.json", run.when, run.commit));
    let text = serde_json::to_string(whole).map_err(Error::while_doing("the figures"))?;
    fs::write(&file, text).map_err(Error::while_doing(file.display()))
}

/// The latest kept run with these settings. What cannot be read is another version's.
fn latest(folder: &Path, settings: &Value) -> Option<Kept> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let read = |file: fs::DirEntry| {
        let text = fs::read_to_string(file.path()).ok()?;
        serde_json::from_str::<Kept>(&text).ok()
    };
    files
        .filter_map(read)
        .filter(|kept| kept.settings == *settings && !kept.is_wrong)
        .max_by_key(|kept| kept.when)
}

#[cfg(test)]
mod tests {
    use super::super::record::Check;
    use super::*;

    fn run(when: u64, seconds: u32, rate: f64, rows: u64) -> Run {
        let record = Record {
            variant: SHIPPED.to_owned(),
            round: 1,
            connections: 16,
            facts: Default::default(),
            requests_per_second: rate,
            load: Default::default(),
            services: Vec::new(),
            flights_per_second: None,
            operations_per_flight: None,
            largest_flight: None,
            check: Some(Check {
                wrong_clientes: 0,
                rows,
                answered: 7,
                unread_max: 0,
            }),
        };
        let kept = Kept {
            when,
            commit: "c".to_owned(),
            machine: "m".to_owned(),
            settings: json!({ "seconds": seconds }),
            figures: Vec::new(),
            is_wrong: false,
        };
        let mut run = Run {
            kept,
            mix: "contest",
            store: "durable".to_owned(),
            limited: true,
            seconds,
            generator_threads: 1,
            awake: false,
            times: 1,
            records: vec![record],
            contests: Vec::new(),
            previous: None,
        };
        run.weigh();
        run
    }

    #[test]
    fn the_latest_sound_run_of_the_same_settings_is_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let before = |when, seconds, rate, rows| {
            let run = run(when, seconds, rate, rows);
            let previous = latest(folder.path(), &run.kept.settings);
            keep_in(folder.path(), &run.kept, &run).unwrap();
            let figure = run.kept.figures.first().unwrap();
            assert_eq!((figure.name.as_str(), figure.value), ("requests/s", rate));
            previous.map(|kept| (kept.when, kept.value(figure).unwrap()))
        };
        assert_eq!(before(1_000, 5, 10.0, 7), None);
        assert_eq!(before(1_001, 5, 20.0, 7), Some((1_000, 10.0)));
        assert_eq!(before(1_002, 9, 30.0, 7), None, "other settings");
        // Not sound: a row is missing.
        assert_eq!(before(1_003, 5, 40.0, 6), Some((1_001, 20.0)));
        fs::write(folder.path().join("odd.json"), "{}").unwrap();
        assert_eq!(before(1_004, 5, 50.0, 7), Some((1_001, 20.0)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
    }
}
