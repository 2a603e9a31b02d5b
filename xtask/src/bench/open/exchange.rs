//! One request and its answer, as a state machine over bytes: no socket, no clock.

/// A request on its way out and its answer on its way in.
#[derive(Debug)]
pub(crate) struct Exchange {
    request: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    /// A longer one is none.
    answer_bytes_max: usize,
    head: Option<Head>,
    /// What came in chunks, without them.
    body: Vec<u8>,
}

/// What the head of an answer says.
#[derive(Debug)]
struct Head {
    status: u16,
    /// Of the head, in bytes.
    length: usize,
    /// Of the body; without one, it lasts until the peer closes.
    content_length: Option<usize>,
    is_chunked: bool,
    closes: bool,
}

/// A whole answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
    /// The peer will have another request over this connection.
    pub keeps: bool,
}

/// Why there is no answer, for people.
pub(crate) type Fault = &'static str;

const FIELDS_MAX: usize = 64;
/// A head that is longer, or a body, is no bank's.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

impl Exchange {
    /// A request, none of it written.
    pub fn new(request: Vec<u8>) -> Exchange {
        Exchange {
            request,
            written: 0,
            answer: Vec::new(),
            answer_bytes_max: ANSWER_BYTES_MAX,
            head: None,
            body: Vec::new(),
        }
    }

    /// One whose request is written already, and whose answer has so many bytes at most.
    pub fn written(answer_bytes_max: usize) -> Exchange {
        Exchange {
            answer_bytes_max,
            ..Exchange::new(Vec::new())
        }
    }

    /// What of the request is still to be written.
    pub fn unwritten(&self) -> &[u8] {
        self.request.get(self.written..).unwrap_or_default()
    }

    /// So many bytes of it were.
    pub fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
    }

    /// Takes what was read; the answer, if that was the last of it.
    ///
    /// # Errors
    /// It is no answer of HTTP/1, or none of a bank.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<Answer<'_>>, Fault> {
        if self.answer.len() + bytes.len() > self.answer_bytes_max {
            return Err("a long answer");
        }
        self.answer.extend_from_slice(bytes);
        if self.head.is_none() {
            self.head = decode(&self.answer)?;
        }
        let Some(head) = &self.head else {
            return Ok(None);
        };
        if head.is_chunked {
            let Some(body) = joined(self.answer.get(head.length..).unwrap_or_default())? else {
                return Ok(None);
            };
            self.body = body;
            return Ok(Some(Answer {
                status: head.status,
                body: &self.body,
                keeps: !head.closes,
            }));
        }
        let Some(length) = head.content_length else {
            return Ok(None);
        };
        let body = self.answer.get(head.length..).unwrap_or_default();
        if body.len() > length {
            return Err("more than an answer");
        }
        Ok((body.len() == length).then_some(Answer {
            status: head.status,
            body,
            keeps: !head.closes,
        }))
    }

    /// The peer closed; the answer, if it is one that lasts until then.
    ///
    /// # Errors
    /// It is not whole.
    pub fn end(&self) -> Result<Answer<'_>, Fault> {
        match &self.head {
            Some(head) if head.content_length.is_none() && !head.is_chunked => Ok(Answer {
                status: head.status,
                body: self.answer.get(head.length..).unwrap_or_default(),
                keeps: false,
            }),
            _ if self.answer.is_empty() => Err("closed without an answer"),
            _ => Err("closed within an answer"),
        }
    }
}

/// The head, if it is there as a whole.
fn decode(bytes: &[u8]) -> Result<Option<Head>, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err("no answer of HTTP/1"),
    };
    let status = response.code.unwrap_or_default();
    if status < 200 {
        return Err("an interim answer");
    }
    let mut head = Head {
        status,
        length,
        content_length: None,
        is_chunked: false,
        closes: response.version == Some(0),
    };
    for field in response.headers.iter() {
        let value = str::from_utf8(field.value).unwrap_or_default().trim();
        if field.name.eq_ignore_ascii_case("content-length") {
            let length = value.parse().map_err(|_| "a length that is no number")?;
            if head.content_length.replace(length).is_some() {
                return Err("two lengths");
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err("a coding other than chunks");
            }
            head.is_chunked = true;
        } else if field.name.eq_ignore_ascii_case("connection") {
            head.closes |= value.eq_ignore_ascii_case("close");
        }
    }
    if head.is_chunked && head.content_length.is_some() {
        return Err("a length, and chunks");
    }
    Ok(Some(head))
}

