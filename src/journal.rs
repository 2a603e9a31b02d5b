//! The log: one line an event, to standard error; never one a request, unless that is asked for.

use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{LevelFilter, Record};
use std::io::Write;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: `[2026-11-21T08:00:00.000Z INFO] drained`
    Text,
    /// `time=2026-11-21T08:00:00.000Z level=info msg=drained`
    Logfmt,
    /// `{"time":"2026-11-21T08:00:00.000Z","level":"info","msg":"drained"}`
    Json,
}

impl Format {
    /// The value of `LOG_FORMAT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Logfmt => "logfmt",
            Format::Json => "json",
        }
    }
}

/// Starts logging what is at least as severe as `level`; to be called once, first of all. From here
/// on a panic is a line like any other, too.
pub fn start(level: LevelFilter, format: Format) {
    env_logger::Builder::new()
        .filter_level(level)
        .format(move |out, record| {
            let time = out.timestamp_millis().to_string();
            let mut line = Vec::with_capacity(LINE_BYTES);
            append_line(&mut line, format, &time, record);
            out.write_all(&line)
        })
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let payload = panic.payload();
        let said = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        log::error!(
            at = place.as_deref().unwrap_or("unknown"),
            said = said.unwrap_or("nothing");
            "a panic"
        );
    }));
}

/// Most lines are shorter.
const LINE_BYTES: usize = 256;

/// Appends a record as one line, with its end.
fn append_line(out: &mut Vec<u8>, format: Format, time: &str, record: &Record<'_>) {
    let message = record.args().to_string();
    let level = record.level();
    // Writing to a Vec cannot fail.
    match format {
        Format::Text => {
            let _ = write!(out, "[{time} {level}] {}", one_line(&message));
        }
        Format::Logfmt => {
            let level = level.as_str().to_ascii_lowercase();
            let _ = write!(out, "time={time} level={level}");
            append_logfmt(out, "msg", &message);
        }
        Format::Json => {
            let level = level.as_str().to_ascii_lowercase();
            let _ = write!(out, "{{\"time\":\"{time}\",\"level\":\"{level}\",\"msg\":");
            append_quoted(out, &message);
        }
    }
    let mut pairs = Pairs { out, format };
    let _ = record.key_values().visit(&mut pairs);
    if format == Format::Json {
        out.push(b'}');
    }
    out.push(b'\n');
}

/// Line ends within a text are written as `\n`: what PostgreSQL says may have several lines.
fn one_line(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r")
}

/// Appends ` key=value`, quoted as a JSON string where it must be.
fn append_logfmt(out: &mut Vec<u8>, key: &str, value: &str) {
    let _ = write!(out, " {key}=");
    let plain = |sign: char| !sign.is_control() && !matches!(sign, ' ' | '"' | '=' | '\\');
    if !value.is_empty() && value.chars().all(plain) {
        out.extend_from_slice(value.as_bytes());
    } else {
        append_quoted(out, value);
    }
}

/// Appends a JSON string.
fn append_quoted(out: &mut Vec<u8>, text: &str) {
    // A text is always JSON, and a Vec takes all.
    let _ = serde_json::to_writer(out, text);
}

/// Appends a record's pairs.
struct Pairs<'a> {
    out: &'a mut Vec<u8>,
    format: Format,
}

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        if self.format != Format::Json {
            append_logfmt(self.out, key.as_str(), &value.to_string());
            return Ok(());
        }
        self.out.push(b',');
        append_quoted(self.out, key.as_str());
        self.out.push(b':');
        value.visit(JsonValue(self.out))
    }
}

/// Appends a value as JSON: numbers and booleans as what they are, all else as a string.
struct JsonValue<'a>(&'a mut Vec<u8>);

impl<'v> VisitValue<'v> for JsonValue<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        append_quoted(self.0, &value.to_string());
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.append(&value)
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.append(&value)
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.append(&value)
    }
}

impl JsonValue<'_> {
    fn append(&mut self, value: &dyn std::fmt::Display) -> Result<(), kv::Error> {
        let _ = write!(self.0, "{value}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One record in each format: what stands behind the time.
    fn lines(message: &str, pairs: &[(&str, Value<'_>)]) -> [String; 3] {
        [Format::Text, Format::Logfmt, Format::Json].map(|format| {
            let mut out = Vec::new();
            let arguments = format_args!("{message}");
            let record = Record::builder()
                .level(log::Level::Warn)
                .args(arguments)
                .key_values(&pairs)
                .build();
            append_line(&mut out, format, "T", &record);
            String::from_utf8(out).expect("text in, text out")
        })
    }

    #[test]
    fn each_record_is_one_line() {
        let told = Value::from_display(&"FATAL: no\nDETAIL: \"x\"");
        let pairs = [
            ("worker", Value::from(7_u64)),
            ("target", Value::from("a=b c")),
            ("up", Value::from(true)),
            ("error", told),
            ("none", Value::from("")),
        ];
        let [text, logfmt, json] = lines("no\nsession", &pairs);
        let tail = r#" worker=7 target="a=b c" up=true error="FATAL: no\nDETAIL: \"x\"" none="""#;
        assert_eq!(text, format!("[T WARN] no\\nsession{tail}\n"));
        let head = r#"time=T level=warn msg="no\nsession""#;
        assert_eq!(logfmt, format!("{head}{tail}\n"));
        assert_eq!(json.lines().count(), 1);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let expected = serde_json::json!({
            "time": "T", "level": "warn", "msg": "no\nsession", "worker": 7, "target": "a=b c",
            "up": true, "error": "FATAL: no\nDETAIL: \"x\"", "none": "",
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn plain_values_stand_bare() {
        let [text, logfmt, _] = lines("drained", &[("at", Value::from("unix:/run/a.sock"))]);
        assert_eq!(text, "[T WARN] drained at=unix:/run/a.sock\n");
        assert_eq!(
            logfmt,
            "time=T level=warn msg=drained at=unix:/run/a.sock\n"
        );
    }
}
