//! How the kernel schedules a replica's threads, asked of the kernel.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;

use std::fs::{self, DirEntry};
use std::io;

use replica::{NOWHERE, Replica, deny, free_address};

/// What the log says where the kernel says no.
const REFUSED: &str = "SCHED_BATCH is refused";
/// Numbers of sched(7).
const SCHED_BATCH: &str = "3";
const SCHED_IDLE: &str = "5";

#[test]
fn each_thread_has_the_policy_that_was_asked_for() {
    let check = |settings: &[(&str, &str)]| {
        let replica = start(settings);
        assert_policy(&replica, "batch", SCHED_BATCH);
        assert!(!replica.log().contains(REFUSED), "{}", replica.log());
    };
    check(&[]);
    check(&[("SCHED_POLICY", "batch")]);
}

#[test]
fn inherited_is_the_policy_that_it_was_started_with() {
    let replica = of_an_idle_thread(|| start(&[("SCHED_POLICY", "inherit")]));
    assert_policy(&replica, "inherit", SCHED_IDLE);
    assert!(!replica.log().contains(REFUSED), "{}", replica.log());
}

#[test]
fn where_it_is_denied_the_replica_says_so_and_serves() {
    let replica = of_an_idle_thread(|| {
        deny(uapi::c::SYS_sched_setscheduler);
        start(&[])
    });
    assert_policy(&replica, "inherit", SCHED_IDLE);
    let log = replica.log();
    assert!(log.contains(REFUSED), "{log}");
    assert!(log.contains("not permitted"), "{log}");
}

/// What a thread makes that has a policy of its own, which nobody else here has.
fn of_an_idle_thread(start: impl FnOnce() -> Replica + Send) -> Replica {
    std::thread::scope(|scope| {
        let idle = scope.spawn(|| {
            let parameters = uapi::c::sched_param { sched_priority: 0 };
            uapi::sched_setscheduler(0, uapi::c::SCHED_IDLE, &parameters).unwrap();
            start()
        });
        idle.join().unwrap()
    })
}

/// One of two workers, which answers; both have said that there is no database.
fn start(more: &[(&str, &str)]) -> Replica {
    let listen = free_address().to_string();
    let settings = [NOWHERE, ("LISTEN", &listen), ("WORKERS", "2")];
    let mut replica = Replica::start(&[&settings, more].concat());
    replica.wait_for("/healthz", 200);
    replica.wait_for_log("worker=0");
    replica.wait_for_log("worker=1");
    replica
}

/// Of main thread and workers, and of the line that says so.
fn assert_policy(replica: &Replica, policy: &str, number: &str) {
    let tasks = fs::read_dir(format!("/proc/{}/task", replica.pid())).unwrap();
    let found: Vec<String> = tasks.map(policy_of).collect();
    assert!(found.len() >= 3, "{found:?}");
    assert!(found.iter().all(|found| found == number), "{found:?}");
    let said = format!("sched_policy={policy} ");
    assert!(replica.log().contains(&said), "{}", replica.log());
}

/// Field 41 of /proc/PID/task/TID/stat (proc(5)).
fn policy_of(task: io::Result<DirEntry>) -> String {
    let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
    // The name, field 2, may have spaces, and ends with the last parenthesis.
    let (_, from_third) = stat.rsplit_once(')').unwrap();
    from_third
        .split_whitespace()
        .nth(41 - 3)
        .unwrap()
        .to_owned()
}
