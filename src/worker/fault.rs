//! What a panic may take with it.
//!
//! A panic while a connection is handled costs that connection; one in the ledger or the session
//! costs the process, because whose answer is whose would no longer be known.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;

/// The exit status after a panic in a vital part (EX_SOFTWARE of sysexits.h).
pub(super) const EXIT_STATUS: i32 = 70;

/// Runs `part`; `None` when it panicked, which is logged.
pub(super) fn contained<R>(part: impl FnOnce() -> R) -> Option<R> {
    // What `part` shares is either dropped with its connection or guarded by `vital`.
    let result = catch_unwind(AssertUnwindSafe(part)).ok();
    if result.is_none() {
        log::error!(thread = thread(); "a connection is closed after a panic");
    }
    result
}

/// Runs `part`, of which the process must not outlive a panic; its name is for the log.
pub(super) fn vital<R>(name: &str, part: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(part)) {
        Ok(result) => result,
        Err(_) => end(name),
    }
}

/// Polls a connection's task; a panic ends only that task. It is pinned by its owner: a future
/// that is given away is kept in two places, and each connection has one.
pub(super) async fn contained_task(mut task: Pin<&mut impl Future<Output = ()>>) {
    poll_fn(|context| contained(|| task.as_mut().poll(context)).unwrap_or(Poll::Ready(()))).await;
}

/// Polls a vital task: a panic ends the process.
pub(super) async fn vital_task<R>(name: &str, task: impl Future<Output = R>) -> R {
    let mut task = pin!(task);
    poll_fn(|context| vital(name, || task.as_mut().poll(context))).await
}

fn end(name: &str) -> ! {
    log::error!(part = name, thread = thread(); "the process ends after a panic");
    std::process::exit(EXIT_STATUS)
}

/// This thread's name, which is its worker's.
fn thread() -> String {
    let thread = std::thread::current();
    thread.name().unwrap_or("unnamed").to_owned()
}
