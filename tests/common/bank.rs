//! A whole bank: PostgreSQL, replicas and NGINX. A private one, on free ports, is gone when it is
//! dropped; one in containers was there before and stays.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use xtask::stack::{Driver, Options, Sockets, Stack};

use super::composed::Composed;
use super::{Client, Peer};

/// A running bank.
pub struct Bank {
    place: Place,
    next_cliente: AtomicI64,
    /// By limite: inserted, and not yet given to any test.
    spare: Mutex<HashMap<i64, Vec<i64>>>,
}

/// Where it runs.
enum Place {
    Here(Box<Stack>),
    Containers(Composed),
}

/// The first cliente that a test may add.
const FIRST: i64 = 1_000;
/// Ids from here on are chosen by hand.
const BY_HAND: i64 = 900_000_000_000_000_000;
/// Inserted beyond what is asked for.
const SPARE: i64 = 20;

impl Bank {
    /// Starts one. Fails loudly where the driver is not to be had: a test never passes because
    /// the machine lacks what it tests.
    pub fn start(driver: Driver, sockets: Sockets) -> Self {
        Self::start_with(driver, sockets, |_| {})
    }

    /// The same, with more of the options changed.
    pub fn start_with(driver: Driver, sockets: Sockets, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(env!("CARGO_BIN_EXE_crebito"));
        options.driver = driver;
        options.sockets = sockets;
        change(&mut options);
        let stack = Stack::private(&options)
            .map_err(|error| eprintln!("no stack under {driver:?} with {sockets:?}: {error}"))
            .expect("a stack starts under the driver that this test is about");
        for replica in stack.replicas() {
            let in_force = &replica.driver;
            let wanted = driver == Driver::Auto || in_force == driver.as_str();
            assert!(wanted, "{in_force} in force, not {driver:?}");
        }
        Self::at(Place::Here(Box::new(stack)), FIRST)
    }

    /// The one in containers that the environment names. Clientes and transacoes of earlier tests
    /// may be in it.
    pub fn composed() -> Self {
        let composed = Composed::from_environment();
        let sql =
            format!("SELECT 1 + greatest({FIRST}, max(id)) FROM clientes WHERE id < {BY_HAND}");
        let first = composed.psql(&sql).expect("psql reaches the database");
        let first = first.trim().parse().expect("an id is a number");
        Self::at(Place::Containers(composed), first)
    }

    /// The same, as if it were fresh: no transacoes, and every saldo 0.
    pub fn composed_and_reset() -> Self {
        let bank = Self::composed();
        bank.psql("TRUNCATE lotes; UPDATE clientes SET saldo = 0, n = 0, lotes = '{}'")
            .expect("nobody else is at work in it");
        bank
    }

    fn at(place: Place, first: i64) -> Self {
        Self {
            place,
            next_cliente: AtomicI64::new(first),
            spare: Mutex::default(),
        }
    }

    /// The processes behind a private bank.
    pub fn stack(&mut self) -> &mut Stack {
        let stack = match &mut self.place {
            Place::Here(stack) => Some(stack),
            Place::Containers(_) => None,
        };
        stack.expect("a test that stops and signals processes starts its own")
    }

    /// Runs SQL as the bank's role; gives what psql prints.
    pub fn psql(&self, sql: &str) -> Result<String, String> {
        match &self.place {
            Place::Here(stack) => stack.psql(sql).map_err(|error| error.to_string()),
            Place::Containers(composed) => composed.psql(sql),
        }
    }

    /// The ends of the logs, where they are to be had.
    pub fn logs(&self) -> String {
        match &self.place {
            Place::Here(stack) => stack.logs(),
            Place::Containers(_) => "(docker logs has the replicas')".to_owned(),
        }
    }

    /// The I/O driver that every replica runs on.
    pub fn driver(&self) -> String {
        match &self.place {
            Place::Here(stack) => stack.replicas()[0].driver.clone(),
            Place::Containers(composed) => composed.driver.clone(),
        }
    }

    /// NGINX.
    pub fn door(&self) -> Peer {
        match &self.place {
            Place::Here(stack) => Peer::from(stack.address()),
            Place::Containers(composed) => composed.door(),
        }
    }

    /// The replicas that can be reached, directly.
    pub fn replicas(&self) -> Vec<Peer> {
        match &self.place {
            Place::Here(stack) => {
                let replicas = stack.replicas();
                replicas
                    .iter()
                    .map(|one| Peer::from(&one.address))
                    .collect()
            }
            Place::Containers(composed) => composed.replicas(),
        }
    }

    /// A replica, directly.
    pub fn replica(&self, index: usize) -> Peer {
        let mut replicas = self.replicas().into_iter();
        replicas.nth(index).expect("a replica that can be reached")
    }

    /// NGINX and the first replica, each with its name: a contract holds at both.
    pub fn peers(&self) -> Vec<(&'static str, Peer)> {
        let replica = self.replicas().into_iter().take(1);
        let replica = replica.map(|peer| ("at a replica", peer));
        [("through NGINX", self.door())]
            .into_iter()
            .chain(replica)
            .collect()
    }

    /// New clientes with this limite, inserted by hand beside the running replicas. More are
    /// inserted than asked for, since each insertion starts a psql; the next to ask takes those.
    pub fn clientes(&self, count: usize, limite: i64) -> Vec<i64> {
        let mut spare = self
            .spare
            .lock()
            .expect("no test panics while it takes clientes");
        let spare = spare.entry(limite).or_default();
        if spare.len() < count {
            let first = self.next_cliente.fetch_add(1_000, Ordering::Relaxed);
            let last = first + i64::try_from(count).expect("a test's few clientes") + SPARE;
            let sql = format!(
                "INSERT INTO clientes (id, limite) SELECT id, {limite} \
                 FROM generate_series({first}::bigint, {last}::bigint) AS id"
            );
            self.psql(&sql)
                .expect("clientes are rows that anyone may insert");
            spare.extend(first..=last);
        }
        spare.drain(..count).collect()
    }

    /// One new cliente.
    pub fn cliente(&self, limite: i64) -> i64 {
        self.clientes(1, limite)[0]
    }

    /// A cliente's saldo and count of transacoes, as the database has them.
    pub fn row(&self, id: i64) -> String {
        let sql = format!(
            "SELECT saldo || ' ' || (SELECT count(*) FROM transacoes WHERE cliente_id = {id}) \
             FROM clientes WHERE id = {id}"
        );
        self.psql(&sql)
            .expect("the database is up")
            .trim()
            .to_owned()
    }
}

/// A connection that must come about.
pub fn connect(peer: &Peer) -> Client {
    Client::connect(peer).expect("the server takes a connection")
}
