//! What the tasks of one worker share: the ledger, the connections, the clock, the drain.

use super::clock::Clock;
use super::connections::Connections;
use super::course::{Answered, Moment, Slow};
use super::descriptor::Descriptors;
use super::exchange::{Exchange, Ticket};
use super::metrics::METRICS;
use super::repeats::Repeats;
use super::signal::Signal;
use super::spare::{Outgoing, SpareBuffers};
use super::tally::{Gauges, Tally, Topic};
use crate::bank;
use crate::config::Settings;
use crate::http::{self, Head, Media, Persistence, Status};
use crate::ledger::{Answer, Landed, Ledger, Mislanded};
use crate::limits;
use crate::pg;
use bytes::BytesMut;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// One worker's state; it never leaves its thread.
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) settings: Settings,
    /// The I/O driver in force.
    pub(super) driver: &'static str,
    pub(super) clock: Clock,
    pub(super) ledger: RefCell<Ledger<Ticket>>,
    pub(super) connections: Connections,
    pub(super) descriptors: Descriptors,
    /// A flight may be ready to leave.
    pub(super) departures: Signal,
    /// The session's flight is out for too long: the link is to be given up.
    pub(super) session_overdue: Signal,
    /// The listeners are to close.
    pub(super) accepting_over: Signal,
    drain_since_ms: Cell<Option<u64>>,
    /// Listeners that are still open.
    pub(super) listening: Cell<usize>,
    /// What this worker counts.
    pub(super) tally: Tally,
    slow: Slow,
    /// When the latest flight left.
    flight_left: Cell<Moment>,
    /// When the session's latest bytes were read, in µs since the worker's start.
    replies_came_us: Cell<u64>,
    /// When the latest session came up, in ms since the worker's start.
    session_since_ms: Cell<Option<u64>>,
    /// The body of the answer that is being written, reused.
    pub(super) body: RefCell<Vec<u8>>,
    /// Extratos that no answer can say.
    unsayable: RefCell<Repeats>,
    /// For answers on their way out.
    pub(super) spare: SpareBuffers,
}

impl Worker {
    pub(super) fn new(index: usize, settings: Settings, driver: &'static str) -> Self {
        let ledger = Ledger::new(settings.queue_max, settings.pause_us, 0);
        let ledger = match settings.flight_max {
            Some(flight_max) => ledger.with_flights_of(flight_max),
            None => ledger,
        };
        let connections = Connections::new(settings.connections_max);
        let slow = Slow::new(settings.slow_ms);
        METRICS.note_driver(driver);
        Self {
            index,
            settings,
            driver,
            clock: Clock::new(),
            ledger: RefCell::new(ledger),
            connections,
            descriptors: Descriptors::new(),
            departures: Signal::default(),
            session_overdue: Signal::default(),
            accepting_over: Signal::default(),
            drain_since_ms: Cell::new(None),
            listening: Cell::new(0),
            tally: Tally::new(),
            slow,
            flight_left: Cell::default(),
            replies_came_us: Cell::new(0),
            session_since_ms: Cell::new(None),
            body: RefCell::new(Vec::new()),
            unsayable: RefCell::default(),
            spare: SpareBuffers::new(),
        }
    }

    // ---- answers

    /// Appends an answer, counted. With one that says `Connection: close`, as the last one that is
    /// under way does in a drain, the connection takes no further requests.
    pub(super) fn append_answer(
        &self,
        exchange: &Exchange,
        mut head: Head,
        body: &[u8],
        head_only: bool,
        answered: Answered,
    ) {
        if self.draining() && exchange.settled() {
            head.persistence = Persistence::Close;
        }
        self.tally.answered(answered.topic, head.status);
        exchange.append(&self.spare, self.clock.tick_ms(), Some(answered), |out| {
            http::append_response(out, &head, &self.clock.date(), body, head_only);
        });
        if head.persistence == Persistence::Close && exchange.settled() {
            exchange.close_to_requests();
        }
    }

