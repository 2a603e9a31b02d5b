//! What one connection's task shares with those who answer it.

use super::course::{Answered, Moment};
use super::spare::{Outgoing, SpareBuffers};
use super::tally::{COUNTS, Topic};
use crate::http;
use crate::limits;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

/// No deadline.
const NEVER: u64 = u64::MAX;

/// One connection: its answers on the way out, and how it stands.
pub(super) struct Exchange {
    /// Serves the admin routes too.
    pub(super) admin: bool,
    /// Answers, in order, that wait to be written.
    out: RefCell<Outgoing>,
    /// The tick before the first of them was appended, in ms since the worker's start.
    since_ms: Cell<u64>,
    /// What those take that are being written, in bytes.
    writing: Cell<usize>,
    /// Operations in the ledger that are not answered yet.
    pending: Cell<usize>,
    /// An extrato is among them: nothing further of this connection may join.
    extrato_pending: Cell<bool>,
    /// No further request is decoded: the peer ended, or an answer said `Connection: close`.
    closed_to_requests: Cell<bool>,
    /// Nothing more will be appended: write what is there, then close.
    finished: Cell<bool>,
    /// All is written and the sending side is closed.
    written: Cell<bool>,
    /// The peer is gone or takes nothing: both halves stop at once.
    severed: Cell<bool>,
    /// What the read half waits for.
    awaits: Cell<Awaits>,
    /// It has waited for long enough.
    read_expired: Cell<bool>,
    /// The bytes under way must be taken before this, in ms since the worker's start.
    write_deadline_ms: Cell<u64>,
    waker: RefCell<Option<Waker>>,
    /// The connection's own task is running: it looks again by itself.
    running: Cell<bool>,
    changed: Cell<bool>,
}

/// What a connection's read half waits for, and since when in ms since the worker's start.
#[derive(Clone, Copy)]
pub(super) enum Awaits {
    /// No bytes: something else is in the way.
    Nothing,
    /// The first byte of a request.
    Request { since_ms: u64 },
    /// The rest of a request that was begun.
    Rest { since_ms: u64 },
    /// The end of the peer's side, after the last answer.
    End { since_ms: u64 },
}

/// Who waits for an operation, and how the answer is to be written.
pub(super) struct Ticket {
    pub(super) exchange: Rc<Exchange>,
    pub(super) persistence: http::Persistence,
    pub(super) head_only: bool,
    /// What is asked for, and when its last byte was read.
    pub(super) topic: Topic,
    pub(super) came: Moment,
}

impl Exchange {
    pub(super) fn new(admin: bool) -> Self {
        Self {
            admin,
            out: RefCell::default(),
            since_ms: Cell::new(0),
            writing: Cell::new(0),
            pending: Cell::new(0),
            extrato_pending: Cell::new(false),
            closed_to_requests: Cell::new(false),
            finished: Cell::new(false),
            written: Cell::new(false),
            severed: Cell::new(false),
            awaits: Cell::new(Awaits::Nothing),
            read_expired: Cell::new(false),
            write_deadline_ms: Cell::new(NEVER),
            waker: RefCell::new(None),
            running: Cell::new(false),
            changed: Cell::new(false),
        }
    }

    /// An operation of this connection joined the queue.
    pub(super) fn joined(&self, extrato: bool) {
        self.pending.set(self.pending.get() + 1);
        self.extrato_pending.set(extrato);
    }

    /// An operation of this connection is answered.
    pub(super) fn answered(&self) {
        let left = self.pending.get().saturating_sub(1);
        self.pending.set(left);
        if left == 0 {
            self.extrato_pending.set(false);
        }
        self.touch();
    }

    pub(super) fn settled(&self) -> bool {
        self.pending.get() == 0
    }

    /// Whether the next request may be decoded now, or only once something is answered or written.
    pub(super) fn has_room(&self) -> bool {
        self.pending.get() < limits::CONNECTION_OPERATIONS_MAX
            && !self.extrato_pending.get()
            && self.answers_bytes() < limits::WRITE_BYTES_MAX
    }

    /// What all answers take that their reader has not taken.
    fn answers_bytes(&self) -> usize {
        self.writing.get() + self.out.borrow().taken_bytes()
    }

