//! The ledger: which operations leave together, and whose answer is whose.
//!
//! Between the requests and the database session stands one ledger a worker. An operation joins
//! the queue; when no flight is out, everything that waits leaves as one flight (up to the flight's
//! bounds in `limits`), under saturation after a pause that fills it (`pause`); when the flight's
//! replies arrive, each operation gets its answer and the next flight may leave. No I/O and no
//! clock: times are given, in milliseconds or microseconds since the worker's start, as names say;
//! bytes are appended to buffers.
//!
//! Invariants that keep answers linearizable:
//! - a flight applies each cliente's transacoes in the order in which they joined, and answers all
//!   transacoes in that order; the extratos' calls follow;
//! - an extrato is answered only by a call that left after it was asked for;
//! - no answer is given before its call's ReadyForQuery;
//! - a transacao that has left is never sent again, unless an ERROR followed by ReadyForQuery
//!   proved that nothing of its call was applied. (An extrato, which changes nothing, may then go
//!   again as well.)

mod flight;
mod order;
mod pause;
mod queue;

use crate::bank::Transacao;
use crate::limits;
use crate::pg;
use bytes::BytesMut;
use flight::Flight;
use pause::Pause;
use queue::Queue;
pub use queue::Refused;

/// One transacao or extrato that waits for its answer; `T` says who waits, and is given back.
pub struct Operation<T> {
    /// Who waits.
    pub ticket: T,
    /// When its last byte arrived, in ms since the worker's start: its time runs from here.
    pub asked_ms: u64,
    /// What is asked.
    pub kind: Kind,
    /// It was sent once already, in vain: a second such failure is final.
    retried: bool,
}

impl<T> Operation<T> {
    /// An operation that has not left yet.
    pub fn new(ticket: T, asked_ms: u64, kind: Kind) -> Self {
        Self {
            ticket,
            asked_ms,
            kind,
            retried: false,
        }
    }

    fn expired(&self, now_ms: u64) -> bool {
        expired(self.asked_ms, now_ms)
    }
}

/// What an operation asks of the bank.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Apply a transacao.
    Transacao(Transacao),
    /// Read the extrato of this cliente.
    Extrato(i64),
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Applied and committed; the cliente's limite and the saldo right after, in cents.
    Applied {
        /// The cliente's limite, in cents.
        limite: i64,
        /// The saldo right after this transacao, in cents.
        saldo: i64,
    },
    /// Nothing changed: the debit would pass the limite, or the credit overflow.
    Refused,
    /// There is no such cliente.
    NoCliente,
    /// The extrato as JSON.
    Extrato(&'a [u8]),
    /// The extrato holds what no answer can say; nobody else is concerned.
    Unsayable,
    /// Not applied, and it never will be: the database is away or refused it, or its time is over.
    Unavailable,
    /// It left for the database, and the outcome could not be learned: it may have been applied.
    Unknown,
}

/// What a reply did to the flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// More replies are awaited.
    More,
    /// The flight is back.
    Flight {
        /// The prepared statements are stale (26000, 0A000, ...): prepare again before the next.
        prepare: bool,
    },
}

/// A reply that fits no call, or rows that the procedures never give: the session must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mislanded {
    /// A reply although no call was in flight.
    #[error("a reply that no call awaits")]
    Unexpected,
    /// Rows of another shape than the procedure's.
    #[error("a reply of another shape than the procedure's: {0}")]
    Shape(#[from] crate::bank::Mismatch),
}

/// Answered this long after its last byte at the latest: the deadline less two ticks, one for
/// the tick that finds it and one for the writing.
const EXPIRY_MS: u64 = limits::OPERATION_MS - 2 * limits::TICK_MS;

/// One worker's ledger.
pub struct Ledger<T> {
    queue: Queue<T>,
    flight: Flight<T>,
    pause: Pause,
    /// `None` while the session is up; else since when it is down.
    away_since_ms: Option<u64>,
    /// The JSON of the extrato that is being answered, reused.
    body: Vec<u8>,
}

impl<T> Ledger<T> {
    /// An empty ledger whose queue holds `queue_max` operations, with the session still down.
    /// Under saturation a flight waits to be filled until `pause_us` after the last departure or,
    /// if the last flight was slow, `pause_us` after its landing at most; 0 is never.
    pub fn new(queue_max: usize, pause_us: u64, now_ms: u64) -> Self {
        let mut pause = Pause::new(pause_us);
        pause.cap(queue_max);
        Self {
            queue: Queue::new(queue_max),
            flight: Flight::new(),
            pause,
            away_since_ms: Some(now_ms),
            body: Vec::new(),
        }
    }

    /// The same with at most so many operations in one flight, 1 or more.
    #[must_use]
    pub fn with_flights_of(mut self, flight_max: usize) -> Self {
        self.flight.carried_max = flight_max.max(1);
        self.pause.cap(self.flight.carried_max);
        self
    }

    /// Lets an operation join the queue.
    ///
    /// # Errors
    /// [`Refused`] when the queue is full, the database has been away for too long, or the
    /// operation's time is over: it is to be answered with 503, and was not applied.
    pub fn submit(&mut self, operation: Operation<T>, now_ms: u64) -> Result<(), Refused> {
        if self.given_up(now_ms) {
            return Err(Refused::Away);
        }
        if operation.expired(now_ms) {
            return Err(Refused::Late);
        }
        self.queue.push(operation)
    }

    /// Operations that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Operations that are in flight and not answered yet.
    pub fn in_flight(&self) -> usize {
        self.flight.unanswered()
    }

