//! Paths, methods, ids, and the order of checks.

use crate::answers::Place;
use crate::common::{get, post};

const CREDIT: &str = r#"{"valor": 1, "tipo": "c", "descricao": "x"}"#;
const TOO_LONG: usize = 4 * 1024 + 1;

/// Every route.
pub fn check(place: &Place) {
    operations(place);
    ids(place);
    paths(place);
    methods(place);
    head(place);
    order_of_checks(place);
    hosts(place);
}

fn operations(place: &Place) {
    let mut client = place.connect();
    if let Some(answer) = place.ask(&mut client, "/healthz", &get("/healthz")) {
        place.report.equal("/healthz", answer.status, 200);
        place.report.equal("/healthz", answer.text(), "Healthy");
    }
    if let Some(answer) = place.ask(&mut client, "/health", &get("/health")) {
        place.report.equal("/health", answer.status, 200);
        let health = answer.json();
        place
            .report
            .check("/health is an object", health.is_object(), || answer.text());
        let said = health["driver"] == place.bank.driver();
        place
            .report
            .check("/health: driver in force", said, || answer.text());
    }
    // NGINX refuses it by itself, with a page of its own.
    let answer = client.exchange(get("/metrics"));
    if let Some(answer) = place.report.ok("/metrics", answer) {
        place
            .report
            .equal(&place.named("/metrics"), answer.status, 404);
    }
}

/// What is an id: a plain decimal integer of 64 bits that has a row.
fn ids(place: &Place) {
    let digits = "1".repeat(31);
    let mut cases = vec![("1", 200), ("%31", 200)];
    let unknown = [
        "0",
        "6",
        "00",
        "01",
        "001",
        "+1",
        "-1",
        "-0",
        "1x",
        "x1",
        "x",
        "1.0",
        "1e0",
        "0x1",
        "1,2",
        "1;2",
        "%2B1",
        "%2D1",
        "%301",
        "%201",
        "1%20",
        "%D9%A1",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551617",
        "1000000000000000000000000000000",
        &digits,
        "1%2F",
        "%2F1",
    ];
    cases.extend(unknown.map(|id| (id, 404)));
    let mut client = place.connect();
    for (id, status) in cases {
        let target = format!("/clientes/{id}/extrato");
        place.expect(&mut client, &format!("GET {target}"), &get(&target), status);
        let target = format!("/clientes/{id}/transacoes");
        place.expect(
            &mut client,
            &format!("POST {target}"),
            &post(&target, CREDIT),
            status,
        );
    }
}

/// Which paths are known; a query changes nothing, and an absolute form names the same.
fn paths(place: &Place) {
    let mut client = place.connect();
    for target in [
        "/clientes/1/extrato?",
        "/clientes/1/extrato?x=1",
        "/clientes/1/extrato?x=/clientes/2/extrato",
        "/clientes/1/extrato?%zz=%",
        "/clientes/%31/%65xtrato",
        "/%63lientes/1/extrato",
        "http://crebito/clientes/1/extrato",
        "http://crebito:80/clientes/1/extrato?x=1",
        "/healthz?x=1",
        "/health?",
    ] {
        place.expect(&mut client, target, &get(target), 200);
    }
    for target in [
        "/clientes/1/transacoes?x=1",
        "http://crebito/clientes/1/transacoes",
    ] {
        place.expect(&mut client, target, &post(target, CREDIT), 200);
    }
    for target in [
        "/",
        "/x",
        "/index.html",
        "/clientes",
        "/clientes/",
        "/clientes/1",
        "/clientes/1/",
        "/clientes//extrato",
        "/clientes/1/extrato/",
        "/clientes/1/extratos",
        "/clientes/1/Extrato",
        "/Clientes/1/extrato",
        "/clientes/1/extrato/1",
        "/clientes/1//extrato",
        "//clientes/1/extrato",
        "/x/clientes/1/extrato",
        "/clientes/1%2Fextrato",
        "/clientes%2F1/extrato",
        "/clientes/1/extrato%3Fx=1",
        "/clientes/1/extrato%20",
        "/healthz/",
        "/Healthz",
        "/healt",
        "/exit",
    ] {
        place.expect(&mut client, target, &get(target), 404);
        place.expect(&mut client, target, &post(target, CREDIT), 404);
    }
}

