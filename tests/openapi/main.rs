//! docs/openapi.yaml is well-formed, and what the server answers is what it promises: every status
//! of every operation is brought about, and its body and fields are held to their schemas.

#[path = "../common/mod.rs"]
mod common;

mod document;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use common::{Bank, Peer, Report, Response, connect};
use document::{collect, document, escape, faults, members, resolve, text};
use serde_json::{Value, json};
use xtask::stack::{Driver, Shutdown, Sockets};

/// Faults that no request brings about, and outcomes that only a broken link has (502 is NGINX's).
const NOT_DRIVEN: [&str; 3] = ["500", "502", "504"];
/// On the admin address only; on the public one it is an unknown path.
const ADMIN: &str = "/metrics";
const TRANSACOES: &str = "/clientes/{id}/transacoes";
const EXTRATO: &str = "/clientes/{id}/extrato";

#[test]
fn the_document_is_well_formed() {
    let report = Report::new();
    let document = document();
    report.check(
        "version",
        text(&document["openapi"]).starts_with("3.1"),
        String::new,
    );
    let mut references = Vec::new();
    collect(&document, "$ref", &mut references);
    report.check("references", references.len() > 10, || {
        "hardly any".to_owned()
    });
    for reference in references {
        let pointer = text(reference).trim_start_matches('#');
        let found = document.pointer(pointer).is_some();
        report.check("references", found, || format!("{reference} names nothing"));
    }
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item).filter(|(_, o)| o.get("responses").is_some()) {
            let name = format!("{method} {path}");
            let statuses: Vec<&String> = members(&operation["responses"]).map(|(s, _)| s).collect();
            report.check(&name, statuses.len() > 1, || format!("only {statuses:?}"));
            let at = format!("/paths/{}/{method}", escape(path));
            examples(&report, &document, &format!("{at}/requestBody"));
            for status in statuses {
                examples(&report, &document, &format!("{at}/responses/{status}"));
            }
        }
    }
    report.finish();
}

/// The document's own examples conform to the schemas beside them.
fn examples(report: &Report, document: &Value, at: &str) {
    let Some((at, part)) = resolve(document, at) else {
        return;
    };
    for (media, content) in members(&part["content"]) {
        let schema = format!("{at}/content/{}/schema", escape(media));
        for (name, example) in members(&content["examples"]) {
            let faults = faults(document, &schema, &example["value"]);
            report.equal(
                &format!("{at}: example {name}"),
                faults,
                Vec::<String>::new(),
            );
        }
    }
}

#[test]
fn answers_conform_under_io_uring() {
    conform(Driver::IoUring, Sockets::Unix);
}

#[test]
fn answers_conform_under_epoll() {
    conform(Driver::Epoll, Sockets::Tcp);
}

/// An operation with the request that brings about a status.
struct Ask {
    path: &'static str,
    method: &'static str,
    request: String,
    status: &'static str,
}

struct Conformity {
    document: Value,
    report: Report,
    seen: Mutex<BTreeSet<(String, String, String)>>,
}

fn conform(driver: Driver, sockets: Sockets) {
    let mut bank = Bank::start_with(driver, sockets, |options| options.replicas = 1);
    let conformity = Conformity {
        document: document(),
        report: Report::new(),
        seen: Mutex::default(),
    };
    let peer = bank.replica(0);
    for ask in asks() {
        conformity.ask(&peer, &ask);
    }
    bank.stack().stop_postgres(Shutdown::Fast);
    thread::scope(|scope| {
        for ask in slow_asks() {
            let (conformity, peer) = (&conformity, &peer);
            scope.spawn(move || conformity.ask(peer, &ask));
        }
    });
    bank.stack()
        .signal_replica(0, rustix::process::Signal::TERM);
    drains(&conformity, &peer);
    conformity.all_were_seen();
    conformity.report.finish();
}

