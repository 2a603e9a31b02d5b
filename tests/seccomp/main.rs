//! seccomp.json in force, in real containers. A profile that the engine cannot make sense of means
//! no filter at all, without a word: so it is asked of the kernel, call by call.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::composed::Composed;
use serde_json::Value;
use tempfile::TempDir;

/// Longer than a container takes to start: a guard.
const GUARD: Duration = Duration::from_secs(30);
const EPERM: i32 = 1;
const ENOSYS: i32 = 38;
const IO_URING: [&str; 3] = ["io_uring_setup", "io_uring_enter", "io_uring_register"];

/// Calls of the probe that pass our filter.
const ALLOWED: &[&str] = &[
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "pidfd_open",
    "pidfd_getfd",
    "socket of Unix",
    "socket of IPv4",
    "socket of IPv6",
    "socket of netlink",
    "socketpair of Unix",
    "ioctl FIONBIO",
    "eventfd",
    "epoll_create1",
    "sched_setscheduler of SCHED_BATCH",
];
/// Calls that do not, and are answered as if the kernel had none such, by a rule of ours: on this
/// alone glibc falls back to clone.
const ABSENT: &[&str] = &["clone3"];
/// Calls newer than all that the profile names: runc answers them as absent from 1.0.0 on, as the
/// profile says before that.
const NEWER: &[&str] = &["landlock"];
/// All others are refused with EPERM: so many at least, lest the probe said nothing.
const REFUSED_MIN: usize = 25;

fn profile() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seccomp.json")
}

fn read_profile() -> Value {
    serde_json::from_str(&fs::read_to_string(profile()).unwrap()).unwrap()
}

/// A copy of the profile, without these names.
fn without(names: &[&str], folder: &TempDir) -> PathBuf {
    let mut profile = read_profile();
    let rules = profile["syscalls"].as_array_mut().unwrap();
    let mut taken = 0;
    for rule in rules.iter_mut() {
        let left = rule["names"].as_array_mut().unwrap();
        let before = left.len();
        left.retain(|name| !names.contains(&name.as_str().unwrap()));
        taken += before - left.len();
    }
    assert_eq!(taken, names.len(), "each is named once");
    rules.retain(|rule| !rule["names"].as_array().unwrap().is_empty());
    let path = folder.path().join("without.json");
    fs::write(&path, profile.to_string()).unwrap();
    path
}

/// A container of the replicas' image, removed on drop.
struct Container<'a> {
    composed: &'a Composed,
    id: String,
}

impl<'a> Container<'a> {
    /// Makes one, without a network, under `profile`: a path, or `unconfined`.
    fn create(composed: &'a Composed, profile: &str, more: &[&str]) -> Self {
        let profile = format!("seccomp={profile}");
        let first = ["create", "--network", "none", "--security-opt", &profile];
        let arguments = [&first, more, &[&composed.image]].concat();
        let id = composed.docker(&arguments).unwrap().trim().to_owned();
        Self { composed, id }
    }

    /// Runs it to its end; gives what it printed.
    fn run(&self) -> String {
        let said = self.composed.docker(&["start", "--attach", &self.id]);
        said.unwrap()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.composed.docker(&["rm", "--force", &self.id]);
    }
}

/// The probe, static as the server is: an empty image has no loader.
fn build_probe(folder: &TempDir) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seccomp/probe.rs");
    let probe = folder.path().join("probe");
    let built = Command::new("rustc")
        .args(["--edition", "2024"])
        .args(xtask::build::STATIC)
        .arg("-o")
        .args([&probe, &source])
        .status();
    assert!(built.unwrap().success(), "the probe does not compile");
    probe
}

/// What came of each call in a container under `profile`. Root with CAP_SYS_ADMIN, so that it is
/// the filter alone that stands in the way.
fn probe(composed: &Composed, probe: &Path, profile: &str) -> BTreeMap<String, i32> {
    let more = ["--user=0", "--cap-add=SYS_ADMIN", "--entrypoint=/probe"];
    let container = Container::create(composed, profile, &more);
    let inside = format!("{}:/probe", container.id);
    composed
        .docker(&["cp", probe.to_str().unwrap(), &inside])
        .unwrap();
    let said = container.run();
    let calls = said.lines().map(|line| {
        let (name, errno) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), errno.parse().unwrap())
    });
    calls.collect()
}

