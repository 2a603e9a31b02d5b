//! A run that somebody ends is no run that passed.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use xtask::k6::{self, Options, Scenario};

use crate::{short, stack};

/// Longer than any load takes to begin; the end of patience, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// The process with that text among its arguments, other than this one.
fn process_with(argument: &str) -> Option<Pid> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut others = pids.filter(|&pid| pid != std::process::id());
    let has_it = |&pid: &u32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(argument)
    };
    Pid::from_raw(others.find(has_it)?.try_into().unwrap())
}

#[test]
fn a_run_that_is_interrupted_has_not_passed() {
    let (stack, folder) = (stack(), tempfile::tempdir().unwrap());
    let options = Options {
        reports: Some(folder.path().to_owned()),
        ..short(Scenario::Contest, 1, 120)
    };
    let ran = thread::scope(|scope| {
        let load = scope.spawn(|| k6::run(Scenario::Contest, stack.url(), &options));
        let started = Instant::now();
        let rows = "SELECT count(*) > 20 FROM banco.transacoes";
        while stack.psql(rows).unwrap() != "t" {
            assert!(started.elapsed() < PATIENCE, "no load");
            thread::sleep(Duration::from_millis(50));
        }
        let k6 = process_with(&folder.path().display().to_string()).unwrap();
        kill_process(k6, Signal::INT).unwrap();
        load.join().unwrap()
    });
    let error = ran.unwrap_err().to_string();
    assert!(error.starts_with("interrupted"), "{error}");
    let json = fs::read(folder.path().join("contest.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["failed_thresholds"], serde_json::json!([]), "{json}");
    assert!(json["requests"].as_u64().unwrap() > 0);
    assert_eq!(
        (&json["passed"], &json["interrupted"]),
        (&false.into(), &true.into())
    );
}
