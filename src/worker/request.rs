//! Requests: which of them need the database, and what is answered to those that do not.

use super::counters::{self, COUNTERS};
use super::exchange::{Exchange, Ticket};
use super::fault;
use super::health;
use super::state::Worker;
use crate::bank::{self, Route};
use crate::http::{self, Body, Head, Media, Method, Persistence, Status};
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
    ///
    /// The order of checks is the contract's: framing is behind us; then path, method, size,
    /// JSON, rules, cliente.
    pub(super) fn take(
        &self,
        request: &http::Request<'_>,
        ticket: Ticket,
        came_ms: u64,
    ) -> Result<(), Local> {
        counters::add(&COUNTERS.requests);
        let (persistence, head_only) = (ticket.persistence, ticket.head_only);
        let judged = self.judge(request, ticket.exchange.admin);
        let submitted = judged.and_then(|kind| {
            let extrato = matches!(kind, Kind::Extrato(_));
            let exchange = Rc::clone(&ticket.exchange);
            let operation = Operation::new(ticket, came_ms, kind);
            fault::vital("the ledger", || self.submit(operation)).map(|()| exchange.joined(extrato))
        });
        submitted.map_err(|what| {
            let too_large = matches!(
                what,
                What::Problem {
                    status: Status::PAYLOAD_TOO_LARGE,
                    ..
                }
            );
            let persistence = if too_large {
                Persistence::Close
            } else {
                persistence
            };
            Local {
                what,
                persistence,
                head_only,
            }
        })
    }

    fn judge(&self, request: &http::Request<'_>, admin: bool) -> Result<Kind, What> {
        let route = match bank::route(request.path) {
            Route::Metrics if !admin => Route::NotFound,
            route => route,
        };
        if route == Route::NotFound {
            return Err(What::problem(Status::NOT_FOUND));
        }
        let allowed = match request.method {
            Method::Post => matches!(route, Route::Transacoes(_)),
            Method::Get | Method::Head => !matches!(route, Route::Transacoes(_)),
            Method::Other => false,
        };
        if !allowed {
            let fields = match route {
                Route::Transacoes(_) => "Allow: POST\r\n",
                _ => "Allow: GET, HEAD\r\n",
            };
            return Err(What::Problem {
                status: Status::METHOD_NOT_ALLOWED,
                fields,
            });
        }
        let body = match request.body {
            Body::TooLarge => return Err(What::problem(Status::PAYLOAD_TOO_LARGE)),
            Body::Whole(body) => body,
        };
        match route {
            Route::Transacoes(cliente) => {
                let pedido = bank::read(body).map_err(|refusal| match refusal {
                    bank::Refusal::Json => What::problem(Status::BAD_REQUEST),
                    bank::Refusal::Rules => What::problem(Status::UNPROCESSABLE),
                })?;
                let cliente = cliente.ok_or(What::problem(Status::NOT_FOUND))?;
                Ok(Kind::Transacao(pedido.of(cliente)))
            }
            Route::Extrato(Some(cliente)) => Ok(Kind::Extrato(cliente)),
            Route::Extrato(None) | Route::NotFound => Err(What::problem(Status::NOT_FOUND)),
            Route::Healthz => Err(What::Healthz),
            Route::Health => Err(What::Health),
            Route::Metrics => Err(What::Metrics),
        }
    }

    fn submit(&self, operation: Operation<Ticket>) -> Result<(), What> {
        let mut ledger = self.ledger.borrow_mut();
        let unavailable = What::Problem {
            status: Status::UNAVAILABLE,
            fields: "Retry-After: 1\r\n",
        };
        ledger.submit(operation, self.now_ms()).map_err(|refused| {
            if refused == Refused::Full {
                counters::add(&COUNTERS.queue_full);
            }
            unavailable
        })?;
        counters::add(&COUNTERS.operations);
        if ledger.ready() {
            self.departures.raise();
        }
        Ok(())
    }

    /// Appends an answer that needs no database; every earlier one must have been appended.
    pub(super) fn answer_locally(&self, exchange: &Exchange, local: &Local) {
        let mut body = self.body.borrow_mut();
        body.clear();
        let (status, media, fields) = match local.what {
            What::Continue => return exchange.append(http::append_continue),
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
        let what = What::Problem {
            status: Status::UNAVAILABLE,
            fields: "Retry-After: 1\r\n",
        };
        Self {
            what,
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
}
