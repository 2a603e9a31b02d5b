//! At which places an observation may have been made, found by bisection: a long history is
//! checked in the time that sorting it takes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::RangeInclusive;

use super::Operation;
use super::conta::ended_ns;

/// The rows of a cliente, prepared for [`Windows::of`].
pub struct Windows {
    /// Of row i and all after it, the earliest end.
    ended_ns_min: Vec<u64>,
    /// Of row i and all before it, the latest question.
    asked_ns_max: Vec<u64>,
    /// Each connection's rows, in the order of its questions.
    of_connection: HashMap<usize, Vec<OwnRow>>,
}

struct OwnRow {
    asked_ns: u64,
    /// The place after this row or after one asked for before it, of those whose end is known.
    place_known_max: usize,
    /// The place before this row or before one asked for after it.
    place_min: usize,
}

impl Windows {
    /// Of rows that are known to be in a right order.
    pub fn new(placed: &[&Operation]) -> Self {
        let mut ended_ns_min: Vec<u64> = placed.iter().map(|row| ended_ns(row)).collect();
        for at in (1..placed.len()).rev() {
            ended_ns_min[at - 1] = ended_ns_min[at - 1].min(ended_ns_min[at]);
        }
        let mut asked_ns_max: Vec<u64> = placed.iter().map(|row| row.asked_ns).collect();
        for at in 1..placed.len() {
            asked_ns_max[at] = asked_ns_max[at].max(asked_ns_max[at - 1]);
        }
        let mut of_connection: HashMap<usize, Vec<OwnRow>> = HashMap::new();
        for (at, row) in placed.iter().enumerate() {
            let is_known = ended_ns(row) != u64::MAX;
            of_connection
                .entry(row.connection)
                .or_default()
                .push(OwnRow {
                    asked_ns: row.asked_ns,
                    place_known_max: if is_known { at + 1 } else { 0 },
                    place_min: at,
                });
        }
        for own in of_connection.values_mut() {
            own.sort_by_key(|row| row.asked_ns);
            for at in 1..own.len() {
                own[at].place_known_max = own[at].place_known_max.max(own[at - 1].place_known_max);
            }
            for at in (1..own.len()).rev() {
                own[at - 1].place_min = own[at - 1].place_min.min(own[at].place_min);
            }
        }
        Self {
            ended_ns_min,
            asked_ns_max,
            of_connection,
        }
    }

    /// The places at which an answered `one` may have been judged: after every row that came
    /// before it, before every row that came after it. Never empty, as the rows' order is right.
    pub fn of(&self, one: &Operation) -> RangeInclusive<usize> {
        let first = self
            .ended_ns_min
            .partition_point(|ended_ns| *ended_ns < one.asked_ns);
        let last = self
            .asked_ns_max
            .partition_point(|asked_ns| *asked_ns <= one.answered_ns);
        let Some(own) = self.of_connection.get(&one.connection) else {
            return first..=last;
        };
        let before = own.partition_point(|row| row.asked_ns < one.asked_ns);
        let after = own.partition_point(|row| row.asked_ns <= one.asked_ns);
        let own_first = before
            .checked_sub(1)
            .map_or(0, |at| own[at].place_known_max);
        let own_last = own.get(after).map_or(last, |row| row.place_min);
        first.max(own_first)..=last.min(own_last)
    }
}

/// What observations bind those that come after them; they are added as they were asked for.
#[derive(Default)]
pub struct Floors {
    /// The highest place among those that had ended before the last [`Floors::of`].
    ended: usize,
    /// Ends and places of the others.
    open: BinaryHeap<Reverse<(u64, usize)>>,
    of_connection: HashMap<usize, usize>,
}

impl Floors {
    /// The highest place of all that must come before `one`.
    pub fn of(&mut self, one: &Operation) -> usize {
        while let Some(Reverse((ended_ns, place))) = self.open.peek().copied()
            && ended_ns < one.asked_ns
        {
            self.ended = self.ended.max(place);
            self.open.pop();
        }
        let own = self.of_connection.get(&one.connection);
        self.ended.max(own.copied().unwrap_or(0))
    }

    /// `one` was at `place`.
    pub fn add(&mut self, one: &Operation, place: usize) {
        self.open.push(Reverse((ended_ns(one), place)));
        let own = self.of_connection.entry(one.connection).or_default();
        *own = place.max(*own);
    }
}
