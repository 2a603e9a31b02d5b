//! Judges a history of operations against the contract's consistency rules.
//!
//! Pure: it is given what was asked and answered, with the times of both, and the rows that the
//! database holds afterwards. The database numbers each cliente's rows (`n`), so the order that
//! must explain every answer is known, and checking takes no search: place *k* of a cliente is
//! the state after its first k rows, an operation's *window* is the places it may have been
//! judged at. Each check is both necessary and sufficient for linearizability (Herlihy and Wing,
//! 1990), which is local: it holds for all clientes if it holds for each.

mod conta;
mod window;

use std::collections::HashMap;
use std::fmt;

/// One operation of the history.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Whose request it was: requests of one connection take effect in their order.
    pub connection: usize,
    pub cliente: i64,
    pub question: Question,
    /// When its first byte was about to be sent, in ns of any one clock; one connection asks
    /// for one thing at a time, so these tell the order of its requests too.
    pub asked_ns: u64,
    /// When its whole answer had been read, or all hope of one was given up.
    pub answered_ns: u64,
    pub answer: Answer,
}

#[derive(Clone, Debug)]
pub enum Question {
    /// `valor` is negative for a debit; `descricao` is unique in the history.
    Transacao {
        valor: i64,
        descricao: String,
    },
    Extrato,
}

#[derive(Clone, Debug)]
pub enum Answer {
    /// 200 to a transacao.
    Applied { limite: i64, saldo: i64 },
    /// 200 to an extrato; the list as it came, newest first.
    Extrato {
        limite: i64,
        total: i64,
        list: Vec<Row>,
    },
    /// 422 to a valid transacao: the limit or the 64 bits stood against it.
    Impossible,
    /// Any other 4xx, or the replica's 503: nothing was applied, and nothing was judged.
    Refused,
    /// 502, 504, 500, no answer: a transacao may be there or not, or come later.
    Unknown,
}

/// A row of the database, or a line of an extrato (which does not tell its `n`: 0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub n: i64,
    /// Negative for a debit.
    pub valor: i64,
    pub descricao: String,
    pub realizada_em: String,
}

/// A cliente as the database holds it after the history, its rows ascending by `n`.
/// At first its saldo was 0 and it had no rows.
#[derive(Clone, Debug)]
pub struct Conta {
    pub cliente: i64,
    pub limite: i64,
    pub saldo: i64,
    pub n: i64,
    pub rows: Vec<Row>,
}

/// The rule that a history breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Rows are numbered 1, 2, 3, ... and the cliente's counter is the last.
    Numbers,
    /// The cliente's saldo is the sum of its rows.
    Sum,
    /// No place has a saldo below the limit.
    Limit,
    /// Every row was asked for, as it is, of that cliente.
    Unasked,
    /// No operation has two rows.
    Twice,
    /// What was answered with 200 has a row.
    Lost,
    /// What was refused has none.
    RefusedYetApplied,
    /// A 200 carries the limit and the saldo of its own place.
    Balance,
    /// Rows of operations that did not overlap are in the order of these.
    RealTime,
    /// Rows of one connection are in the order of its requests.
    ConnectionOrder,
    /// An extrato is the state at one place: limite, total, and the newest ten rows exactly.
    Snapshot,
    /// An extrato shows all that was answered before, and nothing that was asked for after.
    StaleOrEarly,
    /// Observations that did not overlap, or of one connection, do not go back.
    BackInTime,
    /// A 422 was impossible at some place in its window.
    WasPossible,
    /// Operations are about clientes that exist.
    NoSuchCliente,
    /// The history itself is malformed (an answer before its question, of another kind).
    Malformed,
}

/// What is wrong, for a reader.
#[derive(Debug)]
pub struct Fault {
    pub rule: Rule,
    pub detail: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)
    }
}

/// The first rule that `operations` and `contas` break, if any.
pub fn check(operations: &[Operation], contas: &[Conta]) -> Result<(), Fault> {
    let mut of_cliente: HashMap<i64, Vec<&Operation>> = HashMap::new();
    for operation in operations {
        well_formed(operation)?;
        let of_one = of_cliente.entry(operation.cliente).or_default();
        of_one.push(operation);
    }
    for conta in contas {
        let of_one = of_cliente.remove(&conta.cliente).unwrap_or_default();
        conta::check(&of_one, conta)?;
    }
    // Of clientes that are not there, nothing can have been answered but a refusal.
    for operation in of_cliente.values().flatten() {
        if !matches!(operation.answer, Answer::Refused | Answer::Unknown) {
            return fault(Rule::NoSuchCliente, format!("{operation:?}"));
        }
    }
    Ok(())
}

fn well_formed(operation: &Operation) -> Result<(), Fault> {
    let is_extrato = matches!(operation.question, Question::Extrato);
    let fits = match operation.answer {
        Answer::Applied { .. } | Answer::Impossible => !is_extrato,
        Answer::Extrato { .. } => is_extrato,
        Answer::Refused | Answer::Unknown => true,
    };
    if !fits || operation.answered_ns < operation.asked_ns {
        return fault(Rule::Malformed, format!("{operation:?}"));
    }
    Ok(())
}

fn fault<T>(rule: Rule, detail: String) -> Result<T, Fault> {
    Err(Fault { rule, detail })
}
