//! Waiting, with an alarm that is exact to microseconds.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::{Errno, Result};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// epoll(7), a clock, and a timerfd(2) as the alarm: `epoll_wait` itself counts milliseconds, and
/// its wake-ups have the thread's timer slack, 50 µs.
pub(crate) struct Poll {
    epoll: OwnedFd,
    alarm: OwnedFd,
    /// Of the monotonic clock.
    start: Duration,
    events: Vec<Event>,
}

/// The alarm's; connections have smaller ones.
const ALARM: u64 = u64::MAX;
/// At a time: few, so that what becomes due meanwhile does not wait for many.
const EVENTS: usize = 32;

impl Poll {
    pub fn new() -> Result<Poll> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let alarm = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // On edges, so that an alarm needs no reading to be silent again.
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &alarm, EventData::new_u64(ALARM), flags)?;
        Ok(Poll {
            epoll,
            alarm,
            start: clock(ClockId::Monotonic),
            events: Vec::with_capacity(EVENTS),
        })
    }

    /// The time since this was made.
    pub fn now(&self) -> Duration {
        clock(ClockId::Monotonic).saturating_sub(self.start)
    }

    /// Ends the next wait at this time, if nothing else does.
    pub fn set_alarm(&self, at: Duration) -> Result<()> {
        const NEVER_AGAIN: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let at = (self.start + at).try_into().map_err(|_| Errno::OVERFLOW)?;
        let times = Itimerspec {
            it_interval: NEVER_AGAIN,
            it_value: at,
        };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::ABSTIME, &times)?;
        Ok(())
    }

    /// From now on tells of what can be read from `socket`, or written if `writable`.
    pub fn add(&self, socket: impl AsFd, key: usize, writable: bool) -> Result<()> {
        epoll::add(&self.epoll, socket, data(key), interest(writable))
    }

    /// The same for one that was added before.
    pub fn change(&self, socket: impl AsFd, key: usize, writable: bool) -> Result<()> {
        epoll::modify(&self.epoll, socket, data(key), interest(writable))
    }

    /// Waits; `ready` has the keys of the sockets that are, or nothing after an alarm or a signal.
    pub fn wait(&mut self, ready: &mut Vec<usize>) -> Result<()> {
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let keys = self.events.iter().map(|event| event.data.u64());
        ready.clear();
        ready.extend(keys.filter_map(|key| usize::try_from(key).ok().filter(|_| key != ALARM)));
        Ok(())
    }
}

/// CPU time of this thread.
pub(crate) fn cpu() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

fn clock(id: ClockId) -> Duration {
    clock_gettime(id)
        .try_into()
        .expect("neither clock goes below 0")
}

fn data(key: usize) -> EventData {
    EventData::new_u64(key as u64)
}

fn interest(writable: bool) -> EventFlags {
    if writable {
        EventFlags::IN | EventFlags::OUT
    } else {
        EventFlags::IN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn wakes_at_the_alarm_and_not_before_and_for_what_is_ready() {
        let mut poll = Poll::new().unwrap();
        let mut ready = vec![9];
        for _ in 0..3 {
            let at = poll.now() + Duration::from_micros(1500);
            poll.set_alarm(at).unwrap();
            poll.wait(&mut ready).unwrap();
            assert!(poll.now() >= at);
            assert_eq!(ready, [0; 0]);
        }
        let (near, mut far) = UnixStream::pair().unwrap();
        poll.add(&near, 3, false).unwrap();
        far.write_all(b"a").unwrap();
        poll.set_alarm(poll.now() + Duration::from_secs(60))
            .unwrap();
        poll.wait(&mut ready).unwrap();
        assert_eq!(ready, [3]);
        poll.set_alarm(Duration::ZERO).unwrap();
        drop(near);
        poll.wait(&mut ready).unwrap();
        assert_eq!(ready, [0; 0], "an alarm that is past");
    }
}
