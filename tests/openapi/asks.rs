//! The requests that bring about what the document promises.

pub const TRANSACOES: &str = "/clientes/{id}/transacoes";
pub const EXTRATO: &str = "/clientes/{id}/extrato";
/// Figures on the admin address; on the public one it is an unknown path.
pub const METRICS: &str = "/metrics";

/// An operation with the request that brings about a status.
pub struct Ask {
    pub path: &'static str,
    pub method: &'static str,
    pub request: String,
    pub status: &'static str,
}

/// A path of the document with its method, and both as a request has them.
type Route = (&'static str, &'static str, &'static str, &'static str);

const ROUTES: [Route; 4] = [
    (TRANSACOES, "post", "POST", "/clientes/1/transacoes"),
    (EXTRATO, "get", "GET", "/clientes/1/extrato"),
    ("/healthz", "get", "GET", "/healthz"),
    ("/health", "get", "GET", "/health"),
];
const ADMIN_ROUTE: Route = (METRICS, "get", "GET", METRICS);

const CREDIT: &str = r#"{"valor": 1, "tipo": "c", "descricao": "toma"}"#;
const REFUSED: &str = r#"{"valor": 0, "tipo": "c", "descricao": "toma"}"#;

/// Everything that the public address answers at once.
pub fn asks() -> Vec<Ask> {
    let extrato = |id: u8, status| {
        let target = format!("/clientes/{id}/extrato");
        ask(EXTRATO, "get", line("GET", &target, ""), status)
    };
    let transacao = |id: u8, body: &str, status| {
        let target = format!("/clientes/{id}/transacoes");
        let length = format!("Content-Length: {}\r\n", body.len());
        let request = line("POST", &target, &length) + body;
        ask(TRANSACOES, "post", request, status)
    };
    let mut asks = vec![extrato(1, "200")];
    asks.extend((0..11).map(|_| transacao(1, CREDIT, "200")));
    asks.extend([
        extrato(1, "200"),
        transacao(1, REFUSED, "422"),
        transacao(1, "{", "400"),
        transacao(6, CREDIT, "404"),
        extrato(6, "404"),
    ]);
    let [(path, method, _, target), gets @ ..] = ROUTES;
    asks.push(ask(path, method, line("GET", target, ""), "405"));
    asks.extend(gets.into_iter().flat_map(of_a_get));
    asks.extend(ROUTES.into_iter().flat_map(refused_by_framing));
    asks.push(ask(METRICS, "get", line("GET", METRICS, ""), "404"));
    asks
}

/// The same of the admin address, for what it alone has.
pub fn admin_asks() -> Vec<Ask> {
    let mut asks = of_a_get(ADMIN_ROUTE);
    asks.extend(refused_by_framing(ADMIN_ROUTE));
    asks
}

/// What takes seconds, without a database.
pub fn slow_asks() -> Vec<Ask> {
    let (extrato, health) = (ROUTES[1], ROUTES[3]);
    let length = format!("Content-Length: {}\r\n", CREDIT.len());
    let post = line("POST", "/clientes/1/transacoes", &length) + CREDIT;
    let mut asks = vec![ask(TRANSACOES, "post", post, "503")];
    for (path, method, token, target) in [extrato, health] {
        asks.push(ask(path, method, line(token, target, ""), "503"));
    }
    asks.extend(ROUTES.map(never_whole));
    asks
}

/// The same of the admin address.
pub fn admin_slow_asks() -> Vec<Ask> {
    vec![never_whole(ADMIN_ROUTE)]
}

/// One connection to the admin address too many.
pub fn full() -> Ask {
    ask(METRICS, "get", line("GET", METRICS, ""), "503")
}

/// While the process drains.
pub fn draining() -> Ask {
    ask("/healthz", "get", line("GET", "/healthz", ""), "503")
}

/// GET and HEAD are answered, and no other method.
fn of_a_get((path, method, token, target): Route) -> Vec<Ask> {
    vec![
        ask(path, method, line(token, target, ""), "200"),
        ask(path, "head", line("HEAD", target, ""), "200"),
        ask(path, method, line("DELETE", target, ""), "405"),
    ]
}

/// What is refused by its framing alone.
fn refused_by_framing((path, method, token, target): Route) -> Vec<Ask> {
    let many = "A: b\r\n".repeat(64);
    let fields = [
        ("Host: y\r\n", "400"),
        ("Content-Length: 5000\r\n", "413"),
        ("Expect: more\r\n", "417"),
        (many.as_str(), "431"),
        ("Transfer-Encoding: gzip\r\n", "501"),
    ];
    let mut asks: Vec<Ask> = fields
        .into_iter()
        .map(|(fields, status)| ask(path, method, line(token, target, fields), status))
        .collect();
    let other = line(token, target, "").replace("HTTP/1.1", "HTTP/2.0");
    asks.push(ask(path, method, other, "505"));
    asks
}

/// A body is announced, and never comes.
fn never_whole((path, method, token, target): Route) -> Ask {
    let request = line(token, target, "Content-Length: 1\r\n");
    ask(path, method, request, "408")
}

fn ask(path: &'static str, method: &'static str, request: String, status: &'static str) -> Ask {
    Ask {
        path,
        method,
        request,
        status,
    }
}

fn line(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}
