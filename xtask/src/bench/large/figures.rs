//! The figures of `--large`: what is compared with a run before, and a table for people.

use std::fmt::Write;

use super::super::Variant;
use super::super::kept::Figure;
use super::super::record::{Check, HOLDS};
use super::super::rounds::median;
use super::{BUSY, Level, Run, TURNS};

/// What is compared with a run before, in the order of the levels: for each the medians, and
/// the ratios of what was measured seconds apart.
pub(super) fn figures(levels: &[Level]) -> Vec<Figure> {
    let figure = |variant: &str, name: &str, value: f64| Figure {
        connections: None,
        variant: variant.to_owned(),
        name: name.to_owned(),
        value,
    };
    let names = names(levels);
    let mut figures = Vec::new();
    for name in &names {
        let of = |what: &dyn Fn(&Level) -> f64| median(measured(levels, name).map(what));
        figures.push(figure(name, "requests/s", of(&rate)));
        figures.push(figure(name, "p50 ms", of(&p50_ms)));
        figures.push(figure(name, "p99 ms", of(&p99_ms)));
        figures.push(figure(
            name,
            "db CPU µs",
            of(&|it| it.db.cpu_us_per_request),
        ));
    }
    if let [small, large, five, active, all] = names.as_slice() {
        let over = |of: &str, other: &str, what: &dyn Fn(&Level) -> f64| {
            let pairs = measured(levels, of).flat_map(|own| {
                let beside = measured(levels, other).filter(|theirs| theirs.pair == own.pair);
                beside.map(|theirs| what(own) / what(theirs))
            });
            median(pairs)
        };
        for of in [active, all] {
            let name = format!("/ {five}");
            figures.push(figure(of, &name, over(of, five, &rate)));
        }
        let name = "p50 / few rows".to_owned();
        figures.push(figure(large, &name, over(large, small, &p50_ms)));
    }
    figures
}

/// In the order in which they were first measured.
fn names(levels: &[Level]) -> Vec<&str> {
    let mut names = Vec::new();
    for level in levels {
        if !names.contains(&level.name.as_str()) {
            names.push(level.name.as_str());
        }
    }
    names
}

fn measured<'a>(levels: &'a [Level], name: &'a str) -> impl Iterator<Item = &'a Level> {
    levels.iter().filter(move |level| level.name == name)
}

fn rate(level: &Level) -> f64 {
    level.load.requests_per_second()
}

fn p50_ms(level: &Level) -> f64 {
    level.load.p50_ms()
}

fn p99_ms(level: &Level) -> f64 {
    level.load.p99_ms()
}

/// A screen for people.
pub(super) fn table(shipped: &Variant, run: &Run) -> String {
    let limits = if shipped.limited {
        "limits as docker-compose.yml has them"
    } else {
        "no limits"
    };
    let mut text = format!(
        "commit {}; {limits}; store {}\n\n{:<30}{:>12}{:>18}{:>9}{:>9}{:>11}{:>11}\n",
        run.kept.commit,
        shipped.store,
        "what",
        "requests/s",
        "min - max",
        "p50 ms",
        "p99 ms",
        "db CPU µs",
        "throttled"
    );
    for name in names(&run.levels) {
        let own = || measured(&run.levels, name);
        let (least, most) = (
            own().map(rate).fold(f64::MAX, f64::min),
            own().map(rate).fold(0.0, f64::max),
        );
        let _ = writeln!(
            text,
            "{name:<30}{:>12.0}{:>18}{:>9.3}{:>9.2}{:>11.1}{:>10.1}%",
            median(own().map(rate)),
            format!("{least:.0} - {most:.0}"),
            median(own().map(p50_ms)),
            median(own().map(p99_ms)),
            median(own().map(|level| level.db.cpu_us_per_request)),
            median(own().map(|level| level.db.throttled.unwrap_or(0.0) * 100.0)),
        );
    }
    text.push('\n');
    for figure in &run.kept.figures {
        if figure.name.contains("/ ") {
            let Figure {
                variant,
                name,
                value,
                ..
            } = figure;
            let _ = writeln!(text, "{variant} {name} = {value:.2}");
        }
    }
    let _ = writeln!(
        text,
        "\nExtratos on 1 connection, else the mix on {BUSY}; {TURNS} times a round, in turn."
    );
    if run.checks.iter().all(Check::holds) {
        let _ = writeln!(text, "At the end {HOLDS}.");
    }
    text
}
