//! The worker's PostgreSQL session: reached, prepared, flown over, reached again when it breaks.
//!
//! One task reads, and is never cancelled but to give the link up; one writes the flights as
//! they leave. The writer is a task of its own so that it runs behind the connections that are
//! ready: what they submit leaves with the same flight.

use super::fault;
use super::link::{self, Stream};
use super::pace::Pace;
use super::repeats::Repeats;
use super::signal::Signal;
use super::state::Worker;
use crate::bank::STATEMENTS;
use crate::ledger::{Landed, Mislanded};
use crate::limits;
use crate::pg::{HandshakeError, LinkError, Prepare, ReplyDecoder};
use bytes::{Buf, BytesMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, Split};
use monoio::time::{Instant, timeout_at};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("{}", advised(.0))]
    Io(#[from] io::Error),
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("PostgreSQL closed the session")]
    Closed,
    #[error("PostgreSQL sent {0}")]
    Mislanded(#[from] Mislanded),
    #[error("a flight is out for more than {} s", limits::FLIGHT_MS / 1000)]
    Overdue,
}

impl SessionError {
    /// The longest pause before the next try.
    fn longest_pause_ms(&self) -> u64 {
        match self {
            SessionError::Handshake(error) if error.is_lasting() => limits::REFUSED_MS_MAX,
            _ => limits::RECONNECT_MS_MAX,
        }
    }
}

/// What is the matter, with what to look at where that is likely.
fn advised(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("nobody listens there: does PostgreSQL run? ({error})")
        }
        io::ErrorKind::NotFound => format!(
            "there is no such socket: does PostgreSQL run, with that folder among its \
             unix_socket_directories? ({error})"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("this user may not reach that socket ({error})")
        }
        _ => error.to_string(),
    }
}

/// Keeps the worker's session up for as long as the worker lives.
pub(super) async fn keep(worker: Rc<Worker>) {
    let target = &worker.settings.database;
    let mut tries = Tries::new(u64::from(std::process::id()) << 16 | worker.index as u64);
    loop {
        let error = attempt(&worker, &mut tries.said).await;
        let (up_ms, ..) = worker.ledger_figures();
        worker.session_lost();
        let (times, pause) = tries.over(&error, up_ms);
        let (worker, error) = (worker.index, error.to_string());
        match (times, up_ms) {
            (Some(times), Some(_)) => {
                log::warn!(worker, database:% = target, times, error; "the session broke");
            }
            (Some(times), None) => {
                log::warn!(worker, database:% = target, times, error; "no session");
            }
            (None, _) => {}
        }
        monoio::time::sleep(pause).await;
    }
}

/// Reaches the database, and flies over the session until it breaks; says why it did.
async fn attempt(worker: &Rc<Worker>, said: &mut Said) -> SessionError {
    let target = &worker.settings.database;
    let deadline = Instant::now() + target.connect_timeout;
    let flown = match link::connect(target, deadline).await {
        Ok(Stream::Tcp(stream)) => fly(worker, stream, deadline, said).await,
        Ok(Stream::Unix(stream)) => fly(worker, stream, deadline, said).await,
        Err(error) => Err(error),
    };
    flown.err().unwrap_or(SessionError::Closed)
}

async fn fly<S>(
    worker: &Rc<Worker>,
    stream: S,
    deadline: Instant,
    said: &mut Said,
) -> Result<(), SessionError>
where
    S: AsyncReadRent + AsyncWriteRent + Split + 'static,
{
    let link = link::shake_hands(&worker.settings.database, stream, deadline).await?;
    if said.up_is_news() {
        log::info!(
            worker = worker.index,
            database:% = worker.settings.database,
            server_version = link.backend.server_version,
            backend = link.backend.process_id;
            "the session is up"
        );
    }
    let traffic = Rc::new(Traffic::default());
    let departures = send(Rc::clone(worker), Rc::clone(&traffic), link.writer);
    monoio::spawn(fault::vital_task("session", departures));
    worker.session_overdue.lower();
    worker.session_found();
    let result = receive(worker, &traffic, link.reader, link.input, said).await;
    // The other task lets its half go, and with it the socket.
    traffic.over.raise();
    worker.departures.raise();
    result
}

