//! What a request asks of the bank, or why it is refused without asking the database.

use super::route::{Route, route};
use super::transacao::{self, Refusal, Transacao};
use crate::http::{Body, Method, Request, Status};

/// What a request asks.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// To apply a transacao.
    Transacao(Transacao),
    /// The extrato of this cliente.
    Extrato(i64),
    /// Whether the process serves.
    Healthz,
    /// How the replica is.
    Health,
    /// The metrics.
    Metrics,
}

/// A request that needs no database to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What it is answered with.
    pub status: Status,
    /// Whole field lines that go with it: `Allow` for 405.
    pub fields: &'static str,
}

/// Judges a request that `http` has framed, in the order of the contract: path 404, method 405,
/// size 413, JSON 400, rules 422, cliente 404. `/metrics` is known to the `admin` address only.
///
/// # Errors
/// [`Denied`] by the first of the checks that fails.
pub fn judge(request: &Request<'_>, admin: bool) -> Result<Asked, Denied> {
    let route = match route(request.path) {
        Route::NotFound => return Err(Denied::with(Status::NOT_FOUND)),
        Route::Metrics if !admin => return Err(Denied::with(Status::NOT_FOUND)),
        route => route,
    };
    let posts = matches!(route, Route::Transacoes(_));
    let allowed = match request.method {
        Method::Post => posts,
        Method::Get | Method::Head => !posts,
        Method::Other => false,
    };
    if !allowed {
        let (status, fields) = (Status::METHOD_NOT_ALLOWED, route.allow());
        return Err(Denied { status, fields });
    }
    let Body::Whole(body) = request.body else {
        return Err(Denied::with(Status::PAYLOAD_TOO_LARGE));
    };
    let unknown = Denied::with(Status::NOT_FOUND);
    match route {
        Route::Transacoes(cliente) => {
            let pedido = transacao::read(body).map_err(|refusal| match refusal {
                Refusal::Json => Denied::with(Status::BAD_REQUEST),
                Refusal::Rules => Denied::with(Status::UNPROCESSABLE),
            })?;
            Ok(Asked::Transacao(pedido.of(cliente.ok_or(unknown)?)))
        }
        Route::Extrato(cliente) => cliente.map(Asked::Extrato).ok_or(unknown),
        Route::Healthz => Ok(Asked::Healthz),
        Route::Health => Ok(Asked::Health),
        Route::Metrics => Ok(Asked::Metrics),
        Route::NotFound => Err(unknown),
    }
}

impl Denied {
    fn with(status: Status) -> Self {
        Self { status, fields: "" }
    }
}