/// A draining process takes connections for a while, and says that it drains.
fn drains(conformity: &Conformity, peer: &Peer) {
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned();
    let ask = Ask {
        path: "/healthz",
        method: "get",
        request,
        status: "503",
    };
    loop {
        // The signal may not have arrived yet.
        let answer = common::Client::connect(peer).and_then(|mut c| c.exchange(&ask.request));
        let Some(answer) = conformity.report.ok("while it drains", answer) else {
            return;
        };
        if answer.status != 200 {
            return conformity.judge(&ask, &answer);
        }
    }
}

impl Conformity {
    fn ask(&self, peer: &Peer, ask: &Ask) {
        let name = format!("{} {} for {}", ask.method, ask.path, ask.status);
        let mut client = connect(peer);
        let sent = client.send(&ask.request);
        let answer = sent.and_then(|()| match ask.method {
            "head" => client.receive_head(),
            _ => client.receive(),
        });
        if let Some(answer) = self.report.ok(&name, answer) {
            self.judge(ask, &answer);
        }
    }

    /// The status is promised, the media type too, and body and fields conform.
    fn judge(&self, ask: &Ask, answer: &Response) {
        let name = format!("{} {} for {}", ask.method, ask.path, ask.status);
        self.report
            .equal(&name, answer.status.to_string().as_str(), ask.status);
        let at = format!("/paths/{}/{}/responses", escape(ask.path), ask.method);
        let exact = format!("{at}/{}", answer.status);
        let found = resolve(&self.document, &exact)
            .or_else(|| resolve(&self.document, &format!("{at}/default")));
        let Some((at, response)) = self.report.ok(&name, found.ok_or("not promised")) else {
            return;
        };
        let seen = (
            ask.path.to_owned(),
            ask.method.to_owned(),
            answer.status.to_string(),
        );
        self.seen
            .lock()
            .expect("no thread panics while it notes")
            .insert(seen);
        self.fields(&name, &at, response, answer);
        if ask.method != "head" {
            self.body(&name, &at, response, answer);
        }
    }

    fn fields(&self, name: &str, at: &str, response: &Value, answer: &Response) {
        for (field, _) in members(&response["headers"]) {
            let name = format!("{name}: {field}");
            let found = resolve(&self.document, &format!("{at}/headers/{}", escape(field)));
            let Some((at, header)) = self.report.ok(&name, found.ok_or("names nothing")) else {
                continue;
            };
            let Some(value) = answer.field(&field.to_ascii_lowercase()) else {
                let optional = header["required"] != json!(true);
                self.report
                    .check(&name, optional, || "missing, or there twice".to_owned());
                continue;
            };
            let value = match header["schema"]["type"].as_str() {
                Some("integer") => value.parse::<u64>().map_or(json!(value), |n| json!(n)),
                _ => json!(value),
            };
            let faults = faults(&self.document, &format!("{at}/schema"), &value);
            self.report.equal(&name, faults, Vec::<String>::new());
        }
    }

    fn body(&self, name: &str, at: &str, response: &Value, answer: &Response) {
        let field = answer.field("content-type").unwrap_or_default();
        let media = field.split(';').next().unwrap_or_default().trim();
        let promised = response["content"].get(media).is_some();
        let said = || format!("{field} is not promised");
        if !self.report.check(name, promised, said) {
            return;
        }
        let body = if media.ends_with("json") {
            answer.json()
        } else {
            json!(answer.text())
        };
        let schema = format!("{at}/content/{}/schema", escape(media));
        let faults = faults(&self.document, &schema, &body);
        self.report.equal(name, faults, Vec::<String>::new());
    }

    /// What is promised and never seen may be wrong.
    fn all_were_seen(&self) {
        let seen = self.seen.lock().expect("no thread panics while it notes");
        for (path, item) in members(&self.document["paths"]).filter(|(path, _)| *path != ADMIN) {
            for (method, operation) in members(item) {
                for (status, _) in members(&operation["responses"]) {
                    let key = (path.clone(), method.clone(), status.clone());
                    let seen = status == "default"
                        || NOT_DRIVEN.contains(&status.as_str())
                        || seen.contains(&key);
                    self.report
                        .check("promised", seen, || format!("{key:?} was never seen"));
                }
            }
        }
    }
}

fn ask(path: &'static str, method: &'static str, request: String, status: &'static str) -> Ask {
    Ask {
        path,
        method,
        request,
        status,
    }
}

