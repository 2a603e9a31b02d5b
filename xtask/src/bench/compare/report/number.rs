//! Figures as people read them.

use maud::{Markup, html};

use super::super::figures::Spread;

/// Thousands apart: 12,345.
pub(super) fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let left = digits.len() - place;
        if place > 0 && left % 3 == 0 && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits where there are as many.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => count(value),
    }
}

/// A share, 0 to 1.
pub(super) fn percent(share: f64) -> String {
    match share {
        0.0 => "0%".to_owned(),
        small if small < 0.0001 => "<0.01%".to_owned(),
        share => format!("{}%", short(share * 100.0)),
    }
}

/// How often one is the other: 5.8×.
pub(super) fn times(ratio: f64) -> String {
    format!(
        "{}×",
        if ratio < 9.95 {
            format!("{ratio:.2}")
        } else {
            count(ratio)
        }
    )
}

/// A cell with the median, and below it how far the rounds lie apart.
pub(super) fn cell(spread: Option<Spread>, shown: fn(f64) -> String) -> Markup {
    html! {
        td.number {
            @match spread {
                None => { span.none { "–" } },
                Some(spread) => {
                    (shown(spread.mid))
                    @if spread.least < spread.most {
                        small { (shown(spread.least)) "–" (shown(spread.most)) }
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        let check = |shown: String, expected: &str| assert_eq!(shown, expected);
        check(count(0.0), "0");
        check(count(999.4), "999");
        check(count(12_345.0), "12,345");
        check(count(-1_234_567.0), "-1,234,567");
        check(count(-123.0), "-123");
        check(short(0.0), "0");
        check(short(1.234), "1.23");
        check(short(12.34), "12.3");
        check(short(123.4), "123");
        check(short(1_234.0), "1,234");
        check(percent(0.0), "0%");
        check(percent(0.000_01), "<0.01%");
        check(percent(0.021), "2.10%");
        check(times(5.8), "5.80×");
        check(times(12.3), "12×");
    }
}
