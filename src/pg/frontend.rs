//! Messages that we send (PostgreSQL 55.7), appended to the session's buffer.
//!
//! One call is Bind, Execute and Sync: it may fail alone, and is committed when its
//! ReadyForQuery comes. Calls follow one another without waiting for replies.

use super::{Oid, Statement, oid};
use bytes::{BufMut, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::types::{ArrayDimension, array_to_sql, int8_to_sql, text_to_sql};

/// Appends one call of `statement`: Bind to the unnamed portal with binary parameters and
/// results, Execute without a row limit, Sync. `params` appends the parameters in their order,
/// one for each of [`Statement::params`].
///
/// # Panics
///
/// If a parameter is longer than 2 GiB, the protocol's own limit; in debug builds also if number
/// or types of the parameters are not the statement's.
pub fn append_call(
    out: &mut BytesMut,
    statement: &Statement,
    params: impl FnOnce(&mut Params<'_>),
) {
    out.put_u8(b'B');
    let start = out.len();
    out.put_i32(0);
    out.put_u8(0);
    out.put_slice(statement.name.as_bytes());
    out.put_u8(0);
    out.put_slice(&ALL_BINARY);
    out.put_u16(u16::try_from(statement.params.len()).expect("PostgreSQL takes at most 65,535"));
    let mut appended = Params {
        out,
        declared: statement.params.iter(),
    };
    params(&mut appended);
    debug_assert!(
        appended.declared.next().is_none(),
        "a parameter is missing: {statement:?}"
    );
    out.put_slice(&ALL_BINARY);
    patch_length(out, start, out.len() - start);
    out.put_slice(EXECUTE_AND_SYNC);
}

/// The parameters of one call; each method appends the next one.
pub struct Params<'a> {
    out: &'a mut BytesMut,
    declared: std::slice::Iter<'static, Oid>,
}

impl Params<'_> {
    /// Appends a `bigint`.
    pub fn int8(&mut self, value: i64) {
        self.append(oid::INT8, |out| int8_to_sql(value, out));
    }

    /// Appends a `text`. PostgreSQL refuses U+0000 in it with 22021.
    pub fn text(&mut self, value: &str) {
        self.append(oid::TEXT, |out| text_to_sql(value, out));
    }

    /// Appends a `bigint[]` without nulls.
    pub fn int8_array(&mut self, values: impl ExactSizeIterator<Item = i64>) {
        self.array(oid::INT8_ARRAY, oid::INT8, values, int8_to_sql);
    }

    /// Appends a `text[]` without nulls. PostgreSQL refuses U+0000 in it with 22021.
    pub fn text_array<'a>(&mut self, values: impl ExactSizeIterator<Item = &'a str>) {
        self.array(oid::TEXT_ARRAY, oid::TEXT, values, text_to_sql);
    }

    fn array<T>(
        &mut self,
        declared: Oid,
        element: Oid,
        values: impl ExactSizeIterator<Item = T>,
        encode: impl Fn(T, &mut BytesMut),
    ) {
        let len = i32::try_from(values.len()).expect("an array is at most 2 GiB");
        // An empty array has no dimension.
        let dimension = (len > 0).then_some(ArrayDimension {
            len,
            lower_bound: 1,
        });
        self.append(declared, |out| {
            let encode = |value, out: &mut BytesMut| {
                encode(value, out);
                Ok(IsNull::No)
            };
            array_to_sql(dimension, element, values, encode, out)
                .expect("an array's element is at most 2 GiB");
        });
    }

    /// Appends one value with its length before it.
    fn append(&mut self, given: Oid, encode: impl FnOnce(&mut BytesMut)) {
        let declared = self.declared.next();
        debug_assert_eq!(declared, Some(&given), "not the statement's parameter");
        let start = self.out.len();
        self.out.put_i32(0);
        encode(self.out);
        patch_length(self.out, start, self.out.len() - start - 4);
    }
}

/// Writes `len_bytes` over the four bytes at `at`, which hold its place.
fn patch_length(out: &mut BytesMut, at: usize, len_bytes: usize) {
    let len = i32::try_from(len_bytes).expect("a message is at most 2 GiB");
    let place = out
        .get_mut(at..at + 4)
        .expect("its place was appended before");
    place.copy_from_slice(&len.to_be_bytes());
}

/// A list of format codes: one for all, and it is binary.
const ALL_BINARY: [u8; 4] = [0, 1, 0, 1];

/// Execute of the unnamed portal, all rows; then Sync. The same bytes for every call.
const EXECUTE_AND_SYNC: &[u8] = b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04";

#[cfg(test)]
mod tests {
    use super::*;
    use postgres_protocol::message::frontend;

    #[test]
    fn the_constant_tail_is_what_the_library_writes() {
        let mut out = BytesMut::new();
        frontend::execute("", 0, &mut out).expect("no NUL");
        frontend::sync(&mut out);
        assert_eq!(out, EXECUTE_AND_SYNC);
    }
}
