//! The rules for one cliente: its rows first, then each answer at its place.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::window::{Floors, Windows};
use super::{Answer, Conta, Fault, Operation, Question, Row, Rule, fault};

/// Lines of an extrato, at most.
const LIST_MAX: usize = 10;

/// `operations` are all of this cliente's, in the order in which they were recorded: those of
/// one connection in the order of its requests.
pub fn check(operations: &[&Operation], conta: &Conta) -> Result<(), Fault> {
    let saldos = saldos(conta)?;
    let placed = place(operations, conta)?;
    check_order(&placed)?;
    for (at, operation) in placed.iter().enumerate() {
        check_balance(operation, at + 1, conta.limite, &saldos)?;
    }
    check_observations(operations, &placed, conta, &saldos)
}

/// The saldo at each place: `saldos[k]` after the first k rows.
fn saldos(conta: &Conta) -> Result<Vec<i64>, Fault> {
    let cliente = conta.cliente;
    let mut saldos = vec![0_i64];
    for (row, n) in conta.rows.iter().zip(1..) {
        if row.n != n {
            return fault(
                Rule::Numbers,
                format!("cliente {cliente}: {row:?} is row {n}"),
            );
        }
        let before = saldos[saldos.len() - 1];
        let Some(after) = before.checked_add(row.valor) else {
            return fault(
                Rule::Limit,
                format!("cliente {cliente}: {before} and {row:?}"),
            );
        };
        if row.valor < 0 && after < -conta.limite {
            return fault(
                Rule::Limit,
                format!("cliente {cliente}: {after} after {row:?}"),
            );
        }
        saldos.push(after);
    }
    let (last, sum) = (conta.rows.len(), saldos[conta.rows.len()]);
    if usize::try_from(conta.n).ok() != Some(last) {
        return fault(
            Rule::Numbers,
            format!("cliente {cliente}: n is {} after row {last}", conta.n),
        );
    }
    if conta.saldo != sum {
        return fault(
            Rule::Sum,
            format!(
                "cliente {cliente}: saldo {} where the rows give {sum}",
                conta.saldo
            ),
        );
    }
    Ok(saldos)
}

/// The operation of each row, in the order of the rows.
fn place<'a>(operations: &[&'a Operation], conta: &Conta) -> Result<Vec<&'a Operation>, Fault> {
    let mut asked: HashMap<&str, (&Operation, bool)> = HashMap::new();
    for operation in operations {
        if let Question::Transacao { descricao, .. } = &operation.question
            && asked.insert(descricao, (operation, false)).is_some()
        {
            return fault(Rule::Malformed, format!("asked for twice: {operation:?}"));
        }
    }
    let mut placed = Vec::with_capacity(conta.rows.len());
    for row in &conta.rows {
        let Some((operation, is_placed)) = asked.get_mut(row.descricao.as_str()) else {
            return fault(Rule::Unasked, format!("cliente {}: {row:?}", conta.cliente));
        };
        if *is_placed {
            return fault(Rule::Twice, format!("{operation:?}, again as {row:?}"));
        }
        *is_placed = true;
        if !matches!(&operation.question, Question::Transacao { valor, .. } if *valor == row.valor)
        {
            return fault(Rule::Unasked, format!("{operation:?} became {row:?}"));
        }
        if matches!(operation.answer, Answer::Impossible | Answer::Refused) {
            return fault(
                Rule::RefusedYetApplied,
                format!("{operation:?}, yet {row:?}"),
            );
        }
        placed.push(*operation);
    }
    for (operation, is_placed) in asked.values() {
        if matches!(operation.answer, Answer::Applied { .. }) && !is_placed {
            return fault(Rule::Lost, format!("{operation:?}"));
        }
    }
    Ok(placed)
}

/// Rows respect real time, and each connection's order.
fn check_order(placed: &[&Operation]) -> Result<(), Fault> {
    // Of the rows so far: the one that was asked for last, of all and of each connection.
    let mut latest: Option<&Operation> = None;
    let mut latest_of: HashMap<usize, &Operation> = HashMap::new();
    for operation in placed {
        if let Some(latest) = latest
            && ended_ns(operation) < latest.asked_ns
        {
            let detail = format!("{latest:?} has its row before {operation:?}");
            return fault(Rule::RealTime, detail);
        }
        if latest.is_none_or(|latest| latest.asked_ns < operation.asked_ns) {
            latest = Some(operation);
        }
        let own = latest_of.entry(operation.connection).or_insert(operation);
        if is_before(operation, own) {
            let detail = format!("{own:?} has its row before {operation:?}");
            return fault(Rule::ConnectionOrder, detail);
        }
        if own.asked_ns < operation.asked_ns {
            *own = operation;
        }
    }
    Ok(())
}