    /// Appends to the bytes that are written next, in lent buffers if there are none; `tick_ms` is
    /// the latest tick. An interim response has no `answered`. A severed connection gets nothing.
    pub(super) fn append(
        &self,
        spare: &SpareBuffers,
        tick_ms: u64,
        answered: Option<Answered>,
        append: impl FnOnce(&mut Vec<u8>),
    ) {
        if self.severed() {
            return;
        }
        {
            let mut out = self.out.borrow_mut();
            if out.bytes.capacity() == 0 {
                *out = spare.lend();
            }
            if out.bytes.is_empty() {
                self.since_ms.set(tick_ms);
            }
            append(&mut out.bytes);
            if COUNTS {
                out.answers.extend(answered);
            }
        }
        self.touch();
    }

    /// Takes what is to be written, in the buffers that were lent for it; `None` when there is
    /// nothing.
    pub(super) fn take_out(&self) -> Option<Outgoing> {
        let out = self.out.take();
        if out.bytes.is_empty() {
            return None;
        }
        self.writing.set(out.taken_bytes());
        // Counted from the oldest answer, which may have waited behind a slow write. Ticks look at
        // the deadline, and it begins with one: no clock is read for it.
        let deadline_ms = self.since_ms.get() + limits::TICK_MS + limits::WRITE_MS;
        self.write_deadline_ms.set(deadline_ms);
        Some(out)
    }

    /// What was taken out is written, or never will be.
    pub(super) fn mark_taken(&self) {
        let before = self.answers_bytes();
        self.writing.set(0);
        self.write_deadline_ms.set(NEVER);
        if before >= limits::WRITE_BYTES_MAX {
            // The read half may have waited for this room, and nobody else would have it look.
            self.touch();
        }
    }

    pub(super) fn close_to_requests(&self) {
        self.closed_to_requests.set(true);
        self.touch();
    }

    pub(super) fn closed_to_requests(&self) -> bool {
        self.closed_to_requests.get()
    }

    pub(super) fn finish(&self) {
        self.finished.set(true);
        self.touch();
    }

    pub(super) fn finished(&self) -> bool {
        self.finished.get()
    }

    pub(super) fn mark_written(&self) {
        self.written.set(true);
        self.touch();
    }

    pub(super) fn written(&self) -> bool {
        self.written.get()
    }

    pub(super) fn sever(&self) {
        self.severed.set(true);
        self.touch();
    }

    pub(super) fn severed(&self) -> bool {
        self.severed.get()
    }

    /// Says what the read half waits for; idleness begins where a tick saw the last answer go.
    pub(super) fn await_bytes(&self, awaits: Awaits) {
        self.read_expired.set(false);
        self.awaits.set(match (self.awaits.get(), awaits) {
            (Awaits::Request { since_ms: a }, Awaits::Request { since_ms: b }) => {
                Awaits::Request { since_ms: a.max(b) }
            }
            _ => awaits,
        });
    }

    pub(super) fn read_expired(&self) -> bool {
        self.read_expired.get()
    }

    /// Ends what has waited for too long; `close_idle` ends every wait for a new request.
    pub(super) fn expire(&self, now_ms: u64, close_idle: bool) {
        if now_ms >= self.write_deadline_ms.get() {
            self.sever();
        }
        let waited = |since_ms: u64, limit_ms: u64| now_ms.saturating_sub(since_ms) >= limit_ms;
        let over = match self.awaits.get() {
            Awaits::Nothing => false,
            // Not idle while an answer is under way: its time begins behind the last one.
            Awaits::Request { .. } if !self.settled() || self.answers_bytes() > 0 => {
                self.awaits.set(Awaits::Request { since_ms: now_ms });
                false
            }
            Awaits::Request { since_ms } => close_idle || waited(since_ms, limits::IDLE_MS),
            Awaits::Rest { since_ms } => waited(since_ms, limits::REQUEST_MS),
            Awaits::End { since_ms } => waited(since_ms, limits::LINGER_MS),
        };
        if over {
            self.read_expired.set(true);
            self.touch();
        }
    }

    /// Something changed: the connection's task has to look again.
    fn touch(&self) {
        self.changed.set(true);
        if !self.running.get()
            && let Some(waker) = self.waker.borrow().as_ref()
        {
            waker.wake_by_ref();
        }
    }

