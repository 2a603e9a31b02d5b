//! Keeps one greedy peer from being served alone.
//!
//! Under epoll a read is done at once for as long as bytes are there, and a task that never waits
//! keeps its worker: no other connection, session or deadline would have its turn. (Under io_uring
//! every read waits.)

use crate::limits;
use std::time::Duration;

/// How often in a row a task found something at once.
#[derive(Default)]
pub(super) struct Pace {
    at_once: u32,
}

impl Pace {
    /// To be called after each read or accept, with whether it `waited`. Pauses when it is the
    /// others' turn: a timer, since monoio runs a task that wakes itself before all others.
    pub(super) async fn keep(&mut self, waited: bool) {
        if waited {
            self.at_once = 0;
            return;
        }
        self.at_once += 1;
        if self.at_once >= limits::AT_ONCE_MAX {
            self.at_once = 0;
            // A timer takes 600 bytes, which every connection would have in itself.
            Box::pin(monoio::time::sleep(Duration::from_millis(limits::TURN_MS))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::IoDriver;
    use crate::worker::driver;
    use std::cell::Cell;
    use std::rc::Rc;

    /// Turns of another task while one finds something at once, `times` in a row.
    fn turns_of_others(driver: IoDriver, times: u32) -> u32 {
        let choice = driver::choose(driver).expect("both drivers are to be had");
        let mut runtime = driver::build(&choice).expect("a runtime");
        let (turns, over) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let (theirs, until) = (Rc::clone(&turns), Rc::clone(&over));
        runtime.block_on(async move {
            let others = monoio::spawn(async move {
                while !until.get() {
                    monoio::time::sleep(Duration::from_millis(limits::TURN_MS)).await;
                    theirs.set(theirs.get() + 1);
                }
            });
            let mut pace = Pace::default();
            for _ in 0..times {
                pace.keep(false).await;
            }
            over.set(true);
            others.await;
        });
        turns.get()
    }

    #[test]
    fn others_have_their_turn() {
        for driver in [IoDriver::IoUring, IoDriver::Epoll] {
            assert!(turns_of_others(driver, 100 * limits::AT_ONCE_MAX) > 20);
            assert_eq!(turns_of_others(driver, limits::AT_ONCE_MAX - 1), 0);
        }
    }
}