fn check_balance(
    operation: &Operation,
    place: usize,
    limite: i64,
    saldos: &[i64],
) -> Result<(), Fault> {
    let Answer::Applied {
        limite: told,
        saldo,
    } = operation.answer
    else {
        return Ok(());
    };
    if told != limite || saldo != saldos[place] {
        let expected = saldos[place];
        let detail = format!("{operation:?} at place {place}, where the saldo is {expected}");
        return fault(Rule::Balance, detail);
    }
    Ok(())
}

/// Extratos and 422s: each has a place in its window, and the places never go back in time.
fn check_observations(
    operations: &[&Operation],
    placed: &[&Operation],
    conta: &Conta,
    saldos: &[i64],
) -> Result<(), Fault> {
    let mut observations: Vec<&Operation> = operations
        .iter()
        .copied()
        .filter(|one| matches!(one.answer, Answer::Impossible | Answer::Extrato { .. }))
        .collect();
    // Stable: those of one connection stay in its order.
    observations.sort_by_key(|one| one.asked_ns);
    let windows = Windows::new(placed);
    let mut floors = Floors::default();
    for one in observations {
        let window = windows.of(one);
        let floor = floors.of(one);
        // The earliest place that is left to each is the best: it binds those after it least.
        let place = match &one.answer {
            Answer::Extrato {
                limite,
                total,
                list,
            } => {
                let place = shown_place(one, list, conta)?;
                if *limite != conta.limite || *total != saldos[place] {
                    return fault(Rule::Snapshot, format!("{one:?} at place {place}"));
                }
                if !window.contains(&place) {
                    let detail = format!("{one:?} is place {place}, not one of {window:?}");
                    return fault(Rule::StaleOrEarly, detail);
                }
                if place < floor {
                    let detail = format!("{one:?} is place {place}, after {floor} was seen");
                    return fault(Rule::BackInTime, detail);
                }
                place
            }
            _ => impossible_place(one, window, floor, conta, saldos)?,
        };
        floors.add(one, place);
    }
    Ok(())
}

/// The place whose newest rows are exactly `list`.
fn shown_place(one: &Operation, list: &[Row], conta: &Conta) -> Result<usize, Fault> {
    let place = match list.first() {
        None => 0,
        Some(newest) => conta
            .rows
            .iter()
            .rposition(|row| row.descricao == newest.descricao)
            .map_or(0, |at| at + 1),
    };
    let shown = conta.rows[..place].iter().rev().take(LIST_MAX);
    let is_same = |(row, line): (&Row, &Row)| {
        Row {
            n: 0,
            ..row.clone()
        } == *line
    };
    if shown.len() != list.len() || !shown.zip(list).all(is_same) {
        return fault(
            Rule::Snapshot,
            format!("{one:?} is not the newest rows at {place}"),
        );
    }
    Ok(place)
}

/// The earliest place, from `floor` on, at which the refused transacao was impossible.
fn impossible_place(
    one: &Operation,
    window: RangeInclusive<usize>,
    floor: usize,
    conta: &Conta,
    saldos: &[i64],
) -> Result<usize, Fault> {
    let Question::Transacao { valor, .. } = &one.question else {
        return fault(Rule::Malformed, format!("{one:?}"));
    };
    let is_impossible = |place: &usize| match saldos[*place].checked_add(*valor) {
        None => true,
        Some(after) => *valor < 0 && after < -conta.limite,
    };
    let places: Vec<usize> = window.clone().filter(is_impossible).collect();
    if places.is_empty() {
        let detail = format!("{one:?} was possible at every place of {window:?}");
        return fault(Rule::WasPossible, detail);
    }
    match places.iter().find(|place| **place >= floor) {
        Some(place) => Ok(*place),
        None => fault(
            Rule::BackInTime,
            format!("{one:?} was impossible at {places:?} only, after {floor} was seen"),
        ),
    }
}

/// Must `a` take effect before `b`?
///
/// An outcome that was never learned may come to pass at any later time, even after what its
/// connection asked for next.
pub fn is_before(a: &Operation, b: &Operation) -> bool {
    let is_of_one_connection = a.connection == b.connection && ended_ns(a) != u64::MAX;
    ended_ns(a) < b.asked_ns || (is_of_one_connection && a.asked_ns < b.asked_ns)
}

/// When it had surely taken effect.
pub fn ended_ns(one: &Operation) -> u64 {
    match one.answer {
        Answer::Unknown => u64::MAX,
        _ => one.answered_ns,
    }
}