/// What the two tasks of a session share.
#[derive(Default)]
struct Traffic {
    /// The session is over.
    over: Signal,
    /// The statements are being prepared again: no flight may leave.
    preparing: Cell<bool>,
    /// What is to be sent before any flight.
    first: RefCell<BytesMut>,
}

/// Writes each flight in one piece, as soon as it may leave.
async fn send(worker: Rc<Worker>, traffic: Rc<Traffic>, mut writer: impl AsyncWriteRent) {
    let mut out = BytesMut::new();
    while !traffic.over.is_raised() {
        {
            let mut first = traffic.first.borrow_mut();
            out.extend_from_slice(&first);
            first.clear();
        }
        let pause = match out.is_empty() && !traffic.preparing.get() {
            true => worker.depart(&mut out),
            false => None,
        };
        if out.is_empty() {
            let raised = worker.departures.lowered();
            match pause {
                // Enough came, or it is time.
                Some(left) => drop(monoio::time::timeout(left, raised).await),
                None => raised.await,
            }
            continue;
        }
        let mut write = pin!(writer.write_all(out));
        let written = poll_fn(|context| match write.as_mut().poll(context) {
            Poll::Ready(written) => Poll::Ready(Some(written)),
            // A peer that takes nothing would hold the socket for good.
            Poll::Pending => traffic.over.poll_raised(context).map(|()| None),
        });
        match written.await {
            Some((Ok(_), buffer)) => out = buffer,
            // The reader notices too, and knows more about why.
            Some((Err(_), _)) | None => return,
        }
        out.clear();
    }
}

/// Reads replies, and lets them land, until the session breaks.
async fn receive(
    worker: &Worker,
    traffic: &Traffic,
    mut reader: impl AsyncReadRent,
    mut input: BytesMut,
    said: &mut Said,
) -> Result<(), SessionError> {
    let patience = worker.settings.database.connect_timeout;
    let mut replies = ReplyDecoder::default();
    // What is being prepared again, and until when.
    let mut prepare: Option<(Prepare, Instant)> = None;
    let mut pace = Pace::default();
    loop {
        if let Some((preparing, _)) = &mut prepare
            && preparing.advance(&mut input)?
        {
            prepare = None;
            traffic.preparing.set(false);
            worker.departures.raise();
        }
        while prepare.is_none()
            && let Some(reply) = replies.decode(&input)?
        {
            if let Err(error) = &reply.result
                && let Some(times) = said.refused.worth_a_line(error.sqlstate())
            {
                log::error!(worker = worker.index, times, error:%; "PostgreSQL refused a call");
            }
            let landed = worker.land(&reply)?;
            let len_bytes = reply.len_bytes;
            input.advance(len_bytes);
            if let Landed::Flight { prepare: again } = landed {
                // It may have been raised for this flight just before it landed.
                worker.session_overdue.lower();
                if again {
                    // Where preparing cures nothing, each flight comes here.
                    if let Some(times) = said.stale.worth_a_line("") {
                        let index = worker.index;
                        log::warn!(worker = index, times; "the statements are prepared again");
                    }
                    traffic.preparing.set(true);
                    let mut fresh = Prepare::new(&STATEMENTS);
                    fresh.begin(&mut traffic.first.borrow_mut());
                    prepare = Some((fresh, Instant::now() + patience));
                }
                worker.departures.raise();
            }
        }
        input.advance(replies.take_skipped());
        // The read looks only while it waits, which it never does if the database never pauses.
        if worker.session_overdue.is_raised() {
            return Err(SessionError::Overdue);
        }
        let overdue = Some(&worker.session_overdue);
        let reading = link::read(&mut reader, input, overdue, &mut pace);
        input = match &prepare {
            Some((_, deadline)) => {
                let read = timeout_at(*deadline, reading).await;
                read.map_err(|_| SessionError::Silent(patience))??
            }
            None => reading.await?,
        };
        worker.note_replies();
    }
}

/// What is remembered from one try to the next.
struct Tries {
    backoff: Backoff,
    said: Said,
}

/// What was logged, and how often it came.
#[derive(Default)]
struct Said {
    /// The last word on sessions is that one is up.
    up: bool,
    broke: Repeats,
    none: Repeats,
    refused: Repeats,
    stale: Repeats,
}

impl Said {
    /// Whether a session that came up is worth a line: not if the log still says that one is up,
    /// since the break in between got no line.
    fn up_is_news(&mut self) -> bool {
        !std::mem::replace(&mut self.up, true)
    }
}