/// Everything that is answered at once.
fn asks() -> Vec<Ask> {
    let mut asks = Vec::new();
    let post = |id: &str, body: &str| {
        let head = format!("POST /clientes/{id}/transacoes HTTP/1.1\r\nHost: x\r\n");
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    let credit = r#"{"valor": 1, "tipo": "c", "descricao": "toma"}"#;
    let refused = r#"{"valor": 0, "tipo": "c", "descricao": "toma"}"#;
    asks.push(ask(
        EXTRATO,
        "get",
        line("GET", "/clientes/1/extrato", ""),
        "200",
    ));
    for _ in 0..11 {
        asks.push(ask(TRANSACOES, "post", post("1", credit), "200"));
    }
    asks.push(ask(
        EXTRATO,
        "get",
        line("GET", "/clientes/1/extrato", ""),
        "200",
    ));
    asks.push(ask(TRANSACOES, "post", post("1", refused), "422"));
    asks.push(ask(TRANSACOES, "post", post("1", "{"), "400"));
    asks.push(ask(TRANSACOES, "post", post("6", credit), "404"));
    asks.push(ask(
        EXTRATO,
        "get",
        line("GET", "/clientes/6/extrato", ""),
        "404",
    ));
    for target in ["/clientes/1/extrato", "/healthz", "/health"] {
        let path = if target == "/clientes/1/extrato" {
            EXTRATO
        } else {
            target
        };
        asks.push(ask(path, "head", line("HEAD", target, ""), "200"));
        asks.push(ask(path, "get", line("DELETE", target, ""), "405"));
    }
    asks.push(ask(
        TRANSACOES,
        "post",
        line("GET", "/clientes/1/transacoes", ""),
        "405",
    ));
    asks.push(ask("/healthz", "get", line("GET", "/healthz", ""), "200"));
    asks.push(ask("/health", "get", line("GET", "/health", ""), "200"));
    asks.push(ask("/metrics", "get", line("GET", "/metrics", ""), "404"));
    asks.extend(refused_by_framing());
    asks
}

/// What is refused by its framing alone.
fn refused_by_framing() -> Vec<Ask> {
    let mut asks = Vec::new();
    let routes = [
        (TRANSACOES, "post", "POST", "/clientes/1/transacoes"),
        (EXTRATO, "get", "GET", "/clientes/1/extrato"),
        ("/healthz", "get", "GET", "/healthz"),
        ("/health", "get", "GET", "/health"),
    ];
    for (path, method, token, target) in routes {
        let line = |fields: &str| line(token, target, fields);
        asks.push(ask(path, method, line("Host: y\r\n"), "400"));
        if path != TRANSACOES && path != EXTRATO {
            continue;
        }
        asks.push(ask(path, method, line("Content-Length: 5000\r\n"), "413"));
        asks.push(ask(path, method, line("Expect: more\r\n"), "417"));
        asks.push(ask(path, method, line(&"A: b\r\n".repeat(64)), "431"));
        asks.push(ask(
            path,
            method,
            line("Transfer-Encoding: gzip\r\n"),
            "501",
        ));
        asks.push(ask(
            path,
            method,
            line("").replace("HTTP/1.1", "HTTP/2.0"),
            "505",
        ));
    }
    asks
}

/// What takes seconds, without a database.
fn slow_asks() -> Vec<Ask> {
    let body = r#"{"valor": 1, "tipo": "c", "descricao": "toma"}"#;
    let length = format!("Content-Length: {}\r\n", body.len());
    let post = line("POST", "/clientes/1/transacoes", &length);
    vec![
        ask(TRANSACOES, "post", post.clone() + body, "503"),
        ask(TRANSACOES, "post", post, "408"),
        ask(
            EXTRATO,
            "get",
            line("GET", "/clientes/1/extrato", ""),
            "503",
        ),
        ask(
            EXTRATO,
            "get",
            line("GET", "/clientes/1/extrato", &length),
            "408",
        ),
        ask("/health", "get", line("GET", "/health", ""), "503"),
    ]
}

fn line(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}
