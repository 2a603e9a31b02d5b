//! The generator's loop: what is due is begun, what is ready is gone on with.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use slab::Slab;

use super::Plan;
use super::exchange::Exchange;
use super::outcome::{Stretch, Tally};
use super::poll::{self, Poll};
use super::request::{Kind, Request};
use super::schedule::{Due, Schedule};
use crate::cpus::Ticks;

/// A run under way.
pub(crate) struct Run<'a> {
    address: SocketAddr,
    host: String,
    keepalive: bool,
    /// After the start; then nothing is waited for any more.
    end: Duration,
    random: fastrand::Rng,
    lines: Vec<Line>,
    poll: Poll,
    connections: Slab<Connection>,
    /// Those of them that nothing is asked over, the last used last.
    idle: Vec<usize>,
    under_way_max: usize,
    tally: &'a mut Tally,
    buffer: Vec<u8>,
}

/// The requests of one kind, of which `next` is the first that was not begun.
struct Line {
    kind: Kind,
    schedule: Schedule,
    next: u32,
}

struct Connection {
    stream: TcpStream,
    /// None if it is idle.
    errand: Option<Errand>,
}

/// A request under way.
struct Errand {
    request: Request,
    due: Due,
    exchange: Exchange,
}

/// How far an errand came.
enum Progress {
    Waits,
    /// And whether the peer keeps the connection.
    Answered(bool),
    Failed(String),
}

const READ_BYTES: usize = 16 * 1024;

impl Line {
    fn new(kind: Kind, plan: &Plan) -> Line {
        Line {
            kind,
            schedule: Schedule::new(plan.ramp, plan.hold, kind.rate() * plan.scale),
            next: 0,
        }
    }

    fn due(&self) -> Option<Due> {
        let due = self.schedule.due(self.next)?;
        Some(Due {
            at: due.at + self.kind.delay(),
            ..due
        })
    }
}

impl<'a> Run<'a> {
    /// To be counted with what `tally` has.
    pub fn new(address: SocketAddr, plan: &Plan, tally: &'a mut Tally) -> io::Result<Run<'a>> {
        Ok(Run {
            address,
            host: address.to_string(),
            keepalive: plan.keepalive,
            end: plan.ramp + plan.hold + plan.patience,
            random: fastrand::Rng::with_seed(plan.seed),
            lines: Kind::ALL.map(|kind| Line::new(kind, plan)).into(),
            connections: Slab::new(),
            idle: Vec::new(),
            under_way_max: 0,
            tally,
            buffer: vec![0; READ_BYTES],
            poll: Poll::new()?,
        })
    }

    pub fn run(mut self) -> io::Result<()> {
        let (cpu, ticks) = (poll::cpu(), Ticks::now());
        let mut ready = Vec::new();
        while let Some(next) = self.begin_what_is_due() {
            self.poll.set_alarm(next)?;
            self.poll.wait(&mut ready)?;
            for &key in &ready {
                self.go_on(key);
            }
        }
        for (_, connection) in &self.connections {
            if let Some(Errand { request, due, .. }) = &connection.errand {
                let why = "no answer in time".to_owned();
                self.tally.unanswered(*request, due.constant, why);
            }
        }
        self.tally.stretch(Stretch {
            cpu: poll::cpu().saturating_sub(cpu),
            duration: self.poll.now(),
            under_way_max: self.under_way_max,
            ticks: Ticks::now() - ticks,
        });
        Ok(())
    }

    /// When there is more to do, if nothing is ready before; none at the end.
    fn begin_what_is_due(&mut self) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        for index in 0..self.lines.len() {
            while let Some(due) = self.lines[index].due() {
                let now = self.poll.now();
                if due.at > now {
                    next = Some(next.map_or(due.at, |next| next.min(due.at)));
                    break;
                }
                self.lines[index].next += 1;
                if due.constant {
                    self.tally.begun(now.saturating_sub(due.at));
                }
                self.begin(self.lines[index].kind, due);
            }
        }
        next.or_else(|| {
            let waits = self.under_way() > 0 && self.poll.now() < self.end;
            waits.then_some(self.end)
        })
    }

