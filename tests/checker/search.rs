//! The checker against the definition: of thousands of small histories, right ones and wrong
//! ones, it accepts exactly those for which a search over all orders finds one that explains them.

use crate::checker::{Answer, Conta, Operation, Question, Row, check};
use crate::random::Random;
use crate::{LIMITE, conta, row};

const HISTORIES: u64 = 20_000;

#[test]
fn it_judges_as_a_search_over_all_orders_does() {
    let mut explained = 0;
    for seed in 0..HISTORIES {
        let (operations, conta) = history(&mut Random::new(seed));
        let expected = is_explained(&operations, &conta);
        let judged = check(&operations, std::slice::from_ref(&conta));
        let detail = judged
            .as_ref()
            .map_or_else(|fault| fault.to_string(), |()| String::new());
        assert_eq!(
            judged.is_ok(),
            expected,
            "seed {seed}: {detail}\n{operations:#?}\n{conta:#?}"
        );
        explained += u64::from(expected);
    }
    println!("{explained} of {HISTORIES} histories can be explained");
    assert!(explained > HISTORIES / 5 && explained < HISTORIES * 4 / 5);
}

/// Applies up to five operations in a random order, which their times allow or not.
fn history(random: &mut Random) -> (Vec<Operation>, Conta) {
    let mut operations: Vec<Operation> = Vec::new();
    for at in 0..2 + random.below(4) {
        let connection = usize::from(random.below(2) == 0);
        let before = operations
            .iter()
            .rev()
            .find(|one| one.connection == connection);
        let (asked_after, answered_from) = before.map_or((0, 0), |one| {
            // Some are pipelined; answers of one connection come in order.
            let pipelined = random.below(3) == 0;
            (
                if pipelined {
                    one.asked_ns
                } else {
                    one.answered_ns
                },
                one.answered_ns,
            )
        });
        let asked_ns = asked_after + 1 + random.below(4);
        let answered_ns = answered_from.max(asked_ns) + random.below(8);
        let valor = [-700, -400, 300, 600][random.index(4)];
        let question = match random.below(3) {
            0 => Question::Extrato,
            _ => Question::Transacao {
                valor,
                descricao: format!("r{at}"),
            },
        };
        let answer = Answer::Unknown;
        operations.push(Operation {
            connection,
            cliente: 1,
            question,
            asked_ns,
            answered_ns,
            answer,
        });
    }
    let mut order: Vec<usize> = (0..operations.len()).collect();
    for at in 1..order.len() {
        // Mostly the order in which they were asked for, which is the likeliest to be right.
        if random.below(3) == 0 {
            order.swap(at, random.index(at));
        }
    }
    let mut rows = Vec::new();
    for at in order {
        let (answer, applied) = apply(&operations[at].question, &rows);
        let fate = random.below(12);
        if fate == 0 {
            continue; // Unknown, and never applied.
        }
        rows.extend(applied);
        if fate != 1 {
            operations[at].answer = answer;
        }
    }
    (operations, conta(rows))
}

/// The bank in ten lines: what is answered in the state that `rows` make, and the new row.
fn apply(question: &Question, rows: &[Row]) -> (Answer, Option<Row>) {
    let (limite, total) = (LIMITE, rows.iter().map(|row| row.valor).sum::<i64>());
    match question {
        Question::Extrato => {
            let lines = rows.iter().rev().take(10).cloned();
            let list = lines.map(|row| Row { n: 0, ..row }).collect();
            (
                Answer::Extrato {
                    limite,
                    total,
                    list,
                },
                None,
            )
        }
        Question::Transacao { valor, .. } if *valor < 0 && total + valor < -LIMITE => {
            (Answer::Impossible, None)
        }
        Question::Transacao { valor, descricao } => {
            let n = rows.last().map_or(1, |row| row.n + 1);
            let saldo = total + valor;
            (
                Answer::Applied { limite, saldo },
                Some(row(n, descricao, *valor)),
            )
        }
    }
}

fn is_explained(operations: &[Operation], conta: &Conta) -> bool {
    // Who was never applied has no place to be found.
    let has_place = |one: &&Operation| match (&one.question, &one.answer) {
        (Question::Transacao { descricao, .. }, Answer::Unknown) => {
            conta.rows.iter().any(|row| row.descricao == *descricao)
        }
        (Question::Extrato, Answer::Unknown) => false,
        _ => true,
    };
    let left: Vec<&Operation> = operations.iter().filter(has_place).collect();
    search(&left, &mut Vec::new(), conta)
}

fn search(left: &[&Operation], rows: &mut Vec<Row>, conta: &Conta) -> bool {
    if left.is_empty() {
        return *rows == conta.rows;
    }
    for (at, one) in left.iter().enumerate() {
        if left.iter().any(|other| must_precede(other, one)) {
            continue;
        }
        let (answer, applied) = apply(&one.question, rows);
        if !matches!(one.answer, Answer::Unknown) && !is_same(&one.answer, &answer) {
            continue;
        }
        let length = rows.len();
        rows.extend(applied);
        let mut rest = left.to_vec();
        rest.remove(at);
        if conta.rows.starts_with(rows) && search(&rest, rows, conta) {
            return true;
        }
        rows.truncate(length);
    }
    false
}

fn is_same(a: &Answer, b: &Answer) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

fn must_precede(a: &Operation, b: &Operation) -> bool {
    let is_known = !matches!(a.answer, Answer::Unknown);
    let is_of_one_connection = a.connection == b.connection && a.asked_ns < b.asked_ns;
    is_known && (a.answered_ns < b.asked_ns || is_of_one_connection)
}