    /// All of this was written.
    pub(super) fn note_written(&self, out: &Outgoing) {
        self.tally.sent(out.bytes.len());
        if out.answers.is_empty() {
            return;
        }
        let now = self.clock.moment();
        for answered in &out.answers {
            let total_us = now.us_since(answered.came);
            self.tally.written(answered.topic, total_us);
            self.slow.written(self.index, answered, now);
        }
    }

    /// Gives an operation's answer to its connection; `left` and `back` as [`Answered`] has them.
    fn deliver(&self, ticket: &Ticket, answer: Answer<'_>, left: Moment, back: Moment) {
        let exchange = &ticket.exchange;
        exchange.answered();
        let mut scratch = self.body.borrow_mut();
        scratch.clear();
        let (status, fields) = match answer {
            Answer::Applied { .. } | Answer::Extrato(_) => (Status::OK, ""),
            Answer::Refused => (Status::UNPROCESSABLE, ""),
            Answer::NoCliente => (Status::NOT_FOUND, ""),
            Answer::Unavailable => (Status::UNAVAILABLE, "Retry-After: 1\r\n"),
            Answer::Unknown => (Status::GATEWAY_TIMEOUT, ""),
            Answer::Unsayable => (Status::INTERNAL, ""),
        };
        let (media, body) = match answer {
            Answer::Applied { limite, saldo } => {
                bank::append_saldo_json(&mut scratch, limite, saldo);
                (Media::Json, scratch.as_slice())
            }
            Answer::Extrato(json) => (Media::Json, json),
            _ => (Media::Problem, http::problem(status).as_bytes()),
        };
        match answer {
            Answer::Unknown => self.tally.unknown_outcome(),
            Answer::Unsayable => self.note_unsayable(),
            Answer::Extrato(_) => self.tally.extrato_answered(),
            Answer::NoCliente if ticket.topic == Topic::Extrato => self.tally.extrato_answered(),
            _ => {}
        }
        let (topic, came) = (ticket.topic, ticket.came);
        self.tally.waited(left.us_since(came));
        let answered = Answered {
            topic,
            code: status.code(),
            came,
            left,
            back,
        };
        let persistence = match status {
            Status::INTERNAL => Persistence::Close,
            _ => ticket.persistence,
        };
        let head = Head {
            status,
            media,
            fields,
            persistence,
        };
        self.append_answer(exchange, head, body, ticket.head_only, answered);
    }

    fn note_unsayable(&self) {
        if let Some(times) = self.unsayable.borrow_mut().worth_a_line("") {
            log::error!(worker = self.index, times; "an extrato has what no answer can say");
        }
    }

    // ---- the session's side

    /// Lets what waits leave, if it may: appends the calls of the flight. Returns how long the
    /// flight still waits to be filled, if that is why it may not.
    pub(super) fn depart(&self, out: &mut BytesMut) -> Option<Duration> {
        let alive = |ticket: &Ticket| !ticket.exchange.severed();
        let mut ledger = self.ledger.borrow_mut();
        // Read once: if the pause ended between two readings, nobody would wait for its end.
        let now_us = self.clock.now_us();
        let now = Moment::at_us(now_us);
        let deliver = |ticket: &Ticket, answer: Answer<'_>| self.deliver(ticket, answer, now, now);
        let operations = ledger.depart(now_us, alive, out, deliver);
        if operations > 0 {
            self.flight_left.set(now);
            self.tally.departed(operations, ledger.extrato_calls());
        }
        ledger.pause_us(now_us).map(Duration::from_micros)
    }

    /// Takes a reply, and delivers its answers.
    pub(super) fn land(&self, reply: &pg::Reply<'_>) -> Result<Landed, Mislanded> {
        let back_us = self.replies_came_us.get();
        let (left, back) = (self.flight_left.get(), Moment::at_us(back_us));
        let deliver =
            |ticket: &Ticket, answer: Answer<'_>| self.deliver(ticket, answer, left, back);
        let mut ledger = self.ledger.borrow_mut();
        let waiting = ledger.waiting();
        let landed = ledger.land(reply, back_us, deliver)?;
        if landed != Landed::More {
            self.tally.landed(back.us_since(left));
            if ledger.waiting() > waiting {
                METRICS.ledger.recovered_flights.inc();
            }
        }
        Ok(landed)
    }

