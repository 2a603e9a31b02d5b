//! Keeps what happens again and again from filling the log.

/// The same thing is logged again after 10, 100 and so many times, and after each so many more.
const EVERY: u64 = 1000;

/// The latest of a kind of event, and how often it came in a row.
#[derive(Default)]
pub(super) struct Repeats {
    last: String,
    times: u64,
}

impl Repeats {
    /// Whether `what` is worth a line: it is new, or came so many more times; says how many.
    pub(super) fn worth_a_line(&mut self, what: &str) -> Option<u64> {
        if self.last != what {
            self.last.clear();
            self.last.push_str(what);
            self.times = 0;
        }
        self.times += 1;
        let again = matches!(self.times, 1 | 10 | 100) || self.times.is_multiple_of(EVERY);
        again.then_some(self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_every_so_often() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.worth_a_line("a"), Some(1));
        assert_eq!(repeats.worth_a_line("a"), None);
        assert_eq!(repeats.worth_a_line("b"), Some(1));
        assert_eq!(repeats.worth_a_line("a"), Some(1));
        let lines = (0..2 * EVERY).filter_map(|_| repeats.worth_a_line("a"));
        assert_eq!(lines.collect::<Vec<_>>(), [10, 100, EVERY, 2 * EVERY]);
    }
}
