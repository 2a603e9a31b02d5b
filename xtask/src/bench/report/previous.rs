//! This run against the one before with the same settings, figure by figure.

use super::super::kept::{Figure, Kept};

/// A line for each figure that both have; nothing if there was no such run.
pub(in super::super) fn table(run: &Kept, before: Option<&Kept>) -> String {
    let Some(before) = before else {
        return String::new();
    };
    let mut text = format!(
        "\nAgainst the run before with the same settings: {}\n\
         {:>5}  {:<24}{:<22}{:>10}{:>10}{:>8}\n",
        origin(run, before),
        "conns",
        "variant",
        "figure",
        "now",
        "before",
        "ratio"
    );
    for figure in &run.figures {
        if let Some(then) = before.value(figure) {
            text.push_str(&line(figure, then));
        }
    }
    text
}

fn line(figure: &Figure, then: f64) -> String {
    let level = figure.connections.map(|level| level.to_string());
    let digits = if figure.value.max(then) < 1_000.0 {
        2
    } else {
        0
    };
    let ratio = figure.value / then;
    let ratio = if ratio.is_finite() {
        format!("{ratio:.2}")
    } else {
        "-".to_owned()
    };
    format!(
        "{:>5}  {:<24}{:<22}{:>10.digits$}{:>10.digits$}{ratio:>8}\n",
        level.unwrap_or_default(),
        figure.variant,
        figure.name,
        figure.value,
        then,
    )
}

/// When it was, of which commit, and on which machine if that was another.
fn origin(run: &Kept, before: &Kept) -> String {
    let machine = match before.machine == run.machine {
        true => String::new(),
        false => format!(", on another machine ({})", before.machine),
    };
    let commit = match before.commit == run.commit {
        true => "the same commit".to_owned(),
        false => format!("commit {}", before.commit),
    };
    format!(
        "{}, {commit}{machine}",
        ago(run.when.saturating_sub(before.when))
    )
}

fn ago(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_both_values_and_their_ratio() {
        let check = |value: f64, then: f64, expected: &str| {
            let figure = Figure {
                connections: Some(16),
                variant: "shipped".to_owned(),
                name: "p99 ms".to_owned(),
                value,
            };
            let line = line(&figure, then);
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(words.join(" "), format!("16 shipped p99 ms {expected}"));
        };
        check(3.0, 2.0, "3.00 2.00 1.50");
        check(20_000.4, 40_000.0, "20000 40000 0.50");
        check(1.0, 0.0, "1.00 0.00 -");
    }

    #[test]
    fn a_time_is_said_in_its_unit() {
        for (seconds, expected) in [
            (5, "5 seconds ago"),
            (150, "2 minutes ago"),
            (7_200, "2 hours ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(ago(seconds), expected);
        }
    }
}
