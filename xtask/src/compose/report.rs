//! What was found, for people.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::limits::MB;
use super::load::{Loaded, unanswered};
use crate::error::Error;
use crate::say;

/// Everything that a run of the task found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub commit: String,
    pub engine: String,
    /// Name and bytes.
    pub images: Vec<(String, u64)>,
    pub steps: Vec<Step>,
}

/// One composition: up, proven, down.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    pub name: String,
    pub driver: String,
    /// From `up` to the first answer through NGINX.
    pub start_ms: u128,
    /// Tests that passed, by their file.
    pub tests: Vec<(String, u32)>,
    /// What each replica was asked for.
    pub operations: Vec<u64>,
    pub load: Option<Loaded>,
    /// What is not as it must be, the load's own aside.
    pub faults: Vec<String>,
}

impl Step {
    /// Of a composition that was brought up and asked, without test files and load.
    pub fn without_load(name: &str, driver: String, start: Duration, operations: Vec<u64>) -> Step {
        Step {
            name: name.to_owned(),
            driver,
            start_ms: start.as_millis(),
            tests: Vec::new(),
            operations,
            load: None,
            faults: Vec::new(),
        }
    }
}

impl Report {
    /// Prints it, as a table or as JSON.
    pub fn print(&self, as_json: bool) -> Result<(), Error> {
        if as_json {
            let text = serde_json::to_string_pretty(self);
            say(text.map_err(Error::while_doing("the figures"))?);
        } else {
            say(table(self));
        }
        Ok(())
    }

    /// Everything that is not as it must be, a line each.
    pub fn faults(&self) -> Vec<String> {
        let steps = self.steps.iter();
        let faults = steps.filter_map(|step| {
            let of_load = step.load.iter().flat_map(|load| &load.faults);
            let faults = step.faults.iter().chain(of_load);
            let lines: Vec<String> = faults
                .map(|fault| format!("{}: {fault}", step.name))
                .collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        });
        faults.collect()
    }
}

/// One or two screens.
fn table(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "\n{:<14}{}", "commit", report.commit);
    let _ = writeln!(text, "{:<14}{}", "engine", report.engine);
    for (image, bytes) in &report.images {
        let tenths = bytes * 10 / 1_000_000;
        let size = format!("{}.{} MB", tenths / 10, tenths % 10);
        let _ = writeln!(text, "{:<14}{image}, {size}", "image");
    }
    for step in &report.steps {
        append_step(&mut text, step);
    }
    text
}

fn append_step(text: &mut String, step: &Step) {
    let _ = writeln!(text, "\n{}: on {}", step.name, step.driver);
    let _ = writeln!(text, "  {:<22}{} ms", "ready after", step.start_ms);
    if !step.tests.is_empty() {
        let tests = step
            .tests
            .iter()
            .map(|(name, passed)| format!("{name} {passed}"));
        let tests: Vec<String> = tests.collect();
        let _ = writeln!(text, "  {:<22}{}", "tests passed", tests.join(", "));
    }
    let operations: Vec<String> = step.operations.iter().map(u64::to_string).collect();
    let operations = operations.join(", ");
    let _ = writeln!(text, "  {:<22}{operations}", "operations by replica");
    if let Some(load) = &step.load {
        append_load(text, load);
    }
}

fn append_load(text: &mut String, load: &Loaded) {
    let (summary, used) = (&load.summary, &load.used);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<22}{value}");
    };
    let answered = summary.requests.saturating_sub(unanswered(summary));
    line(
        "contest's load",
        format!(
            "{} requests in {:.0} s, {answered} of them answered",
            summary.requests, summary.seconds
        ),
    );
    let latency = &summary.latency_us;
    let times = [latency.p50, latency.p99, latency.max];
    let [p50, p99, max] = times.map(|us| format!("{}.{:02}", us / 1_000, us % 1_000 / 10));
    let busy = used.machine;
    let percent = |part: Option<u64>| part.map_or("?".to_owned(), |part| part.to_string());
    line(
        "machine, all on it",
        format!(
            "CPUs {}% idle; for {}% of the time something waited for a CPU, for {}% for a disk",
            busy.cpu_idle,
            percent(busy.cpu_waited),
            percent(busy.io_waited)
        ),
    );
    line("latency ms", format!("p50 {p50}, p99 {p99}, max {max}"));
    line(
        "inconsistencies",
        format!(
            "{}; {} rows, {} answered with 200",
            summary.inconsistencies, load.rows, load.applied
        ),
    );
    if !summary.failed_thresholds.is_empty() || summary.dropped_iterations > 0 {
        let (missed, dropped) = (
            summary.failed_thresholds.join(", "),
            summary.dropped_iterations,
        );
        line(
            "missed",
            format!("{missed}; {dropped} requests were not sent in time"),
        );
    }
    let (reuse, time_wait) = (used.sockets.upstream, used.sockets.time_wait);
    line(
        "upstream connections",
        format!(
            "{} at half time, {} at the end, {} opened in between; TIME_WAIT {} before, {} after",
            reuse.open_at_half, reuse.open_at_end, reuse.opened, time_wait.0, time_wait.1
        ),
    );
    append_services(text, load);
}

fn append_services(text: &mut String, load: &Loaded) {
    let heads = [
        "CPU limit",
        "mean use",
        "throttled ms",
        "MB limit",
        "peak",
        "peak own",
    ];
    let _ = write!(text, "\n  {:<8}", "service");
    for head in heads {
        let _ = write!(text, "{head:>13}");
    }
    let _ = writeln!(text);
    for service in &load.used.services {
        let millis = service.limits.cpu_millis;
        let cells = [
            format!("{}.{:02}", millis / 1_000, millis % 1_000 / 10),
            format!("{:.3}", service.cpus),
            service.throttled_ms.to_string(),
            (service.limits.memory_bytes / MB).to_string(),
            megabytes(service.memory_peak_bytes),
            megabytes(service.memory_own_peak_bytes),
        ];
        let _ = write!(text, "  {:<8}", service.service);
        for cell in cells {
            let _ = write!(text, "{cell:>13}");
        }
        let _ = writeln!(text);
    }
    let note = "peak: with page cache, which the kernel drops at need; own: anonymous and shared";
    let _ = writeln!(text, "  {note}");
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes * 10 / MB;
    format!("{}.{}", tenths / 10, tenths % 10)
}
