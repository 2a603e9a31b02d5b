//! Values of rows in PostgreSQL's binary format. `None` says that the bytes are not the type's.

use super::Oid;
use fallible_iterator::FallibleIterator;
use postgres_protocol::types::{
    ArrayValues, array_from_sql, int2_from_sql, int8_from_sql, text_from_sql, timestamp_from_sql,
};

/// A `smallint`.
pub fn int2(bytes: &[u8]) -> Option<i16> {
    int2_from_sql(bytes).ok()
}

/// A `bigint`.
pub fn int8(bytes: &[u8]) -> Option<i64> {
    int8_from_sql(bytes).ok()
}

/// A `text`, in UTF-8 as the handshake asks for.
pub fn text(bytes: &[u8]) -> Option<&str> {
    text_from_sql(bytes).ok()
}

/// A `timestamptz`: microseconds since 2000-01-01T00:00:00Z. `None` for the infinities too.
pub fn timestamptz(bytes: &[u8]) -> Option<i64> {
    let micros = timestamp_from_sql(bytes).ok()?;
    (micros != i64::MAX && micros != i64::MIN).then_some(micros)
}

/// An array of `element`s with one dimension or empty; each value as bytes, `None` for NULL.
pub fn array(bytes: &[u8], element: Oid) -> Option<Array<'_>> {
    let array = array_from_sql(bytes).ok()?;
    let dimensions = array.dimensions().count().ok()?;
    if array.element_type() != element || dimensions > 1 {
        return None;
    }
    // One pass here, so that whoever iterates need not expect an error.
    let len = array.values().count().ok()?;
    Some(Array {
        values: array.values(),
        len,
    })
}

/// The values of an array, all well-formed.
pub struct Array<'b> {
    values: ArrayValues<'b>,
    len: usize,
}

impl<'b> Iterator for Array<'b> {
    type Item = Option<&'b [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let value = self.values.next().ok()??;
        self.len = self.len.saturating_sub(1);
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl ExactSizeIterator for Array<'_> {}
