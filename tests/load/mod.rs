//! Asks a stack for random operations from several connections at once, and keeps the history.
//!
//! Each seed asks the same things; what is answered depends on who comes first.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code, unused_imports)]

mod disturbed;
mod random;
mod record;

use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::checker::{Answer, Conta, Operation, Question};
use crate::common::{self, Client, Peer};
pub use disturbed::{CALM, Disturbed, RECOVERY};
use random::Random;
use record::answer;
use xtask::stack::{Address, Postgres};

/// The contest's clientes, and one that is not there.
const LIMITES: [(i64, i64); 6] = [
    (1, 100_000),
    (2, 80_000),
    (3, 1_000_000),
    (4, 10_000_000),
    (5, 500_000),
    (6, 100_000),
];
/// Valores are unique within so many operations.
const SPREAD: i64 = 8192;
/// Requests that are sent in one write, at most.
const PIPELINE_MAX: usize = 8;
/// A peer that is silent for so long hangs; longer than anything that the contract allows.
const GUARD: Duration = Duration::from_secs(20);

/// Where to ask, and how.
pub struct Load {
    /// One thread for each; each keeps one connection open to it.
    pub peers: Vec<Peer>,
    pub seed: u64,
    /// Between two writes of a connection.
    pub pause: Duration,
}

/// One clock and one source of names for all the loads whose histories are checked together.
pub struct History {
    start: Instant,
    names: AtomicUsize,
    connections: AtomicUsize,
    pub operations: Vec<Operation>,
}

impl History {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            names: AtomicUsize::new(1),
            connections: AtomicUsize::new(0),
            operations: Vec::new(),
        }
    }

    /// Runs `load` until each thread has heard `is_enough` of its count of operations, `meanwhile`
    /// on this thread, and takes what was asked and answered into the history.
    pub fn run<T>(
        &mut self,
        load: &Load,
        is_enough: impl Fn(usize) -> bool + Sync,
        meanwhile: impl FnOnce(&Self) -> T,
    ) -> T {
        let (this, is_enough) = (&*self, &is_enough);
        let (result, operations) = std::thread::scope(|scope| {
            let ask = |(at, peer)| {
                let random = Random::new(load.seed.wrapping_add(at));
                let asker = Asker {
                    history: this,
                    peer,
                    random,
                    operations: Vec::new(),
                };
                scope.spawn(move || asker.run(load.pause, is_enough))
            };
            let askers: Vec<_> = (0..).zip(&load.peers).map(ask).collect();
            let result = meanwhile(this);
            let operations: Vec<Operation> = askers
                .into_iter()
                .flat_map(|asker| asker.join().expect("an asker has no reason to panic"))
                .collect();
            (result, operations)
        });
        self.operations.extend(operations);
        result
    }

    /// What the operations came to.
    pub fn counts(&self) -> Counts {
        count(&self.operations)
    }

    /// The time on the clock of the history.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).expect("584 years are enough")
    }
}

/// How many operations had which answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub applied: usize,
    pub extratos: usize,
    pub impossible: usize,
    pub refused: usize,
    pub unknown: usize,
}

/// What `operations` came to, for a reader and for shares to be asserted.
pub fn count(operations: &[Operation]) -> Counts {
    let mut counts = Counts::default();
    for operation in operations {
        let count = match operation.answer {
            Answer::Applied { .. } => &mut counts.applied,
            Answer::Extrato { .. } => &mut counts.extratos,
            Answer::Impossible => &mut counts.impossible,
            Answer::Refused => &mut counts.refused,
            Answer::Unknown => &mut counts.unknown,
        };
        *count += 1;
    }
    counts
}

/// One thread with one connection at a time.
struct Asker<'a> {
    history: &'a History,
    peer: &'a Peer,
    random: Random,
    operations: Vec<Operation>,
}

