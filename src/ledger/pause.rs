//! Whether a flight leaves at once or waits to be filled.
//!
//! A flight costs the database much for itself and little for each operation, so under saturation
//! fewer and larger ones are cheaper. The rule, in five points:
//!
//! 1. When a flight is back, its operations and those that wait meanwhile are a *crowd*; about as
//!    many as in the largest crowd of the last flights will soon be waiting again.
//! 2. Where that largest crowd is smaller than [`CROWD_MIN`], or was one flight before, nobody
//!    waits: there is too little to gain. So a crowd of six that is seen once delays nobody (of
//!    eight connections six are at one worker for a flight now and then); a larger one is still
//!    remembered as six or more a flight later.
//! 3. Else a flight leaves once enough of the crowd wait: all of a crowd up to [`FEW`]; of a larger
//!    one [`SHARE_PERCENT`], but [`FEW`] at least; never more than [`ENOUGH`].
//! 4. It leaves without them once the pause is over: `PAUSE_US` after the last departure. If the
//!    last flight was out for longer than half of that, the pause ends as long after its landing
//!    as it was out, and `PAUSE_US` after it at most.
//! 5. So in a server that was idle nobody waits: the last departure is long ago.
//!
//! (A pause that ends before a slow flight is back is none: half of the crowd would fly while the
//! other half is on its way, and the two would never meet.)

/// A crowd of at least so many may wait. Each worker has its own: connections behind two replicas
/// are about half as many in each.
const CROWD_MIN: usize = 6;
/// Of a crowd up to so many all are waited for: each one more makes a small flight much cheaper for
/// all, and whoever is left behind has to wait for the next.
const FEW: usize = 12;
/// How much of a larger crowd is waited for; the rest is still on its way, or went elsewhere.
const SHARE_PERCENT: usize = 70;
/// A crowd is forgotten by one part of so many with each flight.
const FADES: usize = 16;
/// With so many a flight is full enough: a larger one is hardly cheaper for each.
const ENOUGH: usize = 128;

/// The rule's state; times are µs since the worker's start.
pub(super) struct Pause {
    /// `PAUSE_US`; 0 is no pause ever.
    pause_us: u64,
    /// With so many a flight leaves: [`ENOUGH`], or as many as may wait or leave together.
    enough: usize,
    left_us: u64,
    /// When the pause after the last flight ends.
    over_us: u64,
    /// The largest crowd lately, and what it was one flight before.
    crowd: usize,
    crowd_before: usize,
}

impl Pause {
    pub(super) fn new(pause_us: u64) -> Self {
        Self {
            pause_us,
            enough: ENOUGH,
            left_us: 0,
            over_us: 0,
            crowd: 0,
            crowd_before: 0,
        }
    }

    /// No more than so many can wait or leave together, so more are never waited for.
    pub(super) fn cap(&mut self, most: usize) {
        self.enough = self.enough.min(most);
    }

    /// A flight leaves.
    pub(super) fn departed(&mut self, now_us: u64) {
        self.left_us = now_us;
    }

    /// A flight of so many operations is back, while so many wait.
    pub(super) fn landed(&mut self, carried: usize, waiting: usize, now_us: u64) {
        let flight_us = now_us.saturating_sub(self.left_us);
        let after_landing_us = now_us.saturating_add(flight_us.min(self.pause_us));
        let after_departure_us = self.left_us.saturating_add(self.pause_us);
        self.over_us = after_departure_us.max(after_landing_us);
        self.crowd_before = self.crowd;
        let faded = self.crowd - self.crowd.div_ceil(FADES);
        self.crowd = faded.max(carried + waiting);
    }