    /// Bytes of the session came.
    pub(super) fn note_replies(&self) {
        self.replies_came_us.set(self.clock.now_us());
    }

    pub(super) fn session_found(&self) {
        self.ledger.borrow_mut().session_found();
        METRICS.database.sessions.inc();
        let before = self.session_since_ms.replace(Some(self.clock.now_ms()));
        if before.is_some() {
            METRICS.database.reconnects.inc();
        }
        self.departures.raise();
    }

    /// The session is down; those in flight learn that their outcome is unknown.
    pub(super) fn session_lost(&self) {
        let mut ledger = self.ledger.borrow_mut();
        if ledger.session_up() {
            METRICS.database.sessions.dec();
            METRICS.database.sessions_lost.inc();
        }
        let now_us = self.clock.now_us();
        let (left, now) = (self.flight_left.get(), Moment::at_us(now_us));
        ledger.session_lost(now_us / 1000, |ticket, answer| {
            self.deliver(ticket, answer, left, now);
        });
    }

    /// For how many ms the session is up, operations that wait, and operations in flight.
    pub(super) fn ledger_figures(&self) -> (Option<u64>, usize, usize) {
        let ledger = self.ledger.borrow();
        let since_ms = self.session_since_ms.get().filter(|_| ledger.session_up());
        let up_ms = since_ms.map(|since_ms| self.clock.now_ms().saturating_sub(since_ms));
        (up_ms, ledger.waiting(), ledger.in_flight())
    }

    // ---- time

    /// Looks at every deadline; to be called each [`limits::TICK_MS`].
    pub(super) fn tick(&self) {
        let now_us = self.clock.tick();
        let now_ms = now_us / 1000;
        self.slow.tick();
        {
            let mut ledger = self.ledger.borrow_mut();
            let now = Moment::at_us(now_us);
            ledger.expire(now_ms, |ticket, answer| {
                // Only those in flight get `Unknown`; all others never left.
                let left = match answer {
                    Answer::Unknown => self.flight_left.get(),
                    _ => now,
                };
                self.deliver(ticket, answer, left, now);
            });
            if ledger.flight_age_ms(now_ms) > limits::FLIGHT_MS {
                self.session_overdue.raise();
            }
        }
        let drained_ms = self.drain_since_ms.get().map_or(0, |since| now_ms - since);
        if self.draining() && drained_ms >= limits::DRAIN_ACCEPT_MS {
            self.accepting_over.raise();
        }
        let close_idle = drained_ms >= limits::DRAIN_IDLE_MS;
        self.connections.expire(now_ms, close_idle);
        self.flush();
    }

    /// Adds what this worker has counted to the process' metrics.
    pub(super) fn flush(&self) {
        let ledger = self.ledger.borrow();
        self.tally.flush(Gauges {
            flights_in_flight: i64::from(ledger.flight_is_out()),
            queue_operations: i64::try_from(ledger.waiting()).unwrap_or(i64::MAX),
        });
    }

    pub(super) fn begin_drain(&self) {
        let now_ms = self.clock.now_ms();
        if self.drain_since_ms.get().is_none() {
            self.drain_since_ms.set(Some(now_ms));
        }
    }

    pub(super) fn draining(&self) -> bool {
        self.drain_since_ms.get().is_some()
    }

    /// Nothing is left to wait for, or the time for it is over.
    pub(super) fn drained(&self) -> bool {
        self.drain_since_ms.get().is_some_and(|since| {
            let drained_ms = self.clock.now_ms() - since;
            drained_ms + limits::DRAIN_EXIT_MS >= limits::DRAIN_MS
                || (drained_ms > limits::DRAIN_ACCEPT_MS
                    && self.listening.get() == 0
                    && self.connections.is_empty())
        })
    }
}
