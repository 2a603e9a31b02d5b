//! When the kernel lets a worker run.
//!
//! A worker that has slept would take the CPU from whoever woke it, by the rules for interactive
//! programs. On a CPU that NGINX, PostgreSQL and a replica share, that is a switch for each request
//! that NGINX passes on. Under SCHED_BATCH (sched(7)) the worker waits until that one sleeps, and
//! then finds several requests at once; its share of the CPU is the same, and a CPU that is idle it
//! has at once. docs/decisions/0009-sched-batch.md has the numbers.

use crate::config::SchedPolicy;
use std::io;
use uapi::c::{SCHED_BATCH, sched_param};

/// Applies it to this thread, and to all that it starts from now on.
///
/// # Errors
/// It is refused, by a sandbox: the policy is still the one that the process was started with.
pub(super) fn apply(policy: SchedPolicy) -> io::Result<()> {
    if policy == SchedPolicy::Inherit {
        return Ok(());
    }
    // 0 is this thread; the priority is one of real time, and must be 0.
    uapi::sched_setscheduler(0, SCHED_BATCH, &sched_param { sched_priority: 0 })?;
    Ok(())
}