/// The body that came in these chunks (RFC 9112, 7.1), if the last of them is there.
fn joined(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let mut body = Vec::new();
    loop {
        let (line, size) = match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("a chunk without a size"),
        };
        let rest = bytes.get(line..).unwrap_or_default();
        if size == 0 {
            let mut trailers = [httparse::EMPTY_HEADER; FIELDS_MAX];
            return match httparse::parse_headers(rest, &mut trailers) {
                Ok(httparse::Status::Complete((end, _))) if end == rest.len() => Ok(Some(body)),
                Ok(httparse::Status::Complete(_)) => Err("more than an answer"),
                Ok(httparse::Status::Partial) => Ok(None),
                Err(_) => Err("no trailer of HTTP/1"),
            };
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some((chunk, rest)) = rest.split_at_checked(size) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        bytes = match rest.split_at_checked(2) {
            Some((b"\r\n", next)) => next,
            Some(_) => return Err("a chunk without its end"),
            None => return Ok(None),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of an answer in these pieces, and the end of the stream if it takes that.
    fn outcome(pieces: &[&[u8]]) -> Result<(u16, Vec<u8>, bool), Fault> {
        let own = |answer: Answer| (answer.status, answer.body.to_vec(), answer.keeps);
        let mut exchange = Exchange::new(Vec::new());
        for (index, piece) in pieces.iter().enumerate() {
            if let Some(answer) = exchange.read(piece)? {
                assert_eq!(index + 1, pieces.len(), "whole before its end");
                return Ok(own(answer));
            }
        }
        exchange.end().map(own)
    }

    /// The same for the answer as one, in single bytes, and split at every byte.
    fn check(answer: &str, expected: Result<(u16, &str, bool), Fault>) {
        let expected = expected.map(|(status, body, keeps)| (status, body.into(), keeps));
        let bytes = answer.as_bytes();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(outcome(&[bytes]), expected, "{answer:?}");
        assert_eq!(outcome(&single), expected, "{answer:?} in single bytes");
        for at in 1..bytes.len() {
            let (one, other) = bytes.split_at(at);
            assert_eq!(outcome(&[one, other]), expected, "{answer:?} split at {at}");
        }
    }

    #[test]
    fn an_answer_is_the_same_however_it_is_split() {
        check(
            "HTTP/1.1 200 OK\r\nServer: a\r\nContent-Length: 5\r\n\r\n{\"a\"}",
            Ok((200, "{\"a\"}", true)),
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\n{\"a\r\nB;b=c\r\n\":1,\"b\":2}}\r\n0\r\n\r\n",
            Ok((200, "{\"a\":1,\"b\":2}}", true)),
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
            Ok((200, "", true)),
        );
        check(
            "HTTP/1.1 422 -\r\ncontent-length:0\r\n\r\n",
            Ok((422, "", true)),
        );
        check(
            "HTTP/1.1 503 -\r\nCONNECTION: Close\r\ncontent-length: 1\r\n\r\na",
            Ok((503, "a", false)),
        );
        check(
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab",
            Ok((200, "ab", false)),
        );
        check(
            "HTTP/1.1 200 OK\r\nDate: b\r\n\r\nuntil the end",
            Ok((200, "until the end", false)),
        );
    }

    #[test]
    fn what_is_no_whole_answer_is_none() {
        check("", Err("closed without an answer"));
        check(
            "HTTP/1.1 200 OK\r\nContent-Le",
            Err("closed within an answer"),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"a\"",
            Err("closed within an answer"),
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            Err("a coding other than chunks"),
        );
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
        let check_chunks = |rest: &str, expected| check(&format!("{chunked}{rest}"), expected);
        check_chunks("\r\n", Err("closed within an answer"));
        check_chunks("\r\n2\r\nab", Err("closed within an answer"));
        check_chunks("\r\n2\r\nab\r\n0\r\n", Err("closed within an answer"));
        check_chunks("\r\n2\r\nabc", Err("closed within an answer"));
        check_chunks("\r\nx\r\n", Err("a chunk without a size"));
        check_chunks("\r\n2\r\nabcd", Err("a chunk without its end"));
        check_chunks("Content-Length: 2\r\n\r\n", Err("a length, and chunks"));
        check("HTTP/1.1 100 Continue\r\n\r\n", Err("an interim answer"));
        check("SSH-2.0 hello", Err("no answer of HTTP/1"));
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            Err("a length that is no number"),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            Err("two lengths"),
        );
        // Whether the rest has come yet is the only thing that the splits may change here.
        let more = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab";
        assert_eq!(outcome(&[more]), Err("more than an answer"));
        let long = vec![b'a'; ANSWER_BYTES_MAX + 1];
        assert_eq!(outcome(&[&long]), Err("a long answer"));
    }

    #[test]
    fn a_request_leaves_in_any_number_of_writes() {
        let mut exchange = Exchange::new(b"abc".to_vec());
        for (left, next) in [("abc", 1), ("bc", 0), ("bc", 2), ("", 0)] {
            assert_eq!(exchange.unwritten(), left.as_bytes());
            exchange.wrote(next);
        }
    }
}