    /// How long a flight of so many that wait is still to wait, in µs; `None` if it may leave.
    pub(super) fn left_to_wait_us(&self, waiting: usize, now_us: u64) -> Option<u64> {
        let share = self.crowd * SHARE_PERCENT / 100;
        let wanted = share.max(self.crowd.min(FEW)).min(self.enough);
        if self.crowd.min(self.crowd_before) < CROWD_MIN || waiting >= wanted {
            return None;
        }
        self.over_us.checked_sub(now_us).filter(|left| *left > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BinaryHeap;

    /// What a closed loop of clients came to in a second.
    struct Loop {
        operations: usize,
        flights: usize,
    }

    /// So many clients, each back with its next operation a varying time after its answer; a flight
    /// is out for `flight_us` and 2 µs more for each operation.
    fn run(clients: usize, flight_us: u64, think_us: u64, pause_us: u64) -> Loop {
        let mut pause = Pause::new(pause_us);
        let mut seed = 7_u64;
        let mut think = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            think_us / 2 + (seed >> 33) % think_us
        };
        // Arrivals, the next one on top.
        let mut arrivals: BinaryHeap<_> =
            (0..clients).map(|_| std::cmp::Reverse(think())).collect();
        let (mut now_us, mut waiting, mut carried) = (0, 0, 0);
        let mut back_us = None;
        let mut all = Loop {
            operations: 0,
            flights: 0,
        };
        while now_us < 1_000_000 {
            let left = pause.left_to_wait_us(waiting, now_us);
            if back_us.is_none() && waiting > 0 && left.is_none() {
                carried = std::mem::take(&mut waiting);
                pause.departed(now_us);
                back_us = Some(now_us + flight_us + 2 * carried as u64);
            }
            let may_leave_us = match back_us {
                None if waiting > 0 => left.map(|left| now_us + left),
                _ => None,
            };
            let arrives_us = arrivals.peek().map(|arrival| arrival.0);
            let next = [arrives_us, back_us, may_leave_us];
            now_us = next
                .into_iter()
                .flatten()
                .min()
                .expect("something comes next");
            if back_us == Some(now_us) {
                back_us = None;
                all.operations += carried;
                all.flights += 1;
                arrivals.extend((0..carried).map(|_| std::cmp::Reverse(now_us + think())));
                pause.landed(carried, waiting, now_us);
            } else if arrives_us == Some(now_us) {
                arrivals.pop();
                waiting += 1;
            }
        }
        all
    }

    /// A crowd is one worker's: 8 connections that two replicas share evenly are 4 in each.
    #[test]
    fn few_clients_are_served_as_without_any_pause() {
        for clients in 1..CROWD_MIN {
            for (flight_us, think_us) in [(50, 150), (300, 150), (300, 1_000), (1_000, 50)] {
                let (with, without) = (
                    run(clients, flight_us, think_us, 2_000),
                    run(clients, flight_us, think_us, 0),
                );
                assert_eq!(with.operations, without.operations);
                assert_eq!(with.flights, without.flights);
            }
        }
    }

    /// What [`CROWD_MIN`] lets wait at the least is paid for where every CPU is free: operations
    /// are 0.81 of those without a pause with 12 clients, flights of 50 µs and 150 µs between an
    /// answer and the next operation; flights of 300 µs and more give up to 1.86. (Of 17, of which
    /// twelve are waited for, it is 0.73.)
    #[test]
    fn the_smallest_crowds_of_one_worker_lose_a_fifth_at_most() {
        for clients in CROWD_MIN..=FEW {
            for (flight_us, think_us) in [(50, 150), (300, 150), (300, 1_000), (1_000, 50)] {
                let with = run(clients, flight_us, think_us, 2_000).operations;
                let without = run(clients, flight_us, think_us, 0).operations;
                let name = format!("{clients} clients, {flight_us} and {think_us} us");
                assert!(with * 100 >= without * 80, "{name}: {with} of {without}");
            }
        }
    }

    #[test]
    fn a_small_crowd_travels_as_one() {
        for clients in 6..=12 {
            for (flight_us, think_us) in [(300, 150), (1_000, 50)] {
                let with = run(clients, flight_us, think_us, 2_000);
                let (operations, flights) = (with.operations, with.flights);
                assert!(operations > flights * (clients - 1), "{clients} clients");
            }
        }
    }

    #[test]
    fn many_clients_travel_in_fewer_flights() {
        for (clients, flight_us, think_us) in [(16, 300, 300), (32, 300, 1_000), (128, 300, 3_000)]
        {
            let (with, without) = (
                run(clients, flight_us, think_us, 2_000),
                run(clients, flight_us, think_us, 0),
            );
            let name = format!("{clients} clients");
            let per_flight = |of: &Loop| of.operations / of.flights.max(1);
            assert!(per_flight(&with) * 2 >= per_flight(&without) * 3, "{name}");
            // What waiting loses where every CPU is free: under saturation the fewer flights
            // bring it back several times.
            assert!(with.operations * 100 >= without.operations * 80, "{name}");
        }
    }

    /// Were its length not in the rule, a flight of 2 ms and more would carry half of the crowd.
    #[test]
    fn slow_flights_carry_most_of_the_crowd() {
        for (clients, percent) in [(8, 95), (32, 65), (64, 65)] {
            for flight_us in [2_000, 4_000, 8_000, 20_000] {
                let with = run(clients, flight_us, 1_000, 2_000);
                let without = run(clients, flight_us, 1_000, 0);
                let name = format!("{clients} clients, {flight_us} us");
                assert!(
                    with.operations * 100 >= with.flights * clients * percent,
                    "{name}: {} in {}",
                    with.operations,
                    with.flights
                );
                assert!(with.operations * 100 >= without.operations * 90, "{name}");
            }
        }
    }

    #[test]
    fn a_pause_goes_by_the_last_flight_within_bounds() {
        let left_us = 100_000;
        for (pause_us, flight_us, after_landing_us) in [
            (2_000, 100, Some(1_900)),
            (2_000, 1_000, Some(1_000)),
            (2_000, 1_500, Some(1_500)),
            (2_000, 50_000, Some(2_000)),
            (0, 100, None),
            (0, 50_000, None),
        ] {
            let mut pause = Pause::new(pause_us);
            pause.landed(100, 0, 0);
            pause.departed(left_us);
            let now_us = left_us + flight_us;
            pause.landed(100, 0, now_us);
            let left_to_wait_us = pause.left_to_wait_us(1, now_us);
            assert_eq!(left_to_wait_us, after_landing_us, "{pause_us}, {flight_us}");
        }
    }

    /// Whoever goes on alone behind a burst waits for a crowd that is gone, until it has faded.
    #[test]
    fn a_burst_delays_who_goes_on_alone_for_120_ms_at_most() {
        for (burst, flights) in [
            (6, 2),
            (7, 1),
            (16, 1),
            (64, 1),
            (64, 2),
            (256, 2),
            (1_024, 1),
            (1_024, 2),
        ] {
            let mut pause = Pause::new(2_000);
            let (mut now_us, mut waited_us, mut last) = (0, 0, None);
            for carried in [vec![burst; flights], vec![1; 100]].concat() {
                // The next of one client, 100 us after its answer.
                now_us += 100;
                last = pause.left_to_wait_us(1, now_us);
                let wait_us = last.unwrap_or(0);
                waited_us += wait_us;
                now_us += wait_us;
                pause.departed(now_us);
                now_us += 300;
                pause.landed(carried, 0, now_us);
            }
            assert_eq!(last, None, "{flights} of {burst}");
            let bounds = 1_000..120_000;
            assert!(
                bounds.contains(&waited_us),
                "{flights} of {burst}: {waited_us} us"
            );
        }
    }

    /// As with eight connections before two replicas.
    #[test]
    fn a_crowd_that_is_seen_once_among_few_delays_nobody() {
        let mut pause = Pause::new(2_000);
        for (carried, waiting) in [(1, 3), (3, 1), (3, 3), (4, 0), (1, 3), (3, 3), (4, 0)] {
            pause.departed(1_000);
            pause.landed(carried, waiting, 1_300);
            assert_eq!(pause.left_to_wait_us(waiting + 1, 1_300), None);
        }
        pause.landed(3, 3, 1_300);
        assert_eq!(pause.left_to_wait_us(3, 1_300), None);
        pause.landed(3, 3, 1_300);
        assert_eq!(pause.left_to_wait_us(3, 1_300), Some(1_700));

        let mut larger = Pause::new(2_000);
        for (carried, wait) in [(4, None), (8, None), (4, Some(1_700))] {
            larger.departed(1_000);
            larger.landed(carried, 0, 1_300);
            assert_eq!(larger.left_to_wait_us(1, 1_300), wait);
        }
    }

    #[test]
    fn after_silence_nobody_waits() {
        let mut pause = Pause::new(2_000);
        pause.landed(100, 0, 0);
        pause.departed(1_000);
        pause.landed(100, 0, 1_200);
        assert_eq!(pause.left_to_wait_us(1, 1_500), Some(1_500));
        assert_eq!(pause.left_to_wait_us(69, 1_500), Some(1_500));
        assert_eq!(pause.left_to_wait_us(70, 1_500), None, "most of the crowd");
        assert_eq!(pause.left_to_wait_us(1, 3_000), None, "late enough");
        pause.landed(1_000, 0, 1_200);
        assert_eq!(pause.left_to_wait_us(ENOUGH - 1, 1_500), Some(1_500));
        assert_eq!(pause.left_to_wait_us(ENOUGH, 1_500), None, "enough");
    }
}
