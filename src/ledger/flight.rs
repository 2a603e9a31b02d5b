//! The calls that leave together, until their ReadyForQuery.

use super::order::Order;
use super::queue::Queue;
use super::{Answer, Kind, Operation};
use crate::bank::extrato::Made;
use crate::bank::{self, Mismatch, Outcome, Transacao};
use crate::limits;
use crate::pg;
use bytes::BytesMut;
use std::collections::VecDeque;

/// One Bind, Execute, Sync of a prepared procedure.
#[derive(Clone, Copy)]
pub(super) enum Call {
    /// The only transacao of its flight.
    Insert,
    /// All transacoes of its flight.
    Lote,
    /// The extrato of one cliente, for all who asked for it.
    Extrato(i64),
}

/// An operation in flight, with `what` it asks; its slot stays until the reply, answered or not.
struct Slot<T, W> {
    ticket: T,
    asked_ms: u64,
    retried: bool,
    what: W,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Awaited,
    Answered,
    /// To be sent again, as preparing again may cure what happened: its call was refused, so
    /// nothing of it was applied; or it is an extrato that was read behind such a call.
    SendAgain,
}

/// The flight that is out, or an empty one; its buffers are reused.
pub(super) struct Flight<T> {
    /// When it left, in ms since the worker's start.
    pub(super) left_ms: u64,
    /// Operations at most; transacoes and clientes have bounds of their own.
    pub(super) carried_max: usize,
    calls: VecDeque<Call>,
    transacoes: Vec<Slot<T, Transacao>>,
    extratos: Vec<Slot<T, i64>>,
    /// The clientes whose extratos are read, in the order of their calls.
    clientes: Vec<i64>,
    /// The transacoes as they are sent.
    order: Order,
    /// What became of each, in the order in which they joined.
    outcomes: Vec<Outcome>,
    prepare: bool,
}

impl<T> Flight<T> {
    pub(super) fn new() -> Self {
        Self {
            left_ms: 0,
            carried_max: usize::MAX,
            calls: VecDeque::new(),
            transacoes: Vec::new(),
            extratos: Vec::new(),
            clientes: Vec::new(),
            order: Order::default(),
            outcomes: Vec::new(),
            prepare: false,
        }
    }

