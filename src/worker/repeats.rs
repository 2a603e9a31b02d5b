//! Keeps what happens again and again from filling the log.

/// The same thing is logged again after 10, 100 and so many times, and after each so many more.
const EVERY: u64 = 1000;
/// What takes turns is as much of a flood as what comes alone: so many are remembered, the latest.
const KINDS_MAX: usize = 8;
/// What begins is told so many times, the first among them, though it came before something else:
/// so the log's last word is true where not all is in flux.
const RETURNS: u64 = 3;

/// The kinds of an event.
#[derive(Default)]
pub(super) struct Repeats {
    /// The latest is the last.
    kinds: Vec<Kind>,
}

#[derive(Default)]
struct Kind {
    what: String,
    /// How often it came.
    times: u64,
    /// How often it began: was new, or came after something else.
    returns: u64,
}

impl Repeats {
    /// Whether `what` is worth a line: it is new, or came so many more times; says how many.
    pub(super) fn worth_a_line(&mut self, what: &str) -> Option<u64> {
        let known = self.kinds.iter().position(|kind| kind.what == what);
        let returns = known.is_none_or(|place| place + 1 < self.kinds.len());
        let mut kind = match known {
            Some(place) => self.kinds.remove(place),
            None => Kind {
                what: what.to_owned(),
                ..Kind::default()
            },
        };
        if self.kinds.len() == KINDS_MAX {
            self.kinds.remove(0);
        }
        kind.times += 1;
        kind.returns += u64::from(returns);
        let again = matches!(kind.times, 1 | 10 | 100) || kind.times.is_multiple_of(EVERY);
        let line = again || returns && kind.returns <= RETURNS;
        let times = kind.times;
        self.kinds.push(kind);
        line.then_some(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_every_so_often() {
        let mut repeats = Repeats::default();
        let lines = (0..=2 * EVERY).filter_map(|_| repeats.worth_a_line("a"));
        assert_eq!(lines.collect::<Vec<_>>(), [1, 10, 100, EVERY, 2 * EVERY]);
    }

    #[test]
    fn what_takes_turns_is_told_as_seldom() {
        let kinds: Vec<String> = (0..KINDS_MAX).map(|kind| kind.to_string()).collect();
        let mut repeats = Repeats::default();
        for turn in 1..=20 {
            for kind in &kinds {
                let line = (turn <= RETURNS || turn == 10).then_some(turn);
                assert_eq!(repeats.worth_a_line(kind), line);
            }
        }
    }

    #[test]
    fn what_comes_back_is_told() {
        let mut repeats = Repeats::default();
        for _ in 0..150 {
            repeats.worth_a_line("a");
        }
        assert_eq!(repeats.worth_a_line("b"), Some(1));
        assert_eq!(repeats.worth_a_line("a"), Some(151));
        assert_eq!(repeats.worth_a_line("a"), None);
    }

    #[test]
    fn what_has_not_come_for_longest_is_forgotten_first() {
        let mut repeats = Repeats::default();
        for kind in ["a", "b", "a", "1", "2", "3", "4", "5", "6", "7"] {
            repeats.worth_a_line(kind);
        }
        assert_eq!(repeats.kinds.len(), KINDS_MAX);
        assert_eq!(repeats.worth_a_line("a"), Some(3));
        assert_eq!(repeats.worth_a_line("b"), Some(1));
    }
}
