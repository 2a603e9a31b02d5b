//! docs/openapi.yaml is well-formed, and what the server answers is what it promises: every status
//! of every operation is brought about, and its body and fields are held to their schemas.

#[path = "../common/mod.rs"]
mod common;

mod asks;
mod document;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use asks::{Ask, admin_asks, admin_slow_asks, asks, full, slow_asks};
use common::{Bank, Client, Peer, Report, Response, connect};
use crebito::limits;
use document::{collect, document, escape, faults, members, resolve, text};
use serde_json::{Value, json};
use xtask::stack::{Driver, Shutdown, Sockets};

/// Faults that no request brings about, and outcomes that only a broken link has (502 is NGINX's).
const NOT_DRIVEN: [&str; 3] = ["500", "502", "504"];
/// A replica that was told to end says so long before: a guard, never a measure.
const GUARD: Duration = Duration::from_secs(30);

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

struct Conformity {
    document: Value,
    report: Report,
    seen: Mutex<BTreeSet<(String, String, String)>>,
}

fn conform(driver: Driver, sockets: Sockets) {
    let mut bank = Bank::start_with(driver, sockets, |options| {
        options.replicas = 1;
        options.admin = true;
    });
    let conformity = Conformity {
        document: document(),
        report: Report::new(),
        seen: Mutex::default(),
    };
    let peer = bank.replica(0);
    let admin = bank.stack().replicas()[0].admin;
    let admin = Peer::from(admin.expect("it was asked for"));
    for ask in asks() {
        conformity.ask(&peer, &ask);
    }
    for ask in admin_asks() {
        conformity.ask(&admin, &ask);
    }
    bank.stack().stop_postgres(Shutdown::Fast);
    thread::scope(|scope| {
        let slow = slow_asks().into_iter().map(|ask| (&peer, ask));
        let admin = admin_slow_asks().into_iter().map(|ask| (&admin, ask));
        for (peer, ask) in slow.chain(admin) {
            let conformity = &conformity;
            scope.spawn(move || conformity.ask(peer, &ask));
        }
    });
    // Last of the admin's: its connections may still be there when others come.
    fills(&conformity, &admin);
    bank.stack()
        .signal_replica(0, rustix::process::Signal::TERM);
    drains(&conformity, &peer);
    conformity.all_were_seen();
    conformity.report.finish();
}

/// The admin address takes so many connections, and says so to one more.
fn fills(conformity: &Conformity, admin: &Peer) {
    let ask = full();
    let mut held = Vec::new();
    for _ in 0..=limits::ADMIN_CONNECTIONS_MAX {
        let mut client = connect(admin);
        let answer = client.exchange(&ask.request);
        let Some(answer) = conformity.report.ok("one of many", answer) else {
            return;
        };
        // Connections of earlier questions may not have left yet.
        if answer.status != 200 {
            return conformity.judge(&ask, &answer);
        }
        held.push(client);
    }
    let never = || format!("{} connections are not too many", held.len());
    conformity.report.check("one of many", false, never);
}

/// A draining process takes connections for a while, and says that it drains.
fn drains(conformity: &Conformity, peer: &Peer) {
    let ask = asks::draining();
    let since = Instant::now();
    loop {
        // The signal may not have arrived yet.
        let answer = Client::connect(peer).and_then(|mut c| c.exchange(&ask.request));
        let Some(answer) = conformity.report.ok("while it drains", answer) else {
            return;
        };
        if answer.status != 200 {
            return conformity.judge(&ask, &answer);
        }
        let told = since.elapsed() < GUARD;
        let never = || format!("it says {} after {GUARD:?}", answer.status);
        if !conformity.report.check("while it drains", told, never) {
            return;
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
        for (path, item) in members(&self.document["paths"]) {
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