    /// No call is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn unanswered(&self) -> usize {
        self.transacoes
            .iter()
            .filter(|slot| slot.fate == Fate::Awaited)
            .count()
            + self
                .extratos
                .iter()
                .filter(|slot| slot.fate == Fate::Awaited)
                .count()
    }

    pub(super) fn takes_transacoes(&self) -> bool {
        self.transacoes.len() < limits::FLIGHT_TRANSACOES_MAX && self.carried() < self.carried_max
    }

    /// Whether an extrato of this cliente may board: the clientes read in one flight are bounded.
    pub(super) fn takes_extrato(&self, cliente: i64) -> bool {
        self.clientes.len() < limits::FLIGHT_EXTRATOS_MAX || self.clientes.contains(&cliente)
    }

    pub(super) fn board(&mut self, operation: Operation<T>) {
        let Operation {
            ticket,
            asked_ms,
            kind,
            retried,
        } = operation;
        let fate = Fate::Awaited;
        match kind {
            Kind::Transacao(what) => {
                self.transacoes.push(Slot {
                    ticket,
                    asked_ms,
                    retried,
                    what,
                    fate,
                });
            }
            Kind::Extrato(what) => {
                if !self.clientes.contains(&what) {
                    self.clientes.push(what);
                }
                self.extratos.push(Slot {
                    ticket,
                    asked_ms,
                    retried,
                    what,
                    fate,
                });
            }
        }
    }

    /// Appends the calls of all that boarded: the transacoes' first, then one for each cliente
    /// whose extrato is wanted. Returns the number of operations.
    pub(super) fn append_calls(&mut self, out: &mut BytesMut) -> usize {
        match self.transacoes.as_slice() {
            [] => {}
            [only] => {
                bank::append_insert(out, &only.what);
                self.calls.push_back(Call::Insert);
            }
            many => {
                let clientes = many.iter().map(|slot| slot.what.cliente);
                let primeiras = self.order.arrange(clientes);
                let sent = self.order.places().map(|at| &many[at].what);
                match primeiras {
                    Some(primeiras) => bank::append_distintas(out, sent, primeiras),
                    None => bank::append_lote(out, sent),
                }
                self.calls.push_back(Call::Lote);
            }
        }
        for &cliente in &self.clientes {
            bank::append_extrato(out, cliente);
            self.calls.push_back(Call::Extrato(cliente));
        }
        self.carried()
    }

    /// Operations on board, answered or not.
    pub(super) fn carried(&self) -> usize {
        self.transacoes.len() + self.extratos.len()
    }

    /// Calls that read an extrato.
    pub(super) fn extrato_calls(&self) -> usize {
        self.clientes.len()
    }

    /// The call whose reply comes next.
    pub(super) fn oldest_call(&self) -> Option<Call> {
        self.calls.front().copied()
    }

    /// Gives the operations of `call` their answers from its rows.
    pub(super) fn answer(
        &mut self,
        call: Call,
        rows: &pg::Rows<'_>,
        body: &mut Vec<u8>,
        deliver: &mut impl FnMut(&T, Answer<'_>),
    ) -> Result<(), Mismatch> {
        match call {
            Call::Insert => {
                let outcome = bank::decode_insert(rows)?;
                for slot in &mut self.transacoes {
                    slot.answer(answer_to(outcome), deliver);
                }
            }
            Call::Lote => {
                // Answered in the order in which they joined, as a connection has to write them.
                let sent = self.order.places();
                let outcomes = bank::decode_lote(rows, sent.len())?;
                self.outcomes.resize(sent.len(), Outcome::NoCliente);
                for (at, outcome) in sent.zip(outcomes) {
                    self.outcomes[at] = outcome;
                }
                for (slot, outcome) in self.transacoes.iter_mut().zip(&self.outcomes) {
                    slot.answer(answer_to(*outcome), deliver);
                }
            }
            Call::Extrato(cliente) => {
                body.clear();
                let answer = match bank::extrato::append_json(body, rows)? {
                    Made::Json => Answer::Extrato(body),
                    Made::NoCliente => Answer::NoCliente,
                    Made::Unsayable => Answer::Unsayable,
                };
                let again = self.prepare;
                for slot in asked(&mut self.extratos, cliente) {
                    // Transacoes of its own connection may be sent again: it must not be
                    // answered before them, nor without them.
                    if !(again && slot.send_again()) {
                        slot.answer(answer, deliver);
                    }
                }
            }
        }
        Ok(())
    }

    /// The call failed with an ERROR, and ReadyForQuery followed: nothing of it was applied.
    /// What failed because of `stale` statements is sent again, once.
    pub(super) fn refuse(
        &mut self,
        call: Call,
        stale: bool,
        deliver: &mut impl FnMut(&T, Answer<'_>),
    ) {
        self.prepare |= stale;
        match call {
            Call::Insert | Call::Lote => {
                self.transacoes
                    .iter_mut()
                    .for_each(|slot| slot.refuse(stale, deliver));
            }
            Call::Extrato(cliente) => {
                asked(&mut self.extratos, cliente).for_each(|slot| slot.refuse(stale, deliver))
            }
        }
    }

    /// Takes the oldest call off; true when it was the last.
    pub(super) fn close_call(&mut self) -> bool {
        self.calls.pop_front();
        self.calls.is_empty()
    }

    /// Empties the flight that is back: what is to be sent again returns to the head of the
    /// queue, in its order. Returns whether the statements must be prepared again.
    pub(super) fn disembark(&mut self, queue: &mut Queue<T>) -> bool {
        let again = |fate: &Fate| *fate == Fate::SendAgain;
        for slot in self.extratos.drain(..).rev().filter(|it| again(&it.fate)) {
            queue.push_front(slot.into_operation(Kind::Extrato));
        }
        for slot in self.transacoes.drain(..).rev().filter(|it| again(&it.fate)) {
            queue.push_front(slot.into_operation(Kind::Transacao));
        }
        self.clientes.clear();
        std::mem::take(&mut self.prepare)
    }

    /// The session broke: whoever was not answered is told that the outcome is unknown.
    ///
    /// Also those whose call was proved not applied, and would have been sent again: they are
    /// few, and 504 promises nothing.
    pub(super) fn abandon(&mut self, deliver: &mut impl FnMut(&T, Answer<'_>)) {
        self.transacoes
            .drain(..)
            .for_each(|mut it| it.answer(Answer::Unknown, deliver));
        self.extratos
            .drain(..)
            .for_each(|mut it| it.answer(Answer::Unknown, deliver));
        self.calls.clear();
        self.clientes.clear();
        self.prepare = false;
    }

    /// Tells those whose time is over that their outcome is unknown; their slots stay.
    pub(super) fn expire(&mut self, now_ms: u64, deliver: &mut impl FnMut(&T, Answer<'_>)) {
        self.transacoes
            .iter_mut()
            .for_each(|it| it.expire(now_ms, deliver));
        self.extratos
            .iter_mut()
            .for_each(|it| it.expire(now_ms, deliver));
    }
}

impl<T, W> Slot<T, W> {
    fn answer(&mut self, answer: Answer<'_>, deliver: &mut impl FnMut(&T, Answer<'_>)) {
        if self.fate != Fate::Answered {
            self.fate = Fate::Answered;
            deliver(&self.ticket, answer);
        }
    }

    fn refuse(&mut self, stale: bool, deliver: &mut impl FnMut(&T, Answer<'_>)) {
        if !(stale && self.send_again()) {
            self.answer(Answer::Unavailable, deliver);
        }
    }

    /// Marks it to be sent again, once; false when it was before, or needs it no more.
    fn send_again(&mut self) -> bool {
        let may = !self.retried && self.fate == Fate::Awaited;
        if may {
            self.fate = Fate::SendAgain;
        }
        may
    }

    fn expire(&mut self, now_ms: u64, deliver: &mut impl FnMut(&T, Answer<'_>)) {
        if super::expired(self.asked_ms, now_ms) {
            self.answer(Answer::Unknown, deliver);
        }
    }

    fn into_operation(self, kind: impl FnOnce(W) -> Kind) -> Operation<T> {
        let Self {
            ticket,
            asked_ms,
            what,
            ..
        } = self;
        Operation {
            ticket,
            asked_ms,
            kind: kind(what),
            retried: true,
        }
    }
}

fn asked<T>(
    extratos: &mut [Slot<T, i64>],
    cliente: i64,
) -> impl Iterator<Item = &mut Slot<T, i64>> {
    extratos.iter_mut().filter(move |slot| slot.what == cliente)
}

fn answer_to(outcome: Outcome) -> Answer<'static> {
    match outcome {
        Outcome::Applied { saldo, limite } => Answer::Applied { limite, saldo },
        Outcome::OverLimit | Outcome::Overflow => Answer::Refused,
        Outcome::NoCliente => Answer::NoCliente,
    }
}
