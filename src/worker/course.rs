//! How long a request took, part by part.
//!
//! The clock is read when bytes came, when an operation joins, when a flight leaves, when its
//! replies came, and when an answer is written: never for the sake of counting alone, but the last.

use super::tally::Topic;
use crate::limits;
use std::cell::Cell;

/// A moment in µs since the worker's start, cut to 32 bits: they last for 71 minutes, and no
/// request does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment(u32);

impl Moment {
    pub(super) fn at_us(us: u64) -> Self {
        let [a, b, c, d, ..] = us.to_le_bytes();
        Self(u32::from_le_bytes([a, b, c, d]))
    }

    pub(super) fn us_since(self, earlier: Moment) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

/// An answer that is not written yet, and its request's way up to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) topic: Topic,
    /// Its status' code.
    pub(super) code: u16,
    /// The request's last byte was read.
    pub(super) came: Moment,
    /// Its flight left; or, if it had none, it was answered.
    pub(super) left: Moment,
    /// The reply to its call was read; or, if it had no flight, it was answered.
    pub(super) back: Moment,
}

/// Lines about requests that took long.
pub(super) struct Slow {
    threshold_us: u32,
    /// Lines that may still be written before the next tick.
    room: Cell<u32>,
    /// Requests that got no line for want of room.
    unlogged: Cell<u64>,
}

impl Slow {
    /// Logs requests of so many ms and more: none when that is not set, all when it is 0.
    pub(super) fn new(threshold_ms: Option<u64>) -> Self {
        let threshold_us = threshold_ms.map(|ms| ms.saturating_mul(1000));
        Self {
            threshold_us: threshold_us.map_or(u32::MAX, |us| us.try_into().unwrap_or(u32::MAX)),
            room: Cell::new(limits::SLOW_LINES_TICK_MAX),
            unlogged: Cell::new(0),
        }
    }

    /// Makes room for further lines.
    pub(super) fn tick(&self) {
        self.room.set(limits::SLOW_LINES_TICK_MAX);
    }

    /// An answer was written at `written`.
    pub(super) fn written(&self, worker: usize, answered: &Answered, written: Moment) {
        let total_us = written.us_since(answered.came);
        if total_us >= self.threshold_us {
            self.log(worker, answered, written, total_us);
        }
    }

    #[cold]
    fn log(&self, worker: usize, answered: &Answered, written: Moment, total_us: u32) {
        let asked_for = self.threshold_us == 0;
        if !asked_for && self.room.get() == 0 {
            self.unlogged.set(self.unlogged.get() + 1);
            return;
        }
        self.room.set(self.room.get().saturating_sub(1));
        let unlogged = self.unlogged.take();
        let (level, message) = match asked_for {
            true => (log::Level::Info, "request"),
            false => (log::Level::Warn, "slow request"),
        };
        log::log!(
            level,
            worker,
            route = answered.topic.label(),
            status = answered.code,
            total_us,
            queue_us = answered.left.us_since(answered.came),
            database_us = answered.back.us_since(answered.left),
            write_us = written.us_since(answered.back),
            unlogged;
            "{message}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_go_round() {
        let wrapped = u64::from(u32::MAX) + 1;
        let cases = [
            (0, 0, 0),
            (5, 105, 100),
            (wrapped - 10, wrapped + 90, 100),
            (wrapped * 7 - 1, wrapped * 7, 1),
        ];
        for (earlier, later, us) in cases {
            let (earlier, later) = (Moment::at_us(earlier), Moment::at_us(later));
            assert_eq!(later.us_since(earlier), us);
        }
    }

    #[test]
    fn lines_about_slow_requests_are_few() {
        let moment = Moment::at_us;
        let answered = Answered {
            topic: Topic::Transacoes,
            code: 200,
            came: moment(0),
            left: moment(1),
            back: moment(2),
        };
        let slow = Slow::new(Some(1));
        slow.written(0, &answered, moment(999));
        assert_eq!(slow.room.get(), limits::SLOW_LINES_TICK_MAX, "not slow");
        for _ in 0..limits::SLOW_LINES_TICK_MAX + 5 {
            slow.written(0, &answered, moment(1000));
        }
        assert_eq!((slow.room.get(), slow.unlogged.get()), (0, 5));
        slow.tick();
        slow.written(0, &answered, moment(1000));
        assert_eq!(slow.unlogged.get(), 0, "the next line has told of them");

        let every = Slow::new(Some(0));
        for _ in 0..3 * limits::SLOW_LINES_TICK_MAX {
            every.written(0, &answered, moment(0));
        }
        assert_eq!(every.unlogged.get(), 0, "asked for");
        let off = Slow::new(None);
        off.written(0, &answered, moment(u64::from(u32::MAX) - 1));
        assert_eq!(off.room.get(), limits::SLOW_LINES_TICK_MAX);
    }

    #[test]
    fn an_unwritten_answer_is_small() {
        // Each connection that has been used keeps some.
        assert!(size_of::<Answered>() <= 16);
    }
}