    fn under_way(&self) -> usize {
        self.connections.len() - self.idle.len()
    }

    fn begin(&mut self, kind: Kind, due: Due) {
        let (request, bytes) = Request::draw(kind, &self.host, &mut self.random);
        let errand = Errand {
            request,
            due,
            exchange: Exchange::new(bytes),
        };
        let kept = self.idle.pop();
        let key = match kept {
            Some(key) => {
                self.connections[key].errand = Some(errand);
                key
            }
            None => match open(self.address) {
                Ok(stream) => self.connections.insert(Connection {
                    stream,
                    errand: Some(errand),
                }),
                Err(error) => {
                    self.tally.unanswered(request, due.constant, reason(&error));
                    return;
                }
            },
        };
        self.under_way_max = self.under_way_max.max(self.under_way());
        if let Err(error) = self.write_first(key, kept.is_none()) {
            self.fail(key, reason(&error));
        }
    }

    /// On loopback a connection is there at once, and a request takes all of a single write.
    fn write_first(&mut self, key: usize, new: bool) -> io::Result<()> {
        let connection = &mut self.connections[key];
        let whole = connection.write()?;
        if new {
            self.poll.add(&connection.stream, key, !whole)?;
        } else if !whole {
            self.poll.change(&connection.stream, key, true)?;
        }
        Ok(())
    }

    /// With a connection that is ready.
    fn go_on(&mut self, key: usize) {
        let progress = match self.connections.get(key).map(|one| one.errand.is_some()) {
            None => return,
            // The peer closed it, or speaks unasked: nothing more goes over it.
            Some(false) => {
                self.idle.retain(|&idle| idle != key);
                self.connections.remove(key);
                return;
            }
            Some(true) => self.write_and_read(key),
        };
        match progress {
            Ok(Progress::Waits) => {}
            Ok(Progress::Answered(true)) if self.keepalive => {
                self.connections[key].errand = None;
                self.idle.push(key);
            }
            Ok(Progress::Answered(_)) => {
                self.connections.remove(key);
            }
            Ok(Progress::Failed(why)) => self.fail(key, why),
            Err(error) => self.fail(key, reason(&error)),
        }
    }

    fn write_and_read(&mut self, key: usize) -> io::Result<Progress> {
        let connection = &mut self.connections[key];
        if !connection.is_written() && connection.write()? {
            self.poll.change(&connection.stream, key, false)?;
        }
        let Some(errand) = &mut connection.errand else {
            return Ok(Progress::Waits);
        };
        let answer = match connection.stream.read(&mut self.buffer) {
            Ok(0) => errand.exchange.end().map(Some),
            Ok(bytes) => errand.exchange.read(&self.buffer[..bytes]),
            Err(error) if is_nothing_yet(&error) => Ok(None),
            Err(error) => return Err(error),
        };
        let answer = match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Progress::Waits),
            Err(fault) => return Ok(Progress::Failed(fault.to_owned())),
        };
        let due = errand.due;
        let latency = self.poll.now().saturating_sub(due.at);
        let latency = due.constant.then_some(latency);
        self.tally
            .answered(errand.request, latency, answer.status, answer.body);
        Ok(Progress::Answered(answer.keeps))
    }

    fn fail(&mut self, key: usize, why: String) {
        if let Some(Errand { request, due, .. }) = self.connections.remove(key).errand {
            self.tally.unanswered(request, due.constant, why);
        }
    }
}

impl Connection {
    fn is_written(&self) -> bool {
        let errand = self.errand.as_ref();
        errand.is_none_or(|errand| errand.exchange.unwritten().is_empty())
    }

    /// Writes what can be written now; whether that was all.
    fn write(&mut self) -> io::Result<bool> {
        let Some(errand) = &mut self.errand else {
            return Ok(true);
        };
        while !errand.exchange.unwritten().is_empty() {
            match self.stream.write(errand.exchange.unwritten()) {
                Ok(bytes) => errand.exchange.wrote(bytes),
                Err(error) if is_nothing_yet(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// A connection that may still be on its way.
fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// In words that are the same for all that failed alike.
fn reason(error: &io::Error) -> String {
    error.to_string()
}
