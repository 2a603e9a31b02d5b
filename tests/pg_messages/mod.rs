//! Messages as a PostgreSQL server writes them, and ways to split them.

#![allow(dead_code, reason = "each test crate uses some of them")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod startup;

use proptest::prelude::*;

/// One message: tag, length, body.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &len.to_be_bytes(), body].concat()
}

pub fn row(columns: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for column in columns {
        let len = column.map_or(-1, |value| i32::try_from(value.len()).unwrap());
        body.extend(len.to_be_bytes());
        body.extend(column.unwrap_or_default());
    }
    message(b'D', &body)
}

pub fn error(severity: &str, sqlstate: &str, text: &str) -> Vec<u8> {
    // The localised severity must not be looked at.
    let body = format!("SERRO\0V{severity}\0C{sqlstate}\0M{text}\0Dmore\nof it\0Fpath.c\0\0");
    message(b'E', body.as_bytes())
}

pub fn bound() -> Vec<u8> {
    message(b'2', b"")
}

pub fn complete() -> Vec<u8> {
    message(b'C', b"SELECT 1\0")
}

pub fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

pub fn notice() -> Vec<u8> {
    message(b'N', b"SHINWEIS\0VNOTICE\0C00000\0Mnur so\0\0")
}

pub fn status() -> Vec<u8> {
    message(b'S', b"TimeZone\0UTC\0")
}

pub fn notification() -> Vec<u8> {
    message(b'A', b"\0\0\0\x07kanal\0text\0")
}

/// Lengths of the pieces in which bytes arrive, to be used in turn.
pub fn splits() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1..60usize, 1..10)
}