fn methods(place: &Place) {
    let known = [
        (
            "/clientes/1/extrato",
            "GET, HEAD",
            ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"],
        ),
        (
            "/clientes/6/extrato",
            "GET, HEAD",
            ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"],
        ),
        (
            "/clientes/1/transacoes",
            "POST",
            ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"],
        ),
        (
            "/healthz",
            "GET, HEAD",
            ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"],
        ),
        (
            "/health",
            "GET, HEAD",
            ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"],
        ),
    ];
    let mut client = place.connect();
    for (target, allow, methods) in known {
        for method in methods {
            let name = format!("{method} {target}");
            let request = format!("{name} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
            if let Some(answer) = place.ask(&mut client, &name, request.as_bytes()) {
                place.report.equal(&place.named(&name), answer.status, 405);
                place
                    .report
                    .equal(&place.named(&name), answer.field("allow"), Some(allow));
            }
        }
    }
    if !place.behind_nginx {
        for method in ["get", "Get", "GETT", "BREW"] {
            let request = format!("{method} /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
            place.expect(&mut client, method, request.as_bytes(), 405);
        }
    }
}

/// HEAD where GET is known: the same head, no body, and the next answer right behind it.
fn head(place: &Place) {
    let cases = [
        ("/clientes/1/extrato", 200),
        ("/healthz", 200),
        ("/clientes/6/extrato", 404),
        ("/nowhere", 404),
        ("/clientes/1/transacoes", 405),
    ];
    let mut client = place.connect();
    for (target, status) in cases {
        let name = place.named(&format!("HEAD {target}"));
        let of_get = place.ask(&mut client, target, &get(target));
        let request = format!("HEAD {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        let sent = client.send(request).and_then(|()| client.receive_head());
        let (Some(of_get), Some(of_head)) = (of_get, place.report.ok(&name, sent)) else {
            client = place.connect();
            continue;
        };
        place.report.equal(&name, of_head.status, status);
        place.report.equal(&name, of_head.status, of_get.status);
        for field in ["content-length", "content-type", "allow", "connection"] {
            place
                .report
                .equal(&name, of_head.field(field), of_get.field(field));
        }
        place.expect(&mut client, "behind a HEAD", &get("/healthz"), 200);
    }
}

/// An invalid Host is refused behind NGINX, too: it is sent on as it came.
fn hosts(place: &Place) {
    for (host, status) in [
        ("x", 200),
        ("x:80", 200),
        ("[::1]:9999", 200),
        ("x:abc", 400),
        ("[::1", 400),
        ("u@x", 400),
        ("a#b", 400),
        ("%zz", 400),
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
        place.expect(&mut place.connect(), host, request.as_bytes(), status);
    }
    let request = b"GET /healthz HTTP/1.0\r\n\r\n";
    place.expect(&mut place.connect(), "none in HTTP/1.0", request, 200);
}

/// Path 404, method 405, size 413, JSON 400, rules 422, client 404. (Framing: http_wire.)
fn order_of_checks(place: &Place) {
    let long = "x".repeat(TOO_LONG);
    let broken_rule = r#"{"valor": 0, "tipo": "c", "descricao": "x"}"#;
    let transacoes = |id: &str| format!("/clientes/{id}/transacoes");
    let cases = [
        ("path before JSON", "POST", "/nowhere".to_owned(), "{", 404),
        (
            "path before method",
            "DELETE",
            "/nowhere".to_owned(),
            "",
            404,
        ),
        ("method before JSON", "PUT", transacoes("1"), "{", 405),
        ("method before client", "PUT", transacoes("6"), CREDIT, 405),
        ("size before JSON", "POST", transacoes("1"), &*long, 413),
        ("size before client", "POST", transacoes("6"), &*long, 413),
        (
            "JSON before rules",
            "POST",
            transacoes("1"),
            r#"{"valor": 0, "#,
            400,
        ),
        ("JSON before client", "POST", transacoes("6"), "{", 400),
        ("JSON before id", "POST", transacoes("01"), "{", 400),
        (
            "rules before client",
            "POST",
            transacoes("6"),
            broken_rule,
            422,
        ),
        (
            "rules before id",
            "POST",
            transacoes("01"),
            broken_rule,
            422,
        ),
        ("client", "POST", transacoes("6"), CREDIT, 404),
    ];
    for (name, method, target, body, status) in cases {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        place.expect(&mut place.connect(), name, request.as_bytes(), status);
    }
    if !place.behind_nginx {
        let cases = [
            ("path before size", "POST", "/nowhere".to_owned(), 404),
            ("method before size", "PUT", transacoes("1"), 405),
        ];
        for (name, method, target, status) in cases {
            let request = format!(
                "{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{long}",
                long.len()
            );
            place.expect(&mut place.connect(), name, request.as_bytes(), status);
        }
    }
}
