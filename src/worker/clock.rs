//! One worker's clock: the time since its start, the latest tick, the date that answers carry.

use super::course::Moment;
use crate::http::Date;
use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(super) struct Clock {
    started: Instant,
    tick_ms: Cell<u64>,
    /// In seconds since 1970, and as answers have it.
    second: Cell<u64>,
    date: Cell<Date>,
}

impl Clock {
    pub(super) fn new() -> Self {
        let second = unix_time().as_secs();
        Self {
            started: Instant::now(),
            tick_ms: Cell::new(0),
            second: Cell::new(second),
            date: Cell::new(date_at(second)),
        }
    }

    /// Microseconds since the worker's start.
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Milliseconds since the worker's start.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    pub(super) fn moment(&self) -> Moment {
        Moment::at_us(self.now_us())
    }

    /// The latest tick, in ms since the worker's start: at most a little more than
    /// [`limits::TICK_MS`](crate::limits::TICK_MS) ago, and free.
    pub(super) fn tick_ms(&self) -> u64 {
        self.tick_ms.get()
    }

    /// As of the latest tick.
    pub(super) fn date(&self) -> Date {
        self.date.get()
    }

    /// A tick; returns when it is, in µs since the worker's start.
    pub(super) fn tick(&self) -> u64 {
        let now_us = self.now_us();
        self.tick_ms.set(now_us / 1000);
        self.turn(unix_time().as_secs());
        now_us
    }

    /// Writes the date of a second that has begun, once.
    fn turn(&self, second: u64) {
        if self.second.replace(second) != second {
            self.date.set(date_at(second));
        }
    }
}

fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn date_at(second: u64) -> Date {
    Date::at(i64::try_from(second).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_that_of_the_second() {
        let clock = Clock::new();
        for (second, date) in [
            (784_887_151, "Tue, 15 Nov 1994 08:12:31 GMT"),
            (784_887_151, "Tue, 15 Nov 1994 08:12:31 GMT"),
            (784_887_152, "Tue, 15 Nov 1994 08:12:32 GMT"),
            // Clocks are set back, too.
            (784_887_151, "Tue, 15 Nov 1994 08:12:31 GMT"),
        ] {
            clock.turn(second);
            assert_eq!(clock.date().as_bytes(), date.as_bytes());
        }
    }
}
