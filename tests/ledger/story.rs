//! A ledger whose tickets are names, played step by step.

use bytes::BytesMut;
use crebito::bank::{Descricao, Transacao};
use crebito::ledger::{Answer, Kind, Landed, Ledger, Operation, Refused};
use crebito::limits;
use crebito::pg::ReplyDecoder;

/// Operations that the story's queue holds.
pub const QUEUE_MAX: usize = limits::FLIGHT_TRANSACOES_MAX + 64;

/// A ledger whose tickets are names, and what was answered, as `name answer`.
pub struct Story {
    pub ledger: Ledger<&'static str>,
    pub now_ms: u64,
    pub told: Vec<String>,
}

impl Story {
    pub fn new() -> Self {
        Self::with_pause(0)
    }

    pub fn with_pause(pause_us: u64) -> Self {
        Self::with_queue(QUEUE_MAX, pause_us)
    }

    pub fn with_queue(queue_max: usize, pause_us: u64) -> Self {
        let mut ledger = Ledger::new(queue_max, pause_us, 0);
        ledger.session_found();
        Self {
            ledger,
            now_ms: 0,
            told: Vec::new(),
        }
    }

    /// One that batches so many operations at most.
    pub fn with_flights_of(flight_max: usize) -> Self {
        let mut story = Self::with_pause(5_000);
        story.ledger = story.ledger.with_flights_of(flight_max);
        story
    }

    pub fn submit(&mut self, name: &'static str, kind: Kind) -> Result<(), Refused> {
        self.ledger
            .submit(Operation::new(name, self.now_ms, kind), self.now_ms)
    }

    pub fn credit(&mut self, name: &'static str, cliente: i64) {
        self.submit(name, credit(cliente)).expect("room");
    }

    pub fn extrato(&mut self, name: &'static str, cliente: i64) {
        self.submit(name, Kind::Extrato(cliente)).expect("room");
    }

    /// The statements that the leaving flight calls, in order.
    pub fn depart(&mut self) -> Vec<String> {
        self.depart_without("")
    }

    pub fn depart_without(&mut self, dead: &str) -> Vec<String> {
        let mut out = BytesMut::new();
        let told = &mut self.told;
        let deliver = |name: &&'static str, answer: Answer<'_>| note(told, name, answer);
        self.ledger
            .depart(self.now_ms * 1000, |name| *name != dead, &mut out, deliver);
        called(&out)
    }

    pub fn land(&mut self, reply: &[u8]) -> Landed {
        let mut decoder = ReplyDecoder::default();
        let reply = decoder
            .decode(reply)
            .expect("a reply")
            .expect("a whole reply");
        let told = &mut self.told;
        self.ledger
            .land(&reply, self.now_ms * 1000, |name, answer| {
                note(told, name, answer);
            })
            .expect("one awaited")
    }

    pub fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let told = &mut self.told;
        self.ledger
            .expire(self.now_ms, |name, answer| note(told, name, answer));
    }

    pub fn lose_session(&mut self) {
        let told = &mut self.told;
        self.ledger
            .session_lost(self.now_ms, |name, answer| note(told, name, answer));
    }

    #[track_caller]
    pub fn tells(&mut self, expected: &[&str]) {
        assert_eq!(self.told, expected);
        self.told.clear();
    }
}

pub fn credit(cliente: i64) -> Kind {
    let descricao = Descricao::new("teste").expect("a short one");
    Kind::Transacao(Transacao {
        cliente,
        valor: 1,
        descricao,
    })
}

fn note(told: &mut Vec<String>, name: &str, answer: Answer<'_>) {
    told.push(match answer {
        Answer::Applied { limite, saldo } => format!("{name} applied {limite} {saldo}"),
        Answer::Extrato(json) => format!("{name} extrato of {} bytes", json.len().min(1)),
        other => format!("{name} {other:?}"),
    });
}

/// The statements named by the Binds in `out` (PostgreSQL 55.7).
fn called(mut out: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let [tag, a, b, c, d, rest @ ..] = out {
        let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize - 4;
        if *tag == b'B' {
            // An empty portal name, then the statement's.
            let name = rest[1..].split(|byte| *byte == 0).next().expect("a name");
            names.push(String::from_utf8(name.to_vec()).expect("a name in ASCII"));
        }
        out = &rest[len..];
    }
    names
}
