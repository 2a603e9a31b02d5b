//! Whatever the bytes and however they are split, the decoder comes to the same requests and the
//! same refusal, and holds no more than its bound.

#![no_main]

use crebito::http::{Body, Decoded, Decoder};
use crebito::limits::REQUEST_BYTES_MAX;
use libfuzzer_sys::fuzz_target;

// The first byte says how many of the following are the lengths of the first pieces.
fuzz_target!(|data: &[u8]| {
    let Some((&count, rest)) = data.split_first() else {
        return;
    };
    let (lengths, input) = rest.split_at(rest.len().min(usize::from(count % 32)));
    let whole = outcome(input, &[]);
    assert_eq!(outcome(input, lengths), whole);
    assert_eq!(outcome(input, &vec![1; input.len()]), whole);
});

/// What came out, as text: each request, then the refusal or how the connection stands.
fn outcome(mut input: &[u8], lengths: &[u8]) -> Vec<String> {
    let mut decoder = Decoder::default();
    let (mut buf, mut start) = (Vec::new(), 0);
    let mut outcome = Vec::new();
    let lengths = lengths
        .iter()
        .map(|length| usize::from(*length))
        .chain([usize::MAX]);
    for length in lengths {
        let (piece, rest) = input.split_at(input.len().min(length));
        input = rest;
        buf.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buf, start) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Continue) => {}
                Ok(Decoded::Request(request)) => {
                    assert!(request.len_bytes > 0);
                    start += request.len_bytes;
                    let (method, persistence) = (request.method, request.persistence);
                    let (path, body) = (request.path.escape_ascii(), request.body);
                    outcome.push(format!("{method:?} {path} {body:?} {persistence:?}"));
                    if body == Body::TooLarge {
                        return outcome;
                    }
                }
                Err(refusal) => {
                    outcome.push(refusal.status.code().to_string());
                    return outcome;
                }
            }
        }
        assert!(buf.len() - start < REQUEST_BYTES_MAX);
    }
    let idle = decoder.is_idle(buf.get(start..).unwrap_or_default());
    outcome.push(format!("idle: {idle}"));
    outcome
}
