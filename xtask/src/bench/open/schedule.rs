//! When the requests of one kind are due. Times and numbers only.

use std::time::Duration;

/// A rate that grows linearly from one a second, and then stays.
///
/// With `N(t)` the integral of the rate over the time, request `n`, from 0, is due when
/// `N(t) = n`: evenly spaced, as the contest's tool does it, not at random.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    ramp: f64,
    /// Reached at the end of the ramp, a second.
    rate: f64,
    /// `N` at the end of the ramp.
    ramp_requests: f64,
    /// `N` at the end.
    requests: f64,
}

/// One request's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Due {
    /// After the start.
    pub at: Duration,
    /// Not of the ramp.
    pub constant: bool,
}

impl Schedule {
    /// `rate` a second is to be finite and above 0.
    pub fn new(ramp: Duration, hold: Duration, rate: f64) -> Schedule {
        let ramp = ramp.as_secs_f64();
        let ramp_requests = ramp * (1.0 + rate) / 2.0;
        Schedule {
            ramp,
            rate,
            ramp_requests,
            requests: ramp_requests + rate * hold.as_secs_f64(),
        }
    }

    /// Where request `n` has its place; none past the last.
    pub fn due(&self, n: u32) -> Option<Due> {
        let n = f64::from(n);
        if n >= self.requests {
            return None;
        }
        let constant = n >= self.ramp_requests;
        let seconds = if constant {
            self.ramp + (n - self.ramp_requests) / self.rate
        } else {
            // N(t) = t + slope/2 * t², solved for t in the form that also bears a slope of 0.
            let slope = (self.rate - 1.0) / self.ramp;
            2.0 * n / (1.0 + (1.0 + 2.0 * slope * n).sqrt())
        };
        Some(Due {
            at: Duration::from_secs_f64(seconds),
            constant,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn as_many_are_due_as_the_integral_says() {
        // Ramp and hold in seconds, the rate; how many are due in each.
        let check = |ramp: f64, hold: f64, rate: f64, in_ramp: usize, in_hold: usize| {
            let schedule = Schedule::new(seconds(ramp), seconds(hold), rate);
            let all: Vec<Due> = (0..).map_while(|n| schedule.due(n)).collect();
            let case = format!("{ramp} s up to {rate}/s, {hold} s of it");
            let ramp_end = all.partition_point(|due| !due.constant);
            assert_eq!(
                (ramp_end, all.len() - ramp_end),
                (in_ramp, in_hold),
                "{case}"
            );
            assert!(all.is_sorted_by(|one, next| one.at < next.at), "{case}");
            let (rising, level) = all.split_at(ramp_end);
            assert!(rising.iter().all(|due| due.at < seconds(ramp)), "{case}");
            let held = seconds(ramp)..seconds(ramp + hold);
            assert!(level.iter().all(|due| held.contains(&due.at)), "{case}");
        };
        check(120.0, 120.0, 220.0, 13_260, 26_400);
        check(120.0, 120.0, 110.0, 6_660, 13_200);
        check(120.0, 120.0, 10.0, 660, 1_200);
        check(0.0, 2.0, 10.0, 0, 20);
        check(2.0, 0.0, 10.0, 11, 0);
        check(0.0, 0.0, 10.0, 0, 0);
        // As fast at the start as at the end; slower at the end.
        check(10.0, 5.0, 1.0, 10, 5);
        check(10.0, 6.0, 0.5, 8, 3);
        // The integral is no whole number: 8.25 in the ramp, 13.75 in all.
        check(1.5, 0.55, 10.0, 9, 5);
    }

    #[test]
    fn the_rate_is_what_was_asked_for_at_every_moment() {
        let check = |ramp: f64, rate: f64| {
            let schedule = Schedule::new(seconds(ramp), seconds(5.0), rate);
            let all: Vec<Due> = (0..).map_while(|n| schedule.due(n)).collect();
            // The integral once more, in small steps instead of solved.
            let (mut sum, mut at) = (0.0, 0.0);
            while at < ramp + 5.0 {
                let due = all.partition_point(|due| due.at.as_secs_f64() < at);
                let due = f64::from(u32::try_from(due).unwrap());
                assert!((due - sum).abs() < 1.01, "{due} due at {at} s, not {sum}");
                let middle = at + 0.0005;
                sum += 0.001 * (1.0 + (rate - 1.0) * (middle / ramp).min(1.0));
                at += 0.001;
            }
        };
        check(20.0, 220.0);
        check(3.0, 10.0);
        check(8.0, 0.25);
    }
}
