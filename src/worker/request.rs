//! Requests: which of them need the database, and what is answered to those that do not.

use super::counters::{self, COUNTERS};
use super::exchange::{Exchange, Ticket};
use super::fault;
use super::health;
use super::state::Worker;
use crate::bank::{self, Asked, Denied};
use crate::http::{self, Head, Media, Persistence, Status};
use crate::ledger::{Kind, Operation, Refused};
use std::rc::Rc;

/// An answer that needs no database.
pub(super) struct Local {
    what: What,
    persistence: Persistence,
    head_only: bool,
}

enum What {
    /// `100 Continue`: not an answer yet.
    Continue,
    Problem {
        status: Status,
        fields: &'static str,
    },
    Healthz,
    Health,
    Metrics,
}

impl Worker {
    /// Lets a request join the queue, or says what is to be answered without the database.
    pub(super) fn attend(
        &self,
        request: &http::Request<'_>,
        ticket: Ticket,
        came_ms: u64,
    ) -> Result<(), Local> {
        counters::add(&COUNTERS.requests);
        let (persistence, head_only) = (ticket.persistence, ticket.head_only);
        let what = match bank::judge(request, ticket.exchange.admin) {
            Ok(Asked::Transacao(transacao)) => {
                let operation = Operation::new(ticket, came_ms, Kind::Transacao(transacao));
                return fault::vital("the ledger", || self.submit(operation));
            }
            Ok(Asked::Extrato(cliente)) => {
                let operation = Operation::new(ticket, came_ms, Kind::Extrato(cliente));
                return fault::vital("the ledger", || self.submit(operation));
            }
            Ok(Asked::Healthz) => What::Healthz,
            Ok(Asked::Health) => What::Health,
            Ok(Asked::Metrics) => What::Metrics,
            Err(Denied { status, fields }) => What::Problem { status, fields },
        };
        Err(Local {
            what,
            persistence,
            head_only,
        })
    }

    fn submit(&self, operation: Operation<Ticket>) -> Result<(), Local> {
        #[cfg(test)]
        super::connection::tests::may_panic_in_ledger(&operation.kind);
        let exchange = Rc::clone(&operation.ticket.exchange);
        let extrato = matches!(operation.kind, Kind::Extrato(_));
        let unavailable = Local {
            what: What::unavailable(),
            persistence: operation.ticket.persistence,
            head_only: operation.ticket.head_only,
        };
        let mut ledger = self.ledger.borrow_mut();
        if let Err(refused) = ledger.submit(operation, self.now_ms()) {
            if refused == Refused::Full {
                counters::add(&COUNTERS.queue_full);
            }
            return Err(unavailable);
        }
        exchange.joined(extrato);
        counters::add(&COUNTERS.operations);
        if ledger.stirs(self.now_us()) {
            self.departures.raise();
        }
        Ok(())
    }

    /// Appends an answer that needs no database; every earlier one must have been appended.
    pub(super) fn answer_locally(&self, exchange: &Exchange, local: &Local) {
        let mut body = self.body.borrow_mut();
        body.clear();
        let (status, media, fields) = match local.what {
            What::Continue => return exchange.append(&self.spare, http::append_continue),
            What::Problem { status, fields } => {
                body.extend_from_slice(http::problem(status).as_bytes());
                (status, Media::Problem, fields)
            }
            What::Healthz if self.draining() => {
                body.extend_from_slice(http::problem(Status::UNAVAILABLE).as_bytes());
                (Status::UNAVAILABLE, Media::Problem, "Retry-After: 1\r\n")
            }
            What::Healthz => {
                body.extend_from_slice(b"Healthy");
                (Status::OK, Media::Text, "")
            }
            What::Health => {
                let up = health::append_json(&mut body, self);
                (
                    if up { Status::OK } else { Status::UNAVAILABLE },
                    Media::Json,
                    "",
                )
            }
            What::Metrics => {
                counters::append_metrics(&mut body, self.driver);
                (Status::OK, Media::Prometheus, "")
            }
        };
        let head = Head {
            status,
            media,
            fields,
            persistence: local.persistence,
        };
        self.append_answer(exchange, head, &body, local.head_only);
    }
}

impl Local {
    /// The request is refused, and the connection closes.
    pub(super) fn refusal(status: Status) -> Self {
        Self {
            what: What::problem(status),
            persistence: Persistence::Close,
            head_only: false,
        }
    }

    /// There is no room for this connection.
    pub(super) fn no_room() -> Self {
        Self {
            what: What::unavailable(),
            persistence: Persistence::Close,
            head_only: false,
        }
    }

    /// `100 Continue`.
    pub(super) fn go_on() -> Self {
        Self {
            what: What::Continue,
            persistence: Persistence::KeepAlive,
            head_only: false,
        }
    }
}

impl What {
    fn problem(status: Status) -> Self {
        What::Problem { status, fields: "" }
    }

    fn unavailable() -> Self {
        What::Problem {
            status: Status::UNAVAILABLE,
            fields: "Retry-After: 1\r\n",
        }
    }
}
