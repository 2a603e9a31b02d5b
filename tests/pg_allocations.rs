//! In steady state a call and its reply allocate nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unsafe_code, reason = "an allocator is unsafe to write")]

mod pg_messages;

use bytes::{Buf, BytesMut};
use crebito::pg::{ReplyDecoder, Statement, append_call, oid, value};
use pg_messages::{bound, complete, notice, ready, row};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts what its thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is the system allocator's own, unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LOTE: Statement = Statement {
    name: "lote",
    sql: "SELECT lote($1, $2)",
    params: &[oid::INT8_ARRAY, oid::TEXT_ARRAY],
    columns: &[oid::INT8_ARRAY, oid::TEXT],
    files: &["sql/lote.sql"],
};

#[test]
fn a_call_and_its_reply_allocate_nothing() {
    let array = b"\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0\x01\0\0\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x07";
    let reply = row(&[Some(array), Some(b"ana")]);
    let reply = [bound(), reply.clone(), notice(), reply, complete(), ready()].concat();
    let mut out = BytesMut::with_capacity(4096);
    let mut input = BytesMut::with_capacity(4096);
    let mut decoder = ReplyDecoder::default();
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        out.clear();
        append_call(&mut out, &LOTE, |params| {
            params.int8_array([7; 100].into_iter());
            params.text_array(["abc"; 100].into_iter());
        });
        let mut sum = 0;
        for piece in reply.chunks(10) {
            input.extend_from_slice(piece);
            let Some(reply) = decoder.decode(&input).unwrap() else {
                continue;
            };
            for row in reply.result.unwrap().iter() {
                let mut columns = row.columns();
                let values = value::array(columns.next().flatten().unwrap(), oid::INT8).unwrap();
                sum += values.filter_map(|value| value::int8(value?)).sum::<i64>();
                assert_eq!(columns.next().flatten().and_then(value::text), Some("ana"));
            }
            let len_bytes = reply.len_bytes;
            input.advance(len_bytes);
        }
        assert_eq!(sum, 14);
        // All is consumed: the whole buffer is free again.
        input.clear();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    drop(Box::new(1));
    assert_eq!(ALLOCATIONS.get() - before, 1, "the allocator does count");
}