#[test]
#[ignore = "cargo xtask compose-test runs it in containers"]
fn a_call_outside_the_profile_is_refused_composed() {
    let composed = Composed::described();
    let folder = TempDir::new().unwrap();
    let program = build_probe(&folder);
    let unconfined = probe(&composed, &program, "unconfined");
    let confined = probe(&composed, &program, profile().to_str().unwrap());
    assert_eq!(confined.len(), unconfined.len());
    let mut refused = 0;
    for (name, errno) in &confined {
        let name = name.as_str();
        let kernels = unconfined[name];
        assert_ne!(kernels, EPERM, "{name}: refused without a profile, too");
        if ALLOWED.contains(&name) {
            assert_eq!(*errno, kernels, "{name} under the profile");
        } else if ABSENT.contains(&name) {
            assert_eq!(*errno, ENOSYS, "{name} under the profile");
        } else if NEWER.contains(&name) {
            assert!([EPERM, ENOSYS].contains(errno), "{name}: {errno}");
        } else {
            assert_eq!(*errno, EPERM, "{name} under the profile");
            refused += 1;
        }
    }
    assert!(refused >= REFUSED_MIN, "{confined:?}");
    println!("{refused} calls refused of {}", confined.len());
}

/// The first line of a replica's log under `profile`, without a database and with the
/// composition's own restrictions.
fn first_line(composed: &Composed, profile: &str) -> String {
    let more = [
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges:true",
        "--env=DATABASE_URL=postgres://nobody@127.0.0.1:1/none",
    ];
    let container = Container::create(composed, profile, &more);
    composed.docker(&["start", &container.id]).unwrap();
    let since = Instant::now();
    loop {
        let log = composed.docker_log(&container.id).unwrap();
        if let Some(line) = log.lines().find(|line| line.contains(" driver=")) {
            return line.to_owned();
        }
        assert!(since.elapsed() < GUARD, "no driver in its log: {log}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "cargo xtask compose-test runs it in containers"]
fn the_profile_decides_the_driver_composed() {
    let composed = Composed::described();
    let folder = TempDir::new().unwrap();
    let line = first_line(&composed, profile().to_str().unwrap());
    for part in ["driver=io_uring", "sched_policy=batch"] {
        assert!(line.contains(part), "{line}");
    }
    let denying = without(&IO_URING, &folder);
    let line = first_line(&composed, denying.to_str().unwrap());
    for part in ["driver=epoll", "a sandbox forbids it", "os error 1"] {
        assert!(line.contains(part), "{line}");
    }
}

/// Asked of this machine's kernel: the engine must be on it.
#[test]
#[ignore = "cargo xtask compose-test runs it in containers"]
fn each_replica_of_the_composition_has_one_filter_and_it_is_ours_composed() {
    let composed = Composed::described();
    assert!(composed.containers.len() >= 2, "{:?}", composed.containers);
    for name in &composed.containers {
        let inspected = composed.docker(&["inspect", name]).unwrap();
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        let options = inspected[0]["HostConfig"]["SecurityOpt"].as_array();
        let options = options.into_iter().flatten().filter_map(Value::as_str);
        let given: Vec<Value> = options
            .filter_map(|option| option.strip_prefix("seccomp="))
            .map(|json| serde_json::from_str(json).unwrap())
            .collect();
        let ours = given == [read_profile()];
        assert!(
            ours,
            "{name}: the engine was given another profile: {given:?}"
        );
        let pid = &inspected[0]["State"]["Pid"];
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |field: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(field));
            value
                .unwrap_or_else(|| panic!("{field} is not in\n{status}"))
                .trim()
        };
        assert_eq!(field("Name:"), "crebito", "{name} is not on this machine");
        assert_eq!(field("Seccomp:"), "2", "{name}: a filter");
        assert_eq!(field("Seccomp_filters:"), "1", "{name}: one");
        assert_eq!(field("NoNewPrivs:"), "1", "{name}");
        assert_eq!(field("CapEff:"), "0000000000000000", "{name}");
    }
}