    /// Whether a flight is out.
    pub fn flight_is_out(&self) -> bool {
        !self.flight.is_empty()
    }

    /// Calls of the flight that is out that read an extrato, each for all who asked for it.
    pub fn extrato_calls(&self) -> usize {
        self.flight.extrato_calls()
    }

    /// Whether the session is up.
    pub fn session_up(&self) -> bool {
        self.away_since_ms.is_none()
    }

    /// Whether a flight could leave now.
    pub fn ready(&self, now_us: u64) -> bool {
        self.boarding() && self.left_to_wait_us(now_us).is_none()
    }

    /// Whether what was just submitted matters to whoever lets flights leave: one may leave now,
    /// or this is the first that waits for one, and begins its pause.
    pub fn stirs(&self, now_us: u64) -> bool {
        self.boarding() && (self.queue.len() == 1 || self.left_to_wait_us(now_us).is_none())
    }

    /// How long the next flight still waits to be filled, in µs; `None` if it may leave at once,
    /// or there is nothing that could leave.
    pub fn pause_us(&self, now_us: u64) -> Option<u64> {
        self.left_to_wait_us(now_us).filter(|_| self.boarding())
    }

    /// No flight is out, and there is something for the next.
    fn boarding(&self) -> bool {
        self.session_up() && self.flight.is_empty() && self.queue.len() > 0
    }

    fn left_to_wait_us(&self, now_us: u64) -> Option<u64> {
        self.pause.left_to_wait_us(self.queue.len(), now_us)
    }

    /// How long the flight that is out has been out, in ms; 0 when none is.
    pub fn flight_age_ms(&self, now_ms: u64) -> u64 {
        if self.flight.is_empty() {
            0
        } else {
            now_ms.saturating_sub(self.flight.left_ms)
        }
    }

    /// Lets what waits leave as one flight, if it may: appends its calls to `out`, and
    /// returns how many operations left. Whose time is over gets 503 and never leaves; whoever is
    /// not `alive` any more is dropped.
    pub fn depart(
        &mut self,
        now_us: u64,
        alive: impl Fn(&T) -> bool,
        out: &mut BytesMut,
        mut deliver: impl FnMut(&T, Answer<'_>),
    ) -> usize {
        if !self.ready(now_us) {
            return 0;
        }
        let now_ms = now_us / 1000;
        self.flight.left_ms = now_ms;
        self.pause.departed(now_us);
        self.queue
            .expire(|operation| operation.expired(now_ms), &mut deliver);
        self.queue.board(&mut self.flight, alive);
        self.flight.append_calls(out)
    }

    /// Takes the reply of the oldest call in flight, and gives its operations their answers. It was
    /// read at `now_us`, in µs since the worker's start.
    ///
    /// # Errors
    /// [`Mislanded`] when the reply does not fit: the session must end, and
    /// [`Ledger::session_lost`] be called.
    pub fn land(
        &mut self,
        reply: &pg::Reply<'_>,
        now_us: u64,
        mut deliver: impl FnMut(&T, Answer<'_>),
    ) -> Result<Landed, Mislanded> {
        let call = self.flight.oldest_call().ok_or(Mislanded::Unexpected)?;
        match &reply.result {
            Ok(rows) => self
                .flight
                .answer(call, rows, &mut self.body, &mut deliver)?,
            Err(error) => self
                .flight
                .refuse(call, stale(error.sqlstate()), &mut deliver),
        }
        if !self.flight.close_call() {
            return Ok(Landed::More);
        }
        // Counted before what is sent again returns to the queue.
        let (carried, waiting) = (self.flight.carried(), self.queue.len());
        let prepare = self.flight.disembark(&mut self.queue);
        self.pause.landed(carried, waiting, now_us);
        Ok(Landed::Flight { prepare })
    }

    /// The session is up, with its statements prepared.
    pub fn session_found(&mut self) {
        self.away_since_ms = None;
    }

    /// The session is down: what was in flight is unknown from here on, what waits goes on
    /// waiting. Calling it again changes nothing.
    pub fn session_lost(&mut self, now_ms: u64, mut deliver: impl FnMut(&T, Answer<'_>)) {
        self.away_since_ms.get_or_insert(now_ms);
        self.flight.abandon(&mut deliver);
    }

    /// Answers every operation whose time is over: 503 to those that wait, 504 to those in
    /// flight, whose slot stays until the reply. To be called every [`limits::TICK_MS`].
    pub fn expire(&mut self, now_ms: u64, mut deliver: impl FnMut(&T, Answer<'_>)) {
        self.flight.expire(now_ms, &mut deliver);
        let given_up = self.given_up(now_ms);
        self.queue.expire(
            |operation| given_up || operation.expired(now_ms),
            &mut deliver,
        );
    }

    fn given_up(&self, now_ms: u64) -> bool {
        self.away_since_ms
            .is_some_and(|since| now_ms.saturating_sub(since) > limits::DATABASE_AWAY_MS)
    }
}

fn expired(asked_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(asked_ms) >= EXPIRY_MS
}

/// Errors that preparing again may cure: the statement is gone, or what it was planned on changed
/// (PostgreSQL appendix A: invalid_sql_statement_name, feature_not_supported, undefined_function,
/// undefined_table, undefined_column, invalid_schema_name).
fn stale(sqlstate: &str) -> bool {
    matches!(
        sqlstate,
        "26000" | "0A000" | "42883" | "42P01" | "42703" | "3F000"
    )
}