    /// Runs one poll of the connection's task, again for as long as it changes its own state.
    pub(super) fn run(&self, context: &mut Context<'_>, mut poll: impl FnMut(&mut Context<'_>)) {
        {
            let mut waker = self.waker.borrow_mut();
            if !waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
            {
                *waker = Some(context.waker().clone());
            }
        }
        self.running.set(true);
        loop {
            self.changed.set(false);
            poll(context);
            if !self.changed.get() {
                break;
            }
        }
        self.running.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's times: 75 s idle, 5 s for a request.
    #[test]
    fn what_waits_for_too_long_is_ended_then_and_not_before() {
        let since_ms = 7;
        for (awaits, limit_ms) in [
            (Awaits::Request { since_ms }, 75_000),
            (Awaits::Rest { since_ms }, 5_000),
            (Awaits::Nothing, NEVER - since_ms),
        ] {
            let exchange = Exchange::new(false);
            exchange.await_bytes(awaits);
            exchange.expire(since_ms + limit_ms - 1, false);
            assert!(!exchange.read_expired(), "{limit_ms}");
            let ends = !matches!(awaits, Awaits::Nothing);
            exchange.expire(since_ms + limit_ms, false);
            assert_eq!(exchange.read_expired(), ends, "{limit_ms}");
        }
    }

    #[test]
    fn a_drain_ends_who_waits_for_a_request_alone() {
        for (awaits, ends) in [
            (Awaits::Request { since_ms: 7 }, true),
            (Awaits::Rest { since_ms: 7 }, false),
        ] {
            let exchange = Exchange::new(false);
            exchange.await_bytes(awaits);
            exchange.expire(8, true);
            assert_eq!(exchange.read_expired(), ends);
        }
    }

    /// Idleness begins behind the last answer.
    #[test]
    fn who_is_owed_an_answer_is_not_idle() {
        let exchange = Exchange::new(false);
        exchange.await_bytes(Awaits::Request { since_ms: 0 });
        exchange.joined(false);
        exchange.expire(limits::IDLE_MS, true);
        assert!(!exchange.read_expired());
        exchange.answered();
        exchange.await_bytes(Awaits::Request { since_ms: 0 }); // nothing but an empty line came
        exchange.expire(2 * limits::IDLE_MS - 1, false);
        assert!(!exchange.read_expired());
        exchange.expire(2 * limits::IDLE_MS, false);
        assert!(exchange.read_expired());
    }

    #[test]
    fn whose_answer_is_being_written_is_not_idle() {
        let (exchange, spare) = (Exchange::new(false), SpareBuffers::new());
        exchange.await_bytes(Awaits::Request { since_ms: 0 });
        exchange.append(&spare, 0, None, |out| out.push(b'x'));
        exchange.expire(limits::IDLE_MS, true);
        let _out = exchange.take_out();
        exchange.expire(2 * limits::IDLE_MS, true);
        assert!(!exchange.read_expired());
        exchange.mark_taken();
        exchange.expire(3 * limits::IDLE_MS, false);
        assert!(exchange.read_expired());
    }

    /// What is being written counts as much as what waits, and the time begins with the oldest.
    #[test]
    fn there_is_room_until_the_reader_takes_nothing() {
        let (exchange, spare) = (Exchange::new(false), SpareBuffers::new());
        let append = |tick_ms, bytes| {
            exchange.append(&spare, tick_ms, None, |out| out.resize(bytes, b'x'));
        };
        append(7, limits::WRITE_BYTES_MAX / 2);
        append(8, limits::WRITE_BYTES_MAX / 2);
        let late = |since_ms| {
            exchange.expire(since_ms + limits::TICK_MS + limits::WRITE_MS - 1, false);
            assert!(!exchange.severed(), "{since_ms}");
            exchange.expire(since_ms + limits::TICK_MS + limits::WRITE_MS, false);
            exchange.severed()
        };
        assert!(exchange.take_out().is_some());
        assert!(exchange.has_room());
        append(9_000, limits::WRITE_BYTES_MAX / 2);
        assert!(!exchange.has_room());
        exchange.expire(9_900, false);
        exchange.mark_taken();
        assert!(exchange.has_room());
        exchange.expire(99_000, false);
        assert!(exchange.take_out().is_some());
        assert!(late(9_000));
        append(99_000, 1);
        assert!(exchange.take_out().is_none());
    }

    #[test]
    fn there_is_room_for_64_operations_or_up_to_an_extrato() {
        let exchange = Exchange::new(false);
        for _ in 0..64 {
            assert!(exchange.has_room());
            exchange.joined(false);
        }
        assert!(!exchange.has_room());
        exchange.answered();
        assert!(exchange.has_room());
        // Nothing follows an extrato before it is answered.
        let exchange = Exchange::new(false);
        exchange.joined(true);
        assert!(!exchange.has_room());
        exchange.answered();
        assert!(exchange.has_room());
    }
}
