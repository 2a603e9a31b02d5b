//! What holds for every answer, whatever was asked.

use jiff::Timestamp;
use serde_json::Value;

use crate::common::{Bank, Client, Peer, Report, Response, connect};

/// A clock may differ from the server's second; nothing here measures time.
const CLOCKS_DIFFER_S: i64 = 300;

/// Where a table of cases is tried.
pub struct Place<'a> {
    /// For messages.
    pub name: &'static str,
    /// NGINX reads the request first.
    pub behind_nginx: bool,
    /// Where to connect.
    pub peer: Peer,
    /// The stack.
    pub bank: &'a Bank,
    /// Where failures go.
    pub report: &'a Report,
}

impl Place<'_> {
    /// A connection.
    pub fn connect(&self) -> Client {
        connect(&self.peer)
    }

    /// Sends one request and checks what holds for every answer. The connection stays usable:
    /// nothing but a framing error closes it.
    pub fn ask(&self, client: &mut Client, name: &str, request: &[u8]) -> Option<Response> {
        let name = self.named(name);
        let response = self.report.ok(&name, client.exchange(request));
        match response {
            Some(response) => {
                self.sound(&name, &response);
                Some(response)
            }
            None => {
                *client = self.connect();
                None
            }
        }
    }

    /// The same, for a status that is known.
    pub fn expect(&self, client: &mut Client, name: &str, request: &[u8], status: u16) {
        let response = self.ask(client, name, request);
        if let Some(response) = response {
            self.report
                .equal(&self.named(name), response.status, status);
        }
    }

    /// A case's name with its place.
    pub fn named(&self, name: &str) -> String {
        format!("{} ({})", name.escape_debug(), self.name)
    }

    /// Date, type, and the shape of an error's body.
    pub fn sound(&self, name: &str, response: &Response) {
        let field = |field: &str| response.field(field).unwrap_or("(none, or several)");
        let report = self.report;
        let date = field("date");
        report.check(name, is_now(date), || format!("Date: {date}"));
        let content_type = field("content-type");
        if response.status == 200 {
            let healthz = response.body == b"Healthy";
            let sound = healthz || content_type == "application/json";
            report.check(name, sound, || format!("Content-Type: {content_type}"));
            return;
        }
        report.equal(name, content_type, "application/problem+json");
        let problem = is_problem(&response.body, response.status);
        report.check(name, problem, || {
            format!("{} with {}", response.line, response.text())
        });
        if response.status == 405 {
            report.check(name, response.field("allow").is_some(), || {
                "no Allow".to_owned()
            });
        }
        if response.status == 503 {
            report.equal(name, field("retry-after"), "1");
        }
    }
}

/// `Tue, 15 Nov 1994 08:12:31 GMT` (IMF-fixdate, RFC 9110 5.6.7), and about now.
fn is_now(date: &str) -> bool {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date);
    let now = Timestamp::now().as_second();
    date.len() == 29
        && date.ends_with(" GMT")
        && parsed.is_ok_and(|date| (date.as_second() - now).abs() < CLOCKS_DIFFER_S)
}

/// `{"title":"...","status":422}`, nothing more.
fn is_problem(body: &[u8], status: u16) -> bool {
    let Ok(Value::Object(problem)) = serde_json::from_slice(body) else {
        return false;
    };
    let title = problem
        .get("title")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let exact = serde_json::json!({ "title": title, "status": status });
    let written = format!(r#"{{"title":"{title}","status":{status}}}"#);
    !title.is_empty() && Value::Object(problem.clone()) == exact && written.as_bytes() == body
}
