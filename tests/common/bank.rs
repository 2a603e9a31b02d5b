//! A whole private bank: PostgreSQL, replicas and NGINX on free ports, gone when it is dropped.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use xtask::stack::{Driver, Options, Sockets, Stack};

use super::{Client, Peer};

/// A running stack.
pub struct Bank {
    /// The stack itself.
    pub stack: Stack,
    next_cliente: AtomicI64,
    /// By limite: inserted, and not yet given to any test.
    spare: Mutex<HashMap<i64, Vec<i64>>>,
}

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
            assert_eq!(replica.driver, driver.as_str(), "the driver in force");
        }
        Self {
            stack,
            next_cliente: AtomicI64::new(1_000),
            spare: Mutex::default(),
        }
    }

    /// NGINX.
    pub fn door(&self) -> Peer {
        Peer::from(self.stack.address())
    }

    /// A replica, directly.
    pub fn replica(&self, index: usize) -> Peer {
        Peer::from(&self.stack.replicas()[index].address)
    }

    /// NGINX and the first replica, each with its name: a contract holds at both.
    pub fn peers(&self) -> [(&'static str, Peer); 2] {
        [
            ("through NGINX", self.door()),
            ("at a replica", self.replica(0)),
        ]
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
            self.stack
                .psql(&sql)
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
        self.stack
            .psql(&sql)
            .expect("the database is up")
            .trim()
            .to_owned()
    }
}

/// A connection that must come about.
pub fn connect(peer: &Peer) -> Client {
    Client::connect(peer).expect("the server takes a connection")
}
