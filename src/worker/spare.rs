//! Write buffers, lent to a connection from its first answer that waits until all is written.
//!
//! An idle connection has none, and in steady state none is made: all are made of one size, which
//! the answers to one request at a time always fit.

use super::course::Answered;
use crate::limits::{SPARE_BUFFERS_MAX, WRITE_BYTES};
use std::cell::RefCell;

/// Answers on their way out.
#[derive(Default)]
pub(super) struct Outgoing {
    /// What is to be written.
    pub(super) bytes: Vec<u8>,
    /// Whose answers are in it.
    pub(super) answers: Vec<Answered>,
}

impl Outgoing {
    /// The memory that is in use, in bytes.
    pub(super) fn taken_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(self.answers.as_slice())
    }
}

/// Buffers that nobody uses now.
pub(super) struct SpareBuffers(RefCell<Vec<Outgoing>>);

impl SpareBuffers {
    pub(super) fn new() -> Self {
        Self(RefCell::new(Vec::with_capacity(SPARE_BUFFERS_MAX)))
    }

    /// An empty one: the last that came back, which the CPU may still have near.
    pub(super) fn lend(&self) -> Outgoing {
        let spare = self.0.borrow_mut().pop();
        spare.unwrap_or_else(|| Outgoing {
            bytes: Vec::with_capacity(WRITE_BYTES),
            answers: Vec::with_capacity(1),
        })
    }

    /// Takes one back; lets it go when it grew, or when there are enough.
    pub(super) fn take_back(&self, mut buffer: Outgoing) {
        let mut spare = self.0.borrow_mut();
        if buffer.bytes.capacity() == WRITE_BYTES && spare.len() < SPARE_BUFFERS_MAX {
            buffer.bytes.clear();
            buffer.answers.clear();
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_lent_again() {
        let spare = SpareBuffers::new();
        let mut buffer = spare.lend();
        assert_eq!(buffer.bytes.capacity(), WRITE_BYTES);
        buffer.bytes.push(1);
        let place = buffer.bytes.as_ptr();
        spare.take_back(buffer);
        let again = spare.lend().bytes;
        assert!(again.is_empty() && again.as_ptr() == place);
    }

    #[test]
    fn what_grew_or_is_too_much_is_let_go() {
        let spare = SpareBuffers::new();
        let of = |capacity| Outgoing {
            bytes: Vec::with_capacity(capacity),
            answers: Vec::new(),
        };
        spare.take_back(of(WRITE_BYTES + 1));
        assert_eq!(spare.0.borrow().len(), 0);
        for _ in 0..=SPARE_BUFFERS_MAX {
            spare.take_back(of(WRITE_BYTES));
        }
        assert_eq!(spare.0.borrow().len(), SPARE_BUFFERS_MAX);
    }
}
