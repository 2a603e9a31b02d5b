//! perf/: its scripts are sound, and what they stand on gives a command a stack under load.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use xtask::bench::Mix;
use xtask::stack::{Options, Postgres, sql_files};
use xtask::under_load::{UnderLoad, under_load};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scripts() -> Vec<PathBuf> {
    let entries = fs::read_dir(top().join("perf")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let scripts = paths.filter(|path| path.extension().is_some_and(|kind| kind == "sh"));
    scripts.collect()
}

/// Both outputs, if it ends well.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.current_dir(top()).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(text)
    }
}

#[test]
fn the_scripts_are_sound() {
    let scripts = scripts();
    assert!(scripts.len() >= 6, "{scripts:?}");
    for script in &scripts {
        let read = said(Command::new("bash").arg("-n").arg(script));
        assert_eq!(read.as_deref(), Ok(""), "{}", script.display());
    }
    if Command::new("shellcheck")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("skipped: shellcheck is not on this machine (apt-get install shellcheck)");
        return;
    }
    let found = said(Command::new("shellcheck").arg("-x").args(&scripts));
    assert_eq!(found.as_deref(), Ok(""));
}

/// The procedures are called in turn, so a line has a figure of each.
#[test]
fn the_procedures_are_compared() {
    let server = Postgres::private(&[], &[]).unwrap();
    server.apply_sql().unwrap();
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let script = format!(
        "\\set times 2\n\\set clientes 1000\n{}",
        read(&top().join("perf/procedures.sql"))
    );
    // Never in the bank itself.
    let refused = server.psql(&script).unwrap_err().to_string();
    assert!(refused.contains("named calls"), "{refused}");
    let clientes = server.psql("SELECT count(*), max(limite) FROM banco.clientes");
    assert_eq!(clientes.unwrap().trim(), "5|10000000");
    server.psql("CREATE DATABASE calls").unwrap();
    let sql: String = sql_files().unwrap().iter().map(|path| read(path)).collect();
    let printed = server
        .psql(&format!("\\connect calls\n{sql}{script}"))
        .unwrap();
    let flights: Vec<Vec<f64>> = printed
        .lines()
        .map(|line| line.split('|').flat_map(str::parse).collect())
        .collect();
    let sizes = flights.iter().map(|figures| (figures[0], figures[1]));
    let expected = [
        (1.0, 0.0),
        (2.0, 0.0),
        (3.0, 0.0),
        (8.0, 1.0),
        (16.0, 1.0),
        (20.0, 0.0),
        (64.0, 0.0),
        (64.0, 1.0),
        (64.0, 4.0),
        (64.0, 8.0),
    ];
    assert_eq!(sizes.collect::<Vec<_>>(), expected, "{printed}");
    for figures in flights {
        // Only flights of one have a procedure more.
        assert_eq!(figures.len(), if figures[0] == 1.0 { 7 } else { 6 });
        assert!(figures[2..].iter().all(|figure| *figure > 0.0), "{printed}");
    }
}

/// A command under a short load, and the figures of its time.
fn run(command: &str) -> (Result<(), String>, Option<serde_json::Value>) {
    xtask::say_nothing();
    let folder = tempfile::tempdir().unwrap();
    let figures = folder.path().join("figures.json");
    let task = UnderLoad {
        connections: 4,
        mix: Mix::Contest,
        warm_up: 0,
        figures: Some(figures.clone()),
        command: ["sh", "-c", command].map(str::to_owned).into(),
    };
    let options = Options::new(env!("CARGO_BIN_EXE_crebito"));
    let heard = AtomicBool::new(false);
    let ran = under_load(&task, options, false, &heard).map_err(|error| error.to_string());
    let read = fs::read(&figures).ok();
    (ran, read.map(|text| serde_json::from_slice(&text).unwrap()))
}

#[test]
fn under_load_a_command_finds_the_processes() {
    let (ran, figures) = run("set -eu; IFS=,; n=0
         for pid in $NGINX_PIDS,$REPLICA_PIDS,$POSTGRES_PIDS; do kill -0 $pid; n=$((n + 1)); done
         [ $n -ge 6 ]; IFS=' '
         for replica in $REPLICAS; do [ -S ${replica#unix:} ]; done
         sleep 1");
    assert_eq!(ran, Ok(()));
    let figures = figures.unwrap();
    assert!(figures["requests"].as_u64().unwrap() > 0, "{figures}");
    assert!(figures["seconds"].as_f64().unwrap() >= 1.0, "{figures}");
    assert!(figures["driver"].is_string());
}

#[test]
fn a_command_that_fails_is_named() {
    let (ran, figures) = run("exit 3");
    let error = ran.unwrap_err();
    assert!(error.contains("sh") && error.contains('3'), "{error}");
    assert!(figures.is_none());
}

#[test]
fn the_costliest_frames_are_those_with_time_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let folded = folder.path().join("a.folded");
    fs::write(&folded, "main;a 10\nmain;a;b c 70\nmain;b c 20\n").unwrap();
    let script = top().join("perf/costliest.sh");
    let said = said(Command::new(&script).arg(&folded)).unwrap();
    assert_eq!(said, "  90.0%  b c\n  10.0%  a\n");
    // What is left out is read to its end: its writer would die of a pipe that is closed.
    let many = (0..20_000).map(|frame| format!("main;{frame:040} {frame}\n"));
    fs::write(&folded, many.collect::<String>()).unwrap();
    let said = self::said(Command::new(&script).arg(&folded).arg("2")).unwrap();
    assert_eq!(said.lines().count(), 2);
}
