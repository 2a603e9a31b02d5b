//! The rounds of one variant at one level, taken together: medians, and how far they lie apart.

use std::collections::BTreeSet;

use super::record::{CEILING, Record, Run, is_floor};

/// What was measured again and again.
pub(super) struct Rounds<'a> {
    pub connections: u32,
    pub variant: &'a str,
    records: Vec<&'a Record>,
}

impl<'a> Rounds<'a> {
    /// All of a run, by level, and then in the order in which the variants were measured.
    pub fn all(run: &'a Run) -> Vec<Rounds<'a>> {
        let levels: BTreeSet<u32> = run.records.iter().map(|it| it.connections).collect();
        let variants = variants(run);
        let each = levels
            .iter()
            .flat_map(|level| variants.iter().map(move |variant| (*level, *variant)));
        each.filter_map(|(level, variant)| Rounds::of(run, level, variant))
            .collect()
    }

    /// Those of one variant at one level, if there are any.
    pub fn of(run: &'a Run, connections: u32, variant: &'a str) -> Option<Rounds<'a>> {
        let records = run.records.iter();
        let records: Vec<_> = records
            .filter(|record| record.variant == variant && record.connections == connections)
            .collect();
        (!records.is_empty()).then_some(Rounds {
            connections,
            variant,
            records,
        })
    }

    /// The first of them.
    pub fn first(&self) -> Option<&'a Record> {
        self.records.first().copied()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a Record> {
        self.records.iter().copied()
    }

    /// The median of a figure.
    pub fn median(&self, of: impl Fn(&Record) -> f64) -> f64 {
        median(self.iter().map(of))
    }

    /// The median of a figure that not everything has.
    pub fn median_of(&self, of: impl Fn(&Record) -> Option<f64>) -> Option<f64> {
        median_if_any(self.iter().filter_map(of))
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.median(|record| record.requests_per_second)
    }

    /// The least and the most requests a second.
    pub fn rates(&self) -> (f64, f64) {
        let rates = || self.iter().map(|record| record.requests_per_second);
        (
            rates().fold(f64::MAX, f64::min),
            rates().fold(0.0, f64::max),
        )
    }

    /// What this comes to in parts of the floor under its kind of NGINX, if that was measured.
    pub fn of_floor(&self, run: &Run) -> Option<f64> {
        let own = self.first().filter(|_| !is_yardstick(self.variant))?;
        let mut floors = run.records.iter();
        let floor = floors.find(|it| is_floor(&it.variant) && it.facts.proxy == own.facts.proxy)?;
        let floor = Rounds::of(run, self.connections, &floor.variant)?;
        self.over(&floor, |record| Some(record.requests_per_second))
    }

    /// A figure over that of `other`: the median of what it was each time, since what was
    /// measured seconds apart is all that compares.
    pub fn over(&self, other: &Rounds, of: impl Fn(&Record) -> Option<f64>) -> Option<f64> {
        let ratios = self.iter().zip(other.iter());
        let ratios = ratios.filter_map(|(own, theirs)| {
            let ratio = of(own)? / of(theirs)?;
            ratio.is_finite().then_some(ratio)
        });
        median_if_any(ratios)
    }

    /// And in parts of the best of the ceiling.
    pub fn of_ceiling(&self, run: &Run) -> Option<f64> {
        let best = ceiling(run).filter(|_| !is_yardstick(self.variant))?;
        Some(self.rate() / best)
    }
}

/// Whether it is not the bank that was measured, but what it is compared with.
pub(super) fn is_yardstick(variant: &str) -> bool {
    is_floor(variant) || variant == CEILING
}

/// The most calls a second that pgbench reached, with however many sessions.
pub(super) fn ceiling(run: &Run) -> Option<f64> {
    let of = Rounds::all(run).into_iter();
    let of = of.filter(|rounds| rounds.variant == CEILING);
    of.map(|rounds| rounds.rate()).max_by(f64::total_cmp)
}

/// The variants in the order in which they were measured.
pub(super) fn variants(run: &Run) -> Vec<&str> {
    let mut variants: Vec<&str> = Vec::new();
    let records = run.records.iter().map(|record| record.variant.as_str());
    let contests = run.contests.iter().map(|contest| contest.variant.as_str());
    for variant in records.chain(contests) {
        if !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    variants
}

/// The middle one, of an even number the mean of both in the middle; 0 of none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    median_if_any(values).unwrap_or(0.0)
}

/// The same; none of none.
pub(super) fn median_if_any(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let lower = values.get(values.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(*lower, *values.get(values.len() / 2)?))
}

#[cfg(test)]
mod tests {
    use super::super::load::Load;
    use super::super::record::Facts;
    use super::*;

    #[test]
    fn of_an_even_number_both_in_the_middle_count() {
        for (values, middle) in [
            (&[][..], 0.0),
            (&[7.0], 7.0),
            (&[9.0, 1.0], 5.0),
            (&[3.0, 1.0, 2.0], 2.0),
        ] {
            assert!(
                (median(values.iter().copied()) - middle).abs() < 1e-9,
                "{values:?}"
            );
        }
    }

    #[test]
    fn a_ratio_is_of_what_was_measured_together() {
        let all = |variant: &str, rates: [f64; 3]| -> Vec<Record> {
            let of = |(round, requests_per_second): (u32, f64)| Record {
                variant: variant.to_owned(),
                round,
                connections: 16,
                facts: Facts::default(),
                requests_per_second,
                load: Load::default(),
                services: Vec::new(),
                flights_per_second: None,
                operations_per_flight: None,
                largest_flight: None,
                check: None,
            };
            (1..).zip(rates).map(of).collect()
        };
        let (ours, theirs) = (all("a", [10.0, 100.0, 30.0]), all("b", [10.0, 50.0, 100.0]));
        let [ours, theirs] = [("a", &ours), ("b", &theirs)].map(|(variant, records)| Rounds {
            connections: 16,
            variant,
            records: records.iter().collect(),
        });
        // 1, 2 and 0.3; the medians' ratio would be 0.6.
        let ratio = ours.over(&theirs, |record| Some(record.requests_per_second));
        assert!((ratio.unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(ours.over(&theirs, |_| None), None);
    }
}
