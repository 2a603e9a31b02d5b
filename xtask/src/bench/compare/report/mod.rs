//! The report: one HTML file that needs nothing else, readable without scripts but for its curves.
//!
//! Figures and bars are HTML, made here; curves are drawn in the browser by uPlot (xtask/vendor),
//! which is embedded. Its content security policy forbids it to ask the network for anything.

mod bars;
mod curves;
mod headline;
mod number;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::figures::{Comparison, Role};
use crate::error::Error;
pub(super) use headline::headline;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      img-src data:; base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("curves.js");
const UPLOT: &str = include_str!("../../../../vendor/uplot/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("../../../../vendor/uplot/uPlot.min.css");
/// So many colours there are for targets in style.css.
const COLOURS: usize = 7;
/// And for the floor and the ceiling.
const REFERENCE_COLOURS: usize = 2;

/// The whole file; `raw` is the comparison as JSON.
///
/// # Errors
/// The curves cannot be made JSON, which a figure that is no number would do.
pub(super) fn html(comparison: &Comparison, raw: &str) -> Result<String, Error> {
    let curves = json(&curves::curves(comparison))?;
    let title = headline(comparison);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(UPLOT_STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                (headline::header(comparison))
                main {
                    (tables::summary(comparison))
                    (figures(comparison))
                    (tables::levels(comparison))
                    (tables::contest(comparison))
                    (tables::checks(comparison))
                    (tables::method(comparison))
                    (raw_data())
                }
                script type="application/json" id="curves" { (PreEscaped(curves)) }
                script type="application/json" id="raw" { (PreEscaped(harmless(raw))) }
                script { (PreEscaped(UPLOT)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

fn figures(comparison: &Comparison) -> Markup {
    let top = number::count(f64::from(comparison.top()));
    html! {
        section.figures {
            @if !comparison.method.connections.is_empty() {
                (curve(
                    "throughput",
                    "Throughput",
                    "requests a second by connections, closed loop; the band is least to most",
                ))
            }
            @if comparison.visits.iter().any(|visit| visit.contest.is_some()) {
                (curve(
                    "latency",
                    "Latency under the contest’s load",
                    "milliseconds by share of the requests, 340 a second, open model",
                ))
            }
            figure.chart {
                figcaption {
                    h2 { "CPU for a request" }
                    p { "microseconds by service, at " (top) " connections" }
                }
                (bars::cpu(comparison))
            }
            figure.chart {
                figcaption {
                    h2 { "Memory" }
                    p { "megabytes at their most, by service" }
                }
                (bars::memory(comparison))
            }
        }
    }
}

fn curve(id: &str, title: &str, words: &str) -> Markup {
    html! {
        figure.chart {
            figcaption {
                h2 { (title) }
                p { (words) }
            }
            div.curve id=(id) role="img" aria-label=(format!("{title}: {words}; see the tables")) {
                noscript { "The tables below have these figures." }
            }
        }
    }
}

fn raw_data() -> Markup {
    html! {
        section {
            h2 { "Raw data" }
            p {
                "Every round of every load is in this file, as JSON. "
                button type="button" id="save" { "Save it" }
            }
        }
    }
}

fn json(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string(value).map_err(Error::while_doing("the curves"))?;
    Ok(harmless(&text))
}

/// JSON that no browser takes for the end of its element.
fn harmless(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// A target's colour: one of the banks', or that of the floor and the ceiling.
fn colour(comparison: &Comparison, target: &str) -> String {
    let mut banks = comparison.of_role(Role::Bank);
    match banks.position(|bank| bank.name == target) {
        Some(place) => format!("--t{}", place % COLOURS),
        None => {
            let targets = comparison.targets.iter();
            let mut references = targets.filter(|target| target.role != Role::Bank);
            let place = references.position(|reference| reference.name == target);
            format!("--r{}", place.unwrap_or(0) % REFERENCE_COLOURS)
        }
    }
}
