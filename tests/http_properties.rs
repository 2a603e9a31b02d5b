//! What holds for any input: no split changes the outcome, what is encoded decodes to itself,
//! no bytes make the decoder panic, stand still or hold more than its bound.

mod http_decoding;

use crebito::http::{Method, Persistence};
use http_decoding::{Event, run};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A request to encode, and what must come back.
#[derive(Clone, Debug)]
struct Sent {
    method: (&'static str, Method),
    target: (String, String),
    version: u8,
    connection: Option<(&'static str, Persistence)>,
    fields: Vec<(String, String)>,
    content: Content,
    line_end: &'static str,
    leading: &'static str,
}

#[derive(Clone, Debug)]
enum Content {
    None,
    Length(Vec<u8>),
    /// Chunks with an extension each, and trailers.
    Chunks(Vec<(Vec<u8>, String)>, Vec<(String, String)>),
}

impl Sent {
    fn encode(&self, out: &mut Vec<u8>) {
        let end = self.line_end;
        let mut lines = format!(
            "{}{} {} HTTP/1.{}{end}Host: a{end}",
            self.leading, self.method.0, self.target.0, self.version
        );
        if let Some((option, _)) = self.connection {
            lines += &format!("Connection: {option}{end}");
        }
        for (name, value) in &self.fields {
            lines += &format!("x{name}:{value}{end}");
        }
        match &self.content {
            Content::None => {
                lines += end;
                out.extend_from_slice(lines.as_bytes());
            }
            Content::Length(body) => {
                lines += &format!("Content-Length: {}{end}{end}", body.len());
                out.extend_from_slice(lines.as_bytes());
                out.extend_from_slice(body);
            }
            Content::Chunks(chunks, trailers) => {
                lines += &format!("Transfer-Encoding: chunked{end}{end}");
                out.extend_from_slice(lines.as_bytes());
                for (data, extension) in chunks {
                    out.extend_from_slice(format!("{:x}{extension}\r\n", data.len()).as_bytes());
                    out.extend_from_slice(data);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(b"0\r\n");
                for (name, value) in trailers {
                    out.extend_from_slice(format!("x{name}:{value}\r\n").as_bytes());
                }
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    fn event(&self) -> Event {
        let body = match &self.content {
            Content::None => Vec::new(),
            Content::Length(body) => body.clone(),
            Content::Chunks(chunks, _) => chunks
                .iter()
                .flat_map(|(data, _)| data.iter().copied())
                .collect(),
        };
        let persistence = match (self.version, self.connection) {
            (_, Some((_, Persistence::Close))) => Persistence::Close,
            (0, Some((_, Persistence::KeepAliveHttp10))) => Persistence::KeepAliveHttp10,
            (0, _) => Persistence::Close,
            _ => Persistence::KeepAlive,
        };
        Event::Request {
            method: self.method.1,
            path: self.target.1.clone().into_bytes(),
            body: Some(body),
            persistence,
        }
    }
}

fn target() -> impl Strategy<Value = (String, String)> {
    let path = "(/([a-z0-9._~!$&'()*+,;=:@-]|%[1-9a-fA-F][0-9a-f]){0,8}){1,3}";
    let query = prop_oneof![Just(String::new()), "\\?[!-\"$-~]{0,12}"];
    let authority = select(vec!["", "http://a", "HTTPS://b:80", "http://[::1]"]);
    (path, query, authority)
        .prop_map(|(path, query, authority)| (format!("{authority}{path}{query}"), path))
}

fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(
        (
            "[A-Za-z0-9!#$%&'*+.^_`|~-]{0,9}",
            "[ \t]?[ -~\u{e9}\t]{0,20}",
        ),
        0..5,
    )
}

fn content() -> impl Strategy<Value = Content> {
    let extension = r#"([ \t]?;([ !#-~\t]{0,9}|a="([ !#-\[\]-~\t]|\\[ -~]){0,4}"))?"#;
    let chunk = (vec(any::<u8>(), 1..40), extension);
    prop_oneof![
        Just(Content::None),
        vec(any::<u8>(), 0..60).prop_map(Content::Length),
        (vec(chunk, 0..6), fields()).prop_map(|(chunks, fields)| Content::Chunks(chunks, fields)),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let methods = [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("POS", Method::Other),
        ("M-SEARCH", Method::Other),
    ];
    let connections = [
        None,
        Some(("close", Persistence::Close)),
        Some(("Keep-Alive", Persistence::KeepAliveHttp10)),
        Some(("x, keep-alive ,CLOSE", Persistence::Close)),
        Some(("TE", Persistence::KeepAlive)),
    ];
    (
        select(methods.to_vec()),
        target(),
        select(vec![0_u8, 1, 1, 1, 4, 9]),
        select(connections.to_vec()),
        fields(),
        content(),
        select(vec!["\r\n", "\n"]),
        select(vec!["", "", "\r\n", "\n\r\n"]),
    )
        .prop_map(
            |(method, target, version, connection, fields, content, line_end, leading)| {
                // HTTP/1.0 has no transfer codings.
                let version = match content {
                    Content::Chunks(..) => version.max(1),
                    _ => version,
                };
                Sent {
                    method,
                    target,
                    version,
                    connection,
                    fields,
                    content,
                    line_end,
                    leading,
                }
            },
        )
}

/// A change that makes a valid input doubtful.
#[derive(Clone, Debug)]
enum Edit {
    Put(Index, &'static str),
    Over(Index, u8),
    Cut(Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let texts = vec![
        "\r",
        "\n",
        "\r\n",
        "\0",
        " ",
        "\t",
        ":",
        ",",
        ";",
        "%",
        "#",
        "0",
        "5",
        "f",
        "+",
        "-",
        "Content-Length: 3\r\n",
        "Content-Length: 4, 4\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: x\r\n",
        "Host: b\r\n",
        "Expect: 100-continue\r\n",
        "Expect: x\r\n",
        "HTTP/2.0\r\n",
        "HTTP/1.5",
        "0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\n",
    ];
    prop_oneof![
        (any::<Index>(), select(texts)).prop_map(|(at, text)| Edit::Put(at, text)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Over(at, byte)),
        (any::<Index>(), 1..6_usize).prop_map(|(at, len)| Edit::Cut(at, len)),
    ]
}

fn edited(sent: &[Sent], edits: &[Edit]) -> Vec<u8> {
    let mut input = Vec::new();
    sent.iter().for_each(|sent| sent.encode(&mut input));
    for edit in edits
        .iter()
        .filter(|_| !input.is_empty())
        .collect::<Vec<_>>()
    {
        if input.is_empty() {
            break;
        }
        match edit {
            Edit::Put(at, text) => {
                let at = at.index(input.len());
                input.splice(at..at, text.bytes());
            }
            Edit::Over(at, byte) => {
                let at = at.index(input.len());
                input[at] = *byte;
            }
            Edit::Cut(at, len) => {
                let at = at.index(input.len());
                input.drain(at..input.len().min(at + len));
            }
        }
    }
    input
}

fn cuts(indexes: &[Index], len: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = indexes.iter().map(|index| index.index(len + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// Bytes of which a decoder may make something, and a few of which it may not.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => select(b"GET / HTTP/1.1\r\nHost:a 0123456789abcdef;,%#?\r\n\r\n".to_vec()),
        1 => any::<u8>(),
    ];
    prop_oneof![vec(byte, 0..300), vec(any::<u8>(), 0..300)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_encoded_decodes_to_itself(
        sent in vec(sent(), 0..5),
        indexes in vec(any::<Index>(), 0..12),
    ) {
        let input = edited(&sent, &[]);
        let mut expected: Vec<Event> = sent.iter().map(Sent::event).collect();
        expected.push(Event::End { idle: true });
        prop_assert_eq!(&run(&input, &[]).events, &expected);
        prop_assert_eq!(&run(&input, &cuts(&indexes, input.len())).events, &expected);
    }

    #[test]
    fn no_split_changes_the_outcome(
        sent in vec(sent(), 1..4),
        edits in vec(edit(), 0..4),
        indexes in vec(any::<Index>(), 0..12),
    ) {
        let input = edited(&sent, &edits);
        let whole = run(&input, &[]).events;
        prop_assert_eq!(&run(&input, &cuts(&indexes, input.len())).events, &whole);
        let bytewise: Vec<usize> = (1..input.len()).collect();
        prop_assert_eq!(&run(&input, &bytewise).events, &whole);
    }

    #[test]
    fn any_bytes_come_to_an_end(
        input in noise(),
        indexes in vec(any::<Index>(), 0..12),
    ) {
        let whole = run(&input, &[]).events;
        prop_assert_eq!(&run(&input, &cuts(&indexes, input.len())).events, &whole);
    }

    /// Chunk framing, where nothing but the framing is random.
    #[test]
    fn any_bytes_after_a_head_come_to_an_end(
        noise in noise(),
        indexes in vec(any::<Index>(), 0..12),
    ) {
        let mut input = b"POST / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        input.extend_from_slice(&noise);
        let whole = run(&input, &[]).events;
        prop_assert_eq!(&run(&input, &cuts(&indexes, input.len())).events, &whole);
    }
}
