//! Whatever the bytes and however they are split, replies come out the same, and every row of a
//! reply can be read.

#![no_main]

use crebito::pg::{LinkError, ReplyDecoder, oid, value};
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

/// What came out, as text: each reply, then what ended the session.
fn outcome(mut input: &[u8], lengths: &[u8]) -> Vec<String> {
    let mut decoder = ReplyDecoder::default();
    let (mut buf, mut start) = (Vec::new(), 0);
    let mut outcome = Vec::new();
    let lengths = lengths.iter().map(|length| usize::from(*length));
    for length in lengths.chain([usize::MAX]) {
        let (piece, rest) = input.split_at(input.len().min(length));
        input = rest;
        buf.extend_from_slice(piece);
        loop {
            let pending = buf.get(start..).expect("no more is consumed than there is");
            match decoder.decode(pending) {
                Ok(None) => break,
                Ok(Some(reply)) => {
                    assert!(reply.len_bytes > 0);
                    start += reply.len_bytes;
                    outcome.push(match reply.result {
                        Ok(rows) => rows.iter().map(|row| words(row.columns())).collect(),
                        Err(error) => error.to_string(),
                    });
                }
                Err(LinkError::Fatal(error)) => {
                    outcome.push(format!("fatal: {error}"));
                    return outcome;
                }
                Err(LinkError::Protocol(what)) => {
                    outcome.push(format!("broken: {what}"));
                    return outcome;
                }
            }
        }
        start += decoder.take_skipped();
        assert!(start <= buf.len());
    }
    outcome
}

/// A row's values, read as everything they may be.
fn words<'b>(columns: impl Iterator<Item = Option<&'b [u8]>>) -> String {
    let column = |value: Option<&[u8]>| {
        let bytes = value?;
        let array = value::array(bytes, oid::INT8).map(|array| array.len());
        let (int2, int8) = (value::int2(bytes), value::int8(bytes));
        let time = value::timestamptz(bytes);
        Some(format!(
            "{int2:?} {int8:?} {time:?} {array:?} {:?}",
            value::text(bytes)
        ))
    };
    columns
        .map(|value| format!("{:?};", column(value)))
        .collect()
}
