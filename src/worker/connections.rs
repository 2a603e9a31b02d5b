//! The connections of one worker that are open, so many of each kind and no more.

use super::exchange::Exchange;
use super::metrics::METRICS;
use crate::limits;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

pub(super) struct Connections {
    open: RefCell<Slab<Rc<Exchange>>>,
    /// How many of each admission are among them.
    public: Cell<usize>,
    admin: Cell<usize>,
    refused: Cell<usize>,
    /// As many of the public's as there may be.
    public_max: usize,
}

/// As what a connection is let in; each has a bound of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// To be served.
    Public,
    /// To be served, with the admin routes.
    Admin,
    /// To be told that there is no room.
    Refused,
}

impl Connections {
    /// None, of which so many may be the public's.
    pub(super) fn new(public_max: usize) -> Self {
        Self {
            open: RefCell::default(),
            public: Cell::new(0),
            admin: Cell::new(0),
            refused: Cell::new(0),
            public_max,
        }
    }

    /// Takes a connection in; `None` when there are as many of its kind as there may be.
    pub(super) fn admit(&self, admission: Admission) -> Option<(usize, Rc<Exchange>)> {
        let (count, max) = self.places(admission);
        if count.get() >= max {
            return None;
        }
        count.set(count.get() + 1);
        METRICS.http.connections.inc();
        let exchange = Rc::new(Exchange::new(admission == Admission::Admin));
        let key = self.open.borrow_mut().insert(Rc::clone(&exchange));
        Some((key, exchange))
    }

    /// The connection is closed.
    pub(super) fn dismiss(&self, admission: Admission, key: usize) {
        let (count, _) = self.places(admission);
        count.set(count.get().saturating_sub(1));
        METRICS.http.connections.dec();
        self.open.borrow_mut().try_remove(key);
    }

    /// Ends what has waited for too long on any; `close_idle` ends every wait for a new request.
    pub(super) fn expire(&self, now_ms: u64, close_idle: bool) {
        for (_, exchange) in self.open.borrow().iter() {
            exchange.expire(now_ms, close_idle);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }

    /// How many connections of a kind are open, and how many may be.
    fn places(&self, admission: Admission) -> (&Cell<usize>, usize) {
        match admission {
            Admission::Public => (&self.public, self.public_max),
            Admission::Admin => (&self.admin, limits::ADMIN_CONNECTIONS_MAX),
            Admission::Refused => (&self.refused, limits::REFUSED_CONNECTIONS_MAX),
        }
    }
}