impl Tries {
    fn new(seed: u64) -> Self {
        Self {
            backoff: Backoff::new(seed),
            said: Said::default(),
        }
    }

    /// A try ended with `error`, after its session, if there was one, had been up for so many ms.
    /// Returns how often that came, if it is worth a line, and the pause before the next try.
    ///
    /// A session that breaks as soon as it is up is no better than none.
    fn over(&mut self, error: &SessionError, up_ms: Option<u64>) -> (Option<u64>, Duration) {
        if up_ms.is_some_and(|up_ms| up_ms >= limits::SESSION_SETTLED_MS) {
            self.backoff.reset();
            self.said = Said::default();
        }
        let repeats = match up_ms {
            Some(_) => &mut self.said.broke,
            None => &mut self.said.none,
        };
        let times = repeats.worth_a_line(&error.to_string());
        self.said.up &= times.is_none();
        (times, self.backoff.next_pause(error.longest_pause_ms()))
    }
}

/// Pauses between tries, doubling up to a bound, each with jitter so that replicas spread.
struct Backoff {
    pause_ms: u64,
    random: u64,
}

impl Backoff {
    fn new(seed: u64) -> Self {
        Self {
            pause_ms: FIRST_PAUSE_MS,
            random: seed | 1,
        }
    }

    fn reset(&mut self) {
        self.pause_ms = FIRST_PAUSE_MS;
    }

    /// Between a half of the pause and all of it, which is `max_ms` at most.
    fn next_pause(&mut self, max_ms: u64) -> Duration {
        self.pause_ms = self.pause_ms.min(max_ms);
        // xorshift64 (Marsaglia 2003): jitter needs no more.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let half_ms = self.pause_ms / 2;
        let pause_ms = half_ms + self.random % (half_ms + 1);
        self.pause_ms *= 2;
        Duration::from_millis(pause_ms)
    }
}

const FIRST_PAUSE_MS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_differ() {
        let mut backoff = Backoff::new(7);
        let mut pauses = |max_ms| -> Vec<_> {
            let next = |_| backoff.next_pause(max_ms).as_millis();
            (0..40).map(next).collect()
        };
        let refused = pauses(limits::REFUSED_MS_MAX);
        let bounds = |max_ms| u128::from(max_ms / 2)..=u128::from(max_ms);
        let refusals = bounds(limits::REFUSED_MS_MAX);
        assert!(refused.iter().all(|pause| pause <= refusals.end()));
        assert!(refused[20..].iter().all(|pause| refusals.contains(pause)));
        assert!(refused[0] <= u128::from(FIRST_PAUSE_MS));
        // At once, once it is only away.
        let pauses = pauses(limits::RECONNECT_MS_MAX);
        let aways = bounds(limits::RECONNECT_MS_MAX);
        assert!(pauses.iter().all(|pause| aways.contains(pause)));
        let mut distinct = pauses[20..].to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert!(distinct.len() > 10, "{pauses:?}");
    }

    #[test]
    fn sessions_that_break_at_once_are_told_and_tried_as_none_is() {
        let mut tries = Tries::new(7);
        let at_once = Some(limits::SESSION_SETTLED_MS - 1);
        let (mut told, mut ups) = (Vec::new(), 0);
        let mut longest = Duration::ZERO;
        for _ in 0..100 {
            ups += u32::from(tries.said.up_is_news());
            let (times, pause) = tries.over(&SessionError::Closed, at_once);
            told.extend(times);
            longest = longest.max(pause);
        }
        assert_eq!(told, [1, 10, 100]);
        // The first, and those behind a break that was told: the last word is always true.
        assert_eq!(ups, 3);
        assert!(tries.said.up_is_news());
        assert!(longest > Duration::from_millis(limits::RECONNECT_MS_MAX / 2));
        // None at all is another thing to tell, if for the same reason.
        assert_eq!(tries.over(&SessionError::Closed, None).0, Some(1));
        // One that lasted begins anew.
        let settled = Some(limits::SESSION_SETTLED_MS);
        let (times, pause) = tries.over(&SessionError::Closed, settled);
        assert_eq!(times, Some(1));
        assert!(pause <= Duration::from_millis(FIRST_PAUSE_MS));
        assert!(tries.said.up_is_news());
    }
}
