//! What a framed request asks, or the first of the contract's checks that it fails.

use crebito::bank::{Asked, Denied, Route, judge};
use crebito::http::{Body, Method, Persistence, Request};

const CREDIT: &[u8] = br#"{"valor": 7, "tipo": "c", "descricao": "x"}"#;
const BROKEN_RULE: &[u8] = br#"{"valor": 0, "tipo": "c", "descricao": "x"}"#;

fn request<'b>(method: Method, path: &'b str, body: Body<'b>) -> Request<'b> {
    Request {
        method,
        path: path.as_bytes(),
        body,
        persistence: Persistence::KeepAlive,
        len_bytes: 0,
    }
}

#[track_caller]
fn denied(method: Method, path: &str, body: Body<'_>, status: u16, fields: &str) {
    let denied = judge(&request(method, path, body), false).expect_err("it is denied");
    assert_eq!(denied.status.code(), status, "{method:?} {path}");
    assert_eq!(denied.fields, fields, "{method:?} {path}");
}

#[test]
fn what_is_asked() {
    use Method::{Get, Head, Post};
    let nothing = Body::Whole(b"");
    let asks = |method, path, body, admin| judge(&request(method, path, body), admin);
    for method in [Get, Head] {
        let extrato = asks(method, "/clientes/5/extrato", nothing, false);
        assert!(matches!(extrato, Ok(Asked::Extrato(5))));
        let healthz = asks(method, "/healthz", nothing, false);
        assert!(matches!(healthz, Ok(Asked::Healthz)));
        let health = asks(method, "/health", nothing, false);
        assert!(matches!(health, Ok(Asked::Health)));
        let metrics = asks(method, "/metrics", nothing, true);
        assert!(matches!(metrics, Ok(Asked::Metrics)));
    }
    let transacao = asks(Post, "/clientes/3/transacoes", Body::Whole(CREDIT), false);
    let Ok(Asked::Transacao(transacao)) = transacao else {
        panic!("{transacao:?}");
    };
    assert_eq!((transacao.cliente, transacao.valor), (3, 7));
}

/// Each with all later faults as well: path 404, method 405, size 413, JSON 400, rules 422,
/// cliente 404.
#[test]
fn the_first_fault_is_named() {
    use Method::{Get, Head, Other, Post};
    let (posts, gets) = ("Allow: POST\r\n", "Allow: GET, HEAD\r\n");
    for path in ["/nowhere", "/metrics", "/clientes/01/nowhere"] {
        denied(Other, path, Body::TooLarge, 404, "");
    }
    for method in [Get, Head, Other] {
        denied(
            method,
            "/clientes/01/transacoes",
            Body::TooLarge,
            405,
            posts,
        );
    }
    for path in ["/clientes/01/extrato", "/healthz", "/health"] {
        for method in [Post, Other] {
            denied(method, path, Body::TooLarge, 405, gets);
        }
        denied(Get, path, Body::TooLarge, 413, "");
    }
    for (body, status) in [
        (Body::TooLarge, 413),
        (Body::Whole(b"{"), 400),
        (Body::Whole(BROKEN_RULE), 422),
        (Body::Whole(CREDIT), 404),
    ] {
        denied(Post, "/clientes/01/transacoes", body, status, "");
    }
    denied(Get, "/clientes/01/extrato", Body::Whole(b""), 404, "");
}

#[test]
fn the_admin_address_knows_one_path_more() {
    let ask = |path, method| judge(&request(method, path, Body::Whole(b"")), true);
    let Err(Denied { route, status, .. }) = ask("/metrics", Method::Post) else {
        panic!("it is read only");
    };
    assert_eq!((route, status.code()), (Route::Metrics, 405));
    assert!(ask("/nowhere", Method::Get).is_err());
}
