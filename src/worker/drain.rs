//! The way out: SIGTERM or SIGINT, heard by the main thread, told to every worker.

use super::resolve;
use super::state::Worker;
use crate::limits;
use monoio::io::AsyncReadRent;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, iterator};
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The signals that begin the drain; watched from the start on, since process 1 of a container
/// would otherwise never hear one that came early.
pub(super) struct Signals {
    signals: iterator::Signals,
    heard: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn watch() -> io::Result<Self> {
        let heard = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // The second one ends the process at once, with status 1.
            flag::register_conditional_shutdown(signal, 1, Arc::clone(&heard))?;
        }
        let signals = iterator::Signals::new([SIGTERM, SIGINT])?;
        Ok(Self { signals, heard })
    }

    /// Waits for the first one.
    pub(super) fn wait(mut self) {
        let name = match self.signals.forever().next() {
            Some(SIGINT) => "SIGINT",
            _ => "SIGTERM",
        };
        self.heard.store(true, Ordering::SeqCst);
        let most_s = limits::DRAIN_MS / 1000;
        log::info!(signal = name, most_s; "draining");
    }
}

/// Waits for the byte that says that the drain begins.
///
/// # Errors
/// It cannot be heard: the worker would never end, or end unasked.
pub(super) async fn hear(worker: Rc<Worker>, told: UnixStream) -> io::Result<()> {
    let (read, _) = resolve::from_std(told)?.read(vec![0; 1]).await;
    // None where the main thread could not start all workers: it ends the process.
    if read? > 0 {
        worker.begin_drain();
    }
    Ok(())
}
