//! The operations that wait, in the order in which they joined.

use super::flight::Flight;
use super::{Answer, Kind, Operation};
use std::collections::VecDeque;

/// Why an operation may not join; it was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The queue is full.
    Full,
    /// The database has been away for too long.
    Away,
    /// The operation's time was over before it could join.
    Late,
}

/// A bounded FIFO of operations.
pub(super) struct Queue<T> {
    waiting: VecDeque<Operation<T>>,
    max: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn push(&mut self, operation: Operation<T>) -> Result<(), Refused> {
        if self.waiting.len() >= self.max {
            return Err(Refused::Full);
        }
        self.waiting.push_back(operation);
        Ok(())
    }

    /// Puts back what had left and was proved not applied, before all that joined since.
    pub(super) fn push_front(&mut self, operation: Operation<T>) {
        self.waiting.push_front(operation);
    }

    /// Moves everything that may leave now into the flight, oldest first.
    ///
    /// Transacoes leave in their order, and none is passed over. An extrato is, when the flight
    /// already reads as many clientes as it may: nothing of its connection waits behind it. But
    /// once a transacao may have stayed behind, so does every extrato after it: it may be of the
    /// same connection, and must not leave first.
    pub(super) fn board(&mut self, flight: &mut Flight<T>, alive: impl Fn(&T) -> bool) {
        let mut full = false;
        for _ in 0..self.waiting.len() {
            let Some(operation) = self.waiting.pop_front() else {
                break;
            };
            if !alive(&operation.ticket) {
                continue;
            }
            full = full || !flight.takes_transacoes();
            let boards = match operation.kind {
                _ if full => false,
                Kind::Transacao(_) => true,
                Kind::Extrato(cliente) => flight.takes_extrato(cliente),
            };
            if boards {
                flight.board(operation);
            } else {
                self.waiting.push_back(operation);
            }
        }
    }

    /// Answers 503 to all that are `over`, and keeps the others in order.
    pub(super) fn expire(
        &mut self,
        over: impl Fn(&Operation<T>) -> bool,
        deliver: &mut impl FnMut(&T, Answer<'_>),
    ) {
        self.waiting.retain(|operation| {
            let over = over(operation);
            if over {
                deliver(&operation.ticket, Answer::Unavailable);
            }
            !over
        });
    }
}
