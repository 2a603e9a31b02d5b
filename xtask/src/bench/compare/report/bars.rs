//! What each service takes, as bars of HTML.

use maud::{Markup, html};

use super::super::figures::{Comparison, Role};
use super::number::short;

/// The services that we know, which have the same colours in every report.
const KNOWN: [&str; 4] = ["nginx", "api1", "api2", "db"];
/// So many colours there are for services in style.css.
const COLOURS: usize = 8;

/// One target's bar: its services in order.
struct Bar<'a> {
    target: &'a str,
    parts: Vec<(&'a str, f64)>,
}

impl Bar<'_> {
    fn whole(&self) -> f64 {
        self.parts.iter().map(|(_, value)| value).sum()
    }
}

/// CPU µs a request, at the most connections.
pub(super) fn cpu(comparison: &Comparison) -> Markup {
    let top = comparison.top();
    bars(comparison, |target, service| {
        let of = |service: &super::super::super::record::Service| service.cpu_us_per_request;
        comparison
            .service(target, top, service, of)
            .map(|it| it.mid)
    })
}

/// MB at their most.
pub(super) fn memory(comparison: &Comparison) -> Markup {
    bars(comparison, |target, service| {
        comparison.memory_mb(target, service)
    })
}

fn bars<'a>(comparison: &'a Comparison, value: impl Fn(&'a str, &'a str) -> Option<f64>) -> Markup {
    let targets = comparison
        .targets
        .iter()
        .filter(|target| target.role != Role::Ceiling);
    let bars = targets.map(|target| {
        let services = comparison.services(&target.name).into_iter();
        let parts = services.filter_map(|name| Some((name, value(&target.name, name)?)));
        Bar {
            target: &target.name,
            parts: parts.collect(),
        }
    });
    let bars: Vec<Bar<'a>> = bars.collect();
    let longest = bars.iter().map(Bar::whole).fold(0.0, f64::max);
    let names = names(&bars);
    html! {
        div.bars {
            @for bar in &bars {
                (row(bar, longest, &names))
            }
        }
        @if longest > 0.0 {
            ul.key {
                @for (place, name) in names.iter().enumerate() {
                    @if bars.iter().any(|bar| bar.parts.iter().any(|(part, _)| part == name)) {
                        li { i.swatch style=(background(place)) {} (name) }
                    }
                }
            }
        }
    }
}

fn row(bar: &Bar<'_>, longest: f64, names: &[&str]) -> Markup {
    let width = |value: f64| format!("{:.2}%", value / longest.max(f64::MIN_POSITIVE) * 100.0);
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap_or(0);
    html! {
        div.bar {
            span.name { (bar.target) }
            @if bar.parts.is_empty() {
                span.none { "not known" }
            } @else {
                strong.whole { (short(bar.whole())) }
                div.track {
                    @for (name, value) in &bar.parts {
                        i title=(format!("{name}: {}", short(*value)))
                            style=(format!(
                                "width:{};background:var(--s{})",
                                width(*value),
                                place(name) % COLOURS,
                            )) {}
                    }
                }
                p.parts {
                    @for (name, value) in &bar.parts {
                        span { (name) " " (short(*value)) }
                    }
                }
            }
        }
    }
}

fn background(place: usize) -> String {
    format!("background:var(--s{})", place % COLOURS)
}

/// The known ones first, then all others as they come.
fn names<'a>(bars: &[Bar<'a>]) -> Vec<&'a str> {
    let mut names: Vec<&'a str> = KNOWN.into();
    for (name, _) in bars.iter().flat_map(|bar| &bar.parts) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    names
}