impl Asker<'_> {
    fn run(mut self, pause: Duration, is_enough: impl Fn(usize) -> bool) -> Vec<Operation> {
        let mut connected: Option<(usize, Client)> = None;
        while !is_enough(self.operations.len()) {
            let Some((connection, mut client)) = connected.take().or_else(|| self.connect()) else {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            if self.ask(connection, &mut client).unwrap_or(false) {
                connected = Some((connection, client));
            }
            std::thread::sleep(pause);
        }
        self.operations
    }

    fn connect(&self) -> Option<(usize, Client)> {
        let mut client = Client::connect(self.peer).ok()?;
        client.set_guard(GUARD).ok()?;
        Some((
            self.history.connections.fetch_add(1, Ordering::Relaxed),
            client,
        ))
    }

    /// Sends one request, or several in one write, and records what comes of each. What is not
    /// answered stays unknown. Whether the connection can be used again.
    fn ask(&mut self, connection: usize, client: &mut Client) -> io::Result<bool> {
        let depth = match self.random.below(4) {
            0 => 2 + self.random.index(PIPELINE_MAX - 1),
            _ => 1,
        };
        let mut bytes = Vec::new();
        let first = self.operations.len();
        for _ in 0..depth {
            bytes.extend(self.choose(connection));
        }
        client.send(bytes)?;
        let mut is_usable = true;
        for at in first..first + depth {
            let response = client.receive()?;
            let answered_ns = self.history.now_ns();
            let operation = &mut self.operations[at];
            operation.answered_ns = answered_ns;
            operation.answer = answer(&operation.question, &response);
            is_usable = response.field("connection") != Some("close");
        }
        Ok(is_usable)
    }

    /// Records a new operation, unanswered, and gives its request.
    fn choose(&mut self, connection: usize) -> Vec<u8> {
        let name = self.history.names.fetch_add(1, Ordering::Relaxed);
        // Half of all are about cliente 1, a few about one that is not there.
        let (cliente, limite) = match self.random.below(100) {
            0..48 => LIMITES[0],
            48..50 => LIMITES[5],
            _ => LIMITES[1 + self.random.index(4)],
        };
        let (question, request) = match self.random.below(100) {
            0..15 => (Question::Extrato, common::extrato(cliente)),
            kind => {
                let steps = self
                    .random
                    .index(usize::try_from(limite / SPREAD).unwrap_or(0));
                let valor = 1 + (name as i64) % SPREAD + SPREAD * steps as i64;
                let descricao = format!("x{name}");
                // More debits than credits: the limits are reached, and stay near.
                let (tipo, signed) = if kind < 75 {
                    ("d", -valor)
                } else {
                    ("c", valor)
                };
                let request = common::transacao(cliente, tipo, valor, &descricao);
                (
                    Question::Transacao {
                        valor: signed,
                        descricao,
                    },
                    request,
                )
            }
        };
        let answer = Answer::Unknown;
        let before = self.operations.last().map_or(0, |one| one.asked_ns);
        let asked_ns = self.history.now_ns().max(before + 1);
        let answered_ns = u64::MAX;
        let operation = Operation {
            connection,
            cliente,
            question,
            asked_ns,
            answered_ns,
            answer,
        };
        self.operations.push(operation);
        request
    }
}

/// A seed that nobody had before, or that of `SEED`, to see a failure again.
pub fn fresh_seed() -> u64 {
    let given = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is after 1970");
        u64::from(now.subsec_nanos()) ^ now.as_secs()
    });
    println!("SEED={seed}");
    seed
}

/// A replica's address, for the client.
pub fn peer(address: &Address) -> Peer {
    match address {
        Address::Tcp(address) => Peer::Tcp(*address),
        Address::Unix(path) => Peer::Unix(path.clone()),
    }
}

/// All clientes and rows of the database.
pub fn contas(postgres: &Postgres) -> Vec<Conta> {
    contas_by(|sql| postgres.psql(sql))
}

/// The same, by any way to ask the database.
pub fn contas_by<E: Debug>(psql: impl FnOnce(&str) -> Result<String, E>) -> Vec<Conta> {
    record::contas(&psql(record::CONTAS).expect("the database is up"))
}

/// Asks until every one of these is answered with 200; an error after `guard`.
pub fn wait_for_service(peer: &Peer, guard: Duration) -> Result<(), String> {
    let start = Instant::now();
    let requests = [common::get("/health"), common::extrato(1)];
    loop {
        let ask = || -> io::Result<Vec<u16>> {
            let mut client = Client::connect(peer)?;
            let one = |request| Ok(client.exchange(request)?.status);
            requests.iter().map(one).collect()
        };
        match ask() {
            Ok(statuses) if statuses.iter().all(|status| *status == 200) => return Ok(()),
            heard if start.elapsed() > guard => return Err(format!("{heard:?} after {guard:?}")),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
