//! Requests: which of them need the database, and what is answered to those that do not.

use super::course::{Answered, Moment};
use super::exchange::{Exchange, Ticket};
use super::fault;
use super::health;
use super::metrics::METRICS;
use super::state::Worker;
use super::tally::Topic;
use crate::bank::{self, Asked, Denied};
use crate::http::{self, Head, Media, Persistence, Status};
use crate::ledger::{Kind, Operation, Refused};
use std::rc::Rc;

/// An answer that needs no database.
pub(super) struct Local {
    what: What,
    persistence: Persistence,
    head_only: bool,
    topic: Topic,
    came: Moment,
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
        mut ticket: Ticket,
        came_ms: u64,
        now_us: u64,
    ) -> Result<(), Local> {
        let (persistence, head_only, came) = (ticket.persistence, ticket.head_only, ticket.came);
        let (topic, what) = match bank::judge(request, ticket.exchange.admin) {
            Ok(Asked::Transacao(transacao)) => {
                ticket.topic = Topic::Transacoes;
                let operation = Operation::new(ticket, came_ms, Kind::Transacao(transacao));
                return fault::vital("ledger", || self.submit(operation, now_us));
            }
            Ok(Asked::Extrato(cliente)) => {
                ticket.topic = Topic::Extrato;
                let operation = Operation::new(ticket, came_ms, Kind::Extrato(cliente));
                return fault::vital("ledger", || self.submit(operation, now_us));
            }
            Ok(Asked::Healthz) => (Topic::Health, What::Healthz),
            Ok(Asked::Health) => (Topic::Health, What::Health),
            Ok(Asked::Metrics) => (Topic::Other, What::Metrics),
            Err(Denied {
                route,
                status,
                fields,
            }) => (Topic::of(route), What::Problem { status, fields }),
        };
        Err(Local {
            what,
            persistence,
            head_only,
            topic,
            came,
        })
    }

    fn submit(&self, operation: Operation<Ticket>, now_us: u64) -> Result<(), Local> {
        #[cfg(test)]
        super::connection::tests::may_panic_in_ledger(&operation.kind);
        let exchange = Rc::clone(&operation.ticket.exchange);
        let extrato = matches!(operation.kind, Kind::Extrato(_));
        let unavailable = Local {
            what: What::unavailable(),
            persistence: operation.ticket.persistence,
            head_only: operation.ticket.head_only,
            topic: operation.ticket.topic,
            came: operation.ticket.came,
        };
        let mut ledger = self.ledger.borrow_mut();
        if let Err(refused) = ledger.submit(operation, now_us / 1000) {
            if refused == Refused::Full {
                self.tally.queue_full();
            }
            return Err(unavailable);
        }
        exchange.joined(extrato);
        self.tally.joined();
        if ledger.stirs(now_us) {
            self.departures.raise();
        }
        Ok(())
    }

    /// Appends an answer that needs no database; every earlier one must have been appended.
    pub(super) fn answer_locally(&self, exchange: &Exchange, local: &Local) {
        let mut body = self.body.borrow_mut();
        body.clear();
        let (status, media, fields) = match local.what {
            What::Continue => {
                return exchange.append(
                    &self.spare,
                    self.clock.tick_ms(),
                    None,
                    http::append_continue,
                );
            }
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
                self.flush();
                METRICS.append_text(&mut body);
                (Status::OK, Media::Prometheus, "")
            }
        };
        let head = Head {
            status,
            media,
            fields,
            persistence: local.persistence,
        };
        let now = self.clock.moment();
        let answered = Answered {
            topic: local.topic,
            code: status.code(),
            came: local.came,
            left: now,
            back: now,
        };
        self.append_answer(exchange, head, &body, local.head_only, answered);
    }
}

impl Local {
    /// What came is refused, and the connection closes.
    pub(super) fn refusal(status: Status, head_only: bool, came: Moment) -> Self {
        Self {
            what: What::problem(status),
            persistence: Persistence::Close,
            head_only,
            topic: Topic::Other,
            came,
        }
    }

    /// There is no room for this connection.
    pub(super) fn no_room(came: Moment) -> Self {
        Self {
            what: What::unavailable(),
            persistence: Persistence::Close,
            head_only: false,
            topic: Topic::Other,
            came,
        }
    }

    /// `100 Continue`.
    pub(super) fn go_on(came: Moment) -> Self {
        Self {
            what: What::Continue,
            persistence: Persistence::KeepAlive,
            head_only: false,
            topic: Topic::Other,
            came,
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
