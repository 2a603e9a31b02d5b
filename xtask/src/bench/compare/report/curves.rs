//! What curves.js draws.

use serde::Serialize;

use super::super::super::to_f64;
use super::super::figures::{Comparison, Role, Spread};
use super::colour;

#[derive(Serialize)]
pub(super) struct Curves {
    throughput: Curve,
    latency: Curve,
}

#[derive(Serialize)]
struct Curve {
    x: Vec<f64>,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    /// A variable of style.css.
    colour: String,
    /// It bounds the others: drawn behind them.
    is_reference: bool,
    mid: Vec<Option<f64>>,
    least: Vec<Option<f64>>,
    most: Vec<Option<f64>>,
}

pub(super) fn curves(comparison: &Comparison) -> Curves {
    Curves {
        throughput: throughput(comparison),
        latency: latency(comparison),
    }
}

fn line(comparison: &Comparison, target: &str, name: String, of: &[Option<Spread>]) -> Line {
    let part = |of_spread: fn(Spread) -> f64| of.iter().map(|it| it.map(of_spread)).collect();
    let banks: Vec<_> = comparison.of_role(Role::Bank).collect();
    Line {
        name,
        colour: colour(comparison, target),
        is_reference: !banks.iter().any(|bank| bank.name == target),
        mid: part(|spread| spread.mid),
        least: part(|spread| spread.least),
        most: part(|spread| spread.most),
    }
}

/// By connections; the ceiling knows none, and is level.
fn throughput(comparison: &Comparison) -> Curve {
    let mut levels = comparison.method.connections.clone();
    levels.sort_unstable();
    levels.dedup();
    let mut lines = Vec::new();
    for target in &comparison.targets {
        let name = target.name.as_str();
        if target.role == Role::Ceiling {
            if let Some((sessions, rate)) = comparison.ceiling(name) {
                let level = vec![Some(rate); levels.len()];
                let words = format!("{name} ({sessions} sessions)");
                lines.push(line(comparison, name, words, &level));
            }
            continue;
        }
        let rates: Vec<_> = levels
            .iter()
            .map(|&level| comparison.rate(name, level))
            .collect();
        lines.push(line(comparison, name, name.to_owned(), &rates));
    }
    Curve {
        x: levels.into_iter().map(f64::from).collect(),
        lines,
    }
}

/// By nines: 0 is none of the requests, 1 is 90%, 2 is 99%.
fn latency(comparison: &Comparison) -> Curve {
    let mut lines = Vec::new();
    let mut longest = 0;
    for target in &comparison.targets {
        let visits = comparison.visits(&target.name);
        let curves = visits.filter_map(|visit| visit.contest.as_ref());
        let curves: Vec<&[u64]> = curves.map(|it| it.outcome.curve_us.as_slice()).collect();
        let steps = curves.iter().map(|curve| curve.len()).min().unwrap_or(0);
        let at = |step: usize| {
            let values = curves.iter().filter_map(|curve| curve.get(step));
            Spread::of(values.map(|&us| to_f64(us) / 1e3))
        };
        let spreads: Vec<_> = (0..steps).map(at).collect();
        longest = longest.max(steps);
        if steps > 0 {
            lines.push(line(
                comparison,
                &target.name,
                target.name.clone(),
                &spreads,
            ));
        }
    }
    for line in &mut lines {
        for part in [&mut line.mid, &mut line.least, &mut line.most] {
            part.resize(longest, None);
        }
    }
    let steps = (0_u32..).take(longest).map(|step| f64::from(step) / 10.0);
    Curve {
        x: steps.collect(),
        lines,
    }
}
