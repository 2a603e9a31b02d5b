//! When the kernel lets a worker run.
//!
//! A thread that has slept may take the CPU from the one that runs when it is woken: schedulers
//! favour interactive programs. For a replica that is a switch of CPU for each request that NGINX
//! passes on. Under SCHED_BATCH (sched(7)) a thread that is woken waits until the one that runs
//! sleeps, or its slice is over, and then finds several requests at once; its share of the CPU is
//! the same, and a CPU that is idle it has at once. docs/decisions/0009-sched-batch.md has numbers.

use crate::config::SchedPolicy;
use std::io;
use uapi::c::{SCHED_BATCH, sched_param};

/// Applies it to this thread, and to all that it starts from now on.
///
/// # Errors
/// The kernel or a sandbox refuses it: the policy is the one that the process was started with.
pub(super) fn apply(policy: SchedPolicy) -> io::Result<()> {
    if policy == SchedPolicy::Inherit {
        return Ok(());
    }
    // 0 is this thread; the priority is one of real time, and must be 0.
    uapi::sched_setscheduler(0, SCHED_BATCH, &sched_param { sched_priority: 0 })?;
    Ok(())
}
