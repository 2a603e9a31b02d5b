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
    /// What its path names.
    pub route: Route,
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
    let route = route(request.path);
    let denied = |status| Denied {
        route,
        status,
        fields: "",
    };
    if matches!(route, Route::NotFound) || (matches!(route, Route::Metrics) && !admin) {
        return Err(denied(Status::NOT_FOUND));
    }
    let posts = matches!(route, Route::Transacoes(_));
    let allowed = match request.method {
        Method::Post => posts,
        Method::Get | Method::Head => !posts,
        Method::Other => false,
    };
    if !allowed {
        let fields = route.allow();
        return Err(Denied {
            fields,
            ..denied(Status::METHOD_NOT_ALLOWED)
        });
    }
    let Body::Whole(body) = request.body else {
        return Err(denied(Status::PAYLOAD_TOO_LARGE));
    };
    let unknown = denied(Status::NOT_FOUND);
    match route {
        Route::Transacoes(cliente) => {
            let pedido = transacao::read(body).map_err(|refusal| match refusal {
                Refusal::Json => denied(Status::BAD_REQUEST),
                Refusal::Rules => denied(Status::UNPROCESSABLE),
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
