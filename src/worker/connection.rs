//! One HTTP connection: reads, lets `http` decode and `bank` judge, submits, writes the answers.
//!
//! A read half and a write half in one task. The read half always has a read under way while it
//! may, so that a reset is noticed; a decoder that needs more, answers that wait and deadlines
//! are states of the [`Exchange`], and nothing is ever cancelled but to close.

use super::course::Moment;
use super::exchange::{Awaits, Exchange, Ticket};
use super::fault;
use super::pace::Pace;
use super::request::Local;
use super::spare::Outgoing;
use super::state::Worker;
use super::tally::Topic;
use crate::http::{self, Decoded, Decoder, Status};
use crate::limits::{self, REQUEST_BYTES_MAX};
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, Split, Splitable};
use std::future::{Future, poll_fn};
use std::os::fd::RawFd;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

/// Serves one connection to its end. `tcp` is its descriptor if it can be reset.
pub(super) async fn serve<S>(
    worker: &Rc<Worker>,
    exchange: &Rc<Exchange>,
    stream: S,
    tcp: Option<RawFd>,
) where
    S: AsyncReadRent + AsyncWriteRent + Split,
{
    let (reader, writer) = stream.into_split();
    let mut reading = pin!(read_half(worker, exchange, reader));
    let mut writing = pin!(write_half(worker, exchange, writer, tcp));
    let (mut read, mut written) = (false, false);
    poll_fn(|context| {
        exchange.run(context, |context| {
            read = read || reading.as_mut().poll(context).is_ready();
            if !written && writing.as_mut().poll(context).is_ready() {
                written = true;
                // The read half has to look once more.
                exchange.mark_written();
            }
        });
        if read && written {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

async fn write_half(
    worker: &Worker,
    exchange: &Exchange,
    mut writer: impl AsyncWriteRent,
    tcp: Option<RawFd>,
) {
    loop {
        let out = poll_fn(|_| match exchange.take_out() {
            _ if exchange.severed() => Poll::Ready(None),
            Some(out) => Poll::Ready(Some(out)),
            None if exchange.finished() => Poll::Ready(None),
            None => Poll::Pending,
        })
        .await;
        if exchange.severed() {
            return;
        }
        let Some(out) = out else {
            let _ = writer.shutdown().await;
            return;
        };
        let Outgoing { bytes, answers } = out;
        let mut write = pin!(writer.write_all(bytes));
        let result = poll_fn(|context| match write.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if exchange.severed() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;
        exchange.mark_taken();
        match result {
            Some((Ok(_), bytes)) => {
                let out = Outgoing { bytes, answers };
                worker.note_written(&out);
                worker.spare.take_back(out);
            }
            Some((Err(_), _)) => return exchange.sever(),
            None => {
                // What the peer did not take in time is not kept.
                if let Some(tcp) = tcp {
                    worker.descriptors.reset_on_close(tcp);
                }
                return;
            }
        }
    }
}

async fn read_half(worker: &Worker, exchange: &Rc<Exchange>, mut reader: impl AsyncReadRent) {
    let mut input = Input::new(worker.clock.now_us());
    while !exchange.closed_to_requests() && !exchange.severed() {
        // A panic here is this connection's own affair: 500, and close.
        let step = fault::contained(|| input.step(worker, exchange));
        match step.unwrap_or_else(|| input.refuse(Status::INTERNAL)) {
            // In a drain: else a peer that asks again before each answer would never be closed.
            Step::Read if worker.draining() && !exchange.settled() => {
                wait(exchange, || exchange.settled()).await;
            }
            Step::Read => match input.read(worker, exchange, &mut reader).await {
                Came::Bytes => {}
                Came::Nothing => exchange.close_to_requests(),
                Came::TooLate => {
                    let local = input.refusal(Status::REQUEST_TIMEOUT);
                    answer(worker, exchange, &local).await;
                }
                Came::Reset => exchange.sever(),
            },
            Step::Wait => {
                wait(exchange, || exchange.has_room()).await;
                input.resume(worker.clock.now_us());
            }
            Step::Answer(local) => {
                answer(worker, exchange, &local).await;
                if input.start < input.bytes.len() {
                    input.resume(worker.clock.now_us());
                }
            }
        }
    }
    wait(exchange, || exchange.settled()).await;
    exchange.finish();
    linger(worker, exchange, reader).await;
}

/// Appends an answer behind those of the requests before it, or none where a drain has closed with
/// one of them; a panic in it leaves the connection without one, and closes it.
async fn answer(worker: &Worker, exchange: &Exchange, local: &Local) {
    wait(exchange, || exchange.settled()).await;
    if exchange.closed_to_requests() {
        return;
    }
    if fault::contained(|| worker.answer_locally(exchange, local)).is_none() {
        exchange.sever();
    }
}

/// Waits until `enough`, or the connection is severed.
async fn wait(exchange: &Exchange, enough: impl Fn() -> bool) {
    exchange.await_bytes(Awaits::Nothing);
    poll_fn(|_| match exchange.severed() || enough() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// Reads and drops what still comes after the last answer, so that a peer which is still sending
/// gets that answer and not a reset (RFC 9112, section 9.6).
async fn linger(worker: &Worker, exchange: &Exchange, mut reader: impl AsyncReadRent) {
    wait(exchange, || exchange.written()).await;
    exchange.await_bytes(Awaits::End {
        since_ms: worker.clock.now_ms(),
    });
    let mut rest = Vec::with_capacity(limits::READ_BYTES);
    let mut pace = Pace::default();
    while !exchange.severed() && !exchange.read_expired() {
        rest.clear();
        let over = || exchange.read_expired();
        let (came, buffer) = read(exchange, &mut reader, rest, over, &mut pace).await;
        rest = buffer;
        if came != Came::Bytes {
            break;
        }
        worker.tally.received(rest.len());
    }
}

/// What the read half has to do next.
enum Step {
    /// More bytes are needed.
    Read,
    /// The connection has as much under way as it may.
    Wait,
    /// A request, or what should have been one, that needs no database.
    Answer(Local),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Bytes,
    /// The peer ended its side, or was idle for too long.
    Nothing,
    /// It was waited for long enough: what was begun is not whole in time.
    TooLate,
    Reset,
}

/// The bytes that came and are not consumed.
struct Input {
    pace: Pace,
    decoder: Decoder,
    bytes: Vec<u8>,
    /// Where the first undecoded request begins.
    start: usize,
    /// When the latest bytes came, in µs since the worker's start.
    came_us: u64,
    /// When the latest that are more than empty lines came, in ms.
    asked_ms: u64,
    /// The clock's reading after the latest wait, for those bytes or for an earlier answer. It
    /// stands for now with all requests that are decoded before the next wait.
    now_us: u64,
    /// When the request that is being decoded began.
    begun_ms: u64,
    /// Whether the request that is read or attended to is a HEAD, once `bytes` do not tell it.
    is_head: Option<bool>,
}

impl Input {
    fn new(now_us: u64) -> Self {
        let (decoder, bytes) = (Decoder::default(), Vec::with_capacity(limits::READ_BYTES));
        Self {
            pace: Pace::default(),
            decoder,
            bytes,
            start: 0,
            came_us: now_us,
            asked_ms: now_us / 1000,
            now_us,
            begun_ms: now_us / 1000,
            is_head: None,
        }
    }

    /// Goes on after a wait, in which nothing was read: no part of a request's time.
    fn resume(&mut self, now_us: u64) {
        self.begun_ms += (now_us - self.now_us) / 1000;
        self.now_us = now_us;
    }

    fn came(&self) -> Moment {
        Moment::at_us(self.came_us)
    }

    fn came_ms(&self) -> u64 {
        self.came_us / 1000
    }

    /// Decodes and submits requests until something is in the way.
    fn step(&mut self, worker: &Worker, exchange: &Rc<Exchange>) -> Step {
        let (came, came_ms) = (self.came(), self.came_ms());
        while self.start < self.bytes.len() {
            self.is_head = None;
            if !exchange.has_room() {
                return Step::Wait;
            }
            let request = match self.decoder.decode(&mut self.bytes, self.start) {
                Ok(Decoded::Request(request)) => request,
                Ok(Decoded::Partial) => {
                    // The decoder bounds what it asks for: this is a wall behind it.
                    return match self.bytes.len() - self.start < REQUEST_BYTES_MAX {
                        true => Step::Read,
                        false => self.refuse(Status::PAYLOAD_TOO_LARGE),
                    };
                }
                Ok(Decoded::Continue) => return Step::Answer(Local::go_on(came)),
                Err(refusal) => return self.refuse(refusal.status),
            };
            self.start += request.len_bytes;
            self.begun_ms = came_ms;
            let is_head = request.method == http::Method::Head;
            self.is_head = Some(is_head);
            #[cfg(test)]
            tests::may_panic(request.path);
            let ticket = Ticket {
                exchange: Rc::clone(exchange),
                persistence: request.persistence,
                head_only: is_head,
                topic: Topic::Other,
                came,
            };
            let last = request.persistence == http::Persistence::Close;
            if let Err(local) = worker.attend(&request, ticket, came_ms, self.now_us) {
                return Step::Answer(local);
            }
            if last {
                exchange.close_to_requests();
                break;
            }
        }
        Step::Read
    }

    fn refuse(&self, status: Status) -> Step {
        Step::Answer(self.refusal(status))
    }

    /// What is said to the request that is being decoded, or attended to.
    fn refusal(&self, status: Status) -> Local {
        let begun = self.bytes.get(self.start..).unwrap_or_default();
        let head_only = self.is_head.unwrap_or_else(|| http::is_head(begun));
        Local::refusal(status, head_only, self.came())
    }

    async fn read(
        &mut self,
        worker: &Worker,
        exchange: &Exchange,
        reader: &mut impl AsyncReadRent,
    ) -> Came {
        if exchange.closed_to_requests() {
            return Came::Bytes;
        }
        self.make_room();
        let begun = !self.decoder.is_idle(&self.bytes);
        self.is_head = begun.then(|| http::is_head(&self.bytes));
        exchange.await_bytes(match begun {
            true => Awaits::Rest {
                since_ms: self.begun_ms,
            },
            false => Awaits::Request {
                since_ms: self.asked_ms,
            },
        });
        let bytes = std::mem::take(&mut self.bytes);
        let before = bytes.len();
        let over = || exchange.read_expired() || exchange.closed_to_requests();
        let (came, bytes) = read(exchange, reader, bytes, over, &mut self.pace).await;
        self.bytes = bytes;
        match came {
            Came::Bytes => {
                worker.tally.received(self.bytes.len() - before);
                self.came_us = worker.clock.now_us();
                self.now_us = self.came_us;
                // Empty lines are nothing: whoever sends them alone stays as idle as before.
                if begun || !self.decoder.is_idle(&self.bytes) {
                    self.asked_ms = self.came_ms();
                }
                if !begun {
                    self.begun_ms = self.came_ms();
                }
            }
            Came::TooLate if !begun || exchange.closed_to_requests() => return Came::Nothing,
            _ => {}
        }
        came
    }

    /// Moves what is undecoded to the front, and makes room behind it.
    fn make_room(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > limits::READ_BYTES {
            self.bytes = Vec::with_capacity(limits::READ_BYTES);
        }
        if self.bytes.len() == self.bytes.capacity() {
            let more = self.bytes.len();
            self.bytes
                .reserve_exact(more.clamp(limits::READ_BYTES, limits::GROWTH_BYTES_MAX));
        }
    }
}

/// One read behind what `buffer` holds; a read that is given up takes the buffer with it.
async fn read(
    exchange: &Exchange,
    reader: &mut impl AsyncReadRent,
    buffer: Vec<u8>,
    over: impl Fn() -> bool,
    pace: &mut Pace,
) -> (Came, Vec<u8>) {
    let len = buffer.len();
    let mut reading = pin!(reader.read(buffer.slice_mut(len..)));
    let mut waited = false;
    let read = poll_fn(|context| {
        if exchange.severed() {
            return Poll::Ready((Came::Reset, Vec::new()));
        }
        match reading.as_mut().poll(context) {
            Poll::Ready((Ok(0), slice)) => Poll::Ready((Came::Nothing, slice.into_inner())),
            Poll::Ready((Ok(_), slice)) => Poll::Ready((Came::Bytes, slice.into_inner())),
            Poll::Ready((Err(_), slice)) => Poll::Ready((Came::Reset, slice.into_inner())),
            Poll::Pending if over() => Poll::Ready((Came::TooLate, Vec::new())),
            Poll::Pending => {
                waited = true;
                Poll::Pending
            }
        }
    })
    .await;
    pace.keep(waited).await;
    read
}

#[cfg(test)]
pub(super) mod tests;
