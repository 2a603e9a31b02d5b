//! The `Date` of an answer.

/// A moment as IMF-fixdate (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date([u8; DATE_BYTES]);

impl Date {
    /// The date at `unix_seconds` since 1970-01-01T00:00:00Z. The form has four digits for the
    /// year: what is before year 0 or after 9999 becomes their first or last second.
    #[must_use]
    pub fn at(unix_seconds: i64) -> Date {
        let seconds = unix_seconds.clamp(SECONDS_MIN, SECONDS_MAX) - SECONDS_MIN;
        let (days, second) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
        let (year, month, day) = civil(days);
        // 0000-01-01 was a Saturday in the proleptic Gregorian calendar.
        let weekday = nth(WEEKDAYS, (days + 6) % 7);
        let mut text = *b"Sun, 00 Jan 0000 00:00:00 GMT";
        let (date, time) = text.split_at_mut(17);
        place(date, 0, weekday);
        place(date, 5, &two_digits(day));
        place(date, 8, nth(MONTHS, month));
        place(date, 12, &two_digits(year / 100));
        place(date, 14, &two_digits(year % 100));
        place(time, 0, &two_digits(second / 3600));
        place(time, 3, &two_digits(second / 60 % 60));
        place(time, 6, &two_digits(second % 60));
        Date(text)
    }

    /// The text, all of it ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Year, month (0 is January) and day (from 1) of a count of days since 0000-01-01, not negative,
/// in the proleptic Gregorian calendar.
#[must_use]
pub fn civil(days: i64) -> (i64, i64, i64) {
    // Years that start in March have their leap day last, and their months begin along a line:
    // five months are 153 days. Counted from March of year -400, where a cycle of 400 years starts.
    let days = days + ERA_DAYS - 60;
    let era = days / ERA_DAYS;
    let of_era = days % ERA_DAYS;
    let year_of_era =
        (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (ERA_DAYS - 1)) / YEAR_DAYS;
    let of_year = of_era - (YEAR_DAYS * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year_from_march = era * 400 + year_of_era - 400;
    let year = year_from_march + i64::from(month < 2);
    (year, month, day)
}

/// The `index`-th of three-letter names.
fn nth(names: &'static [u8], index: i64) -> &'static [u8] {
    let index = usize::try_from(index).unwrap_or_default();
    names.chunks_exact(3).nth(index).unwrap_or_default()
}

/// 0 to 99 in ASCII.
fn two_digits(number: i64) -> [u8; 2] {
    [number / 10 % 10, number % 10].map(|digit| b'0' + u8::try_from(digit).unwrap_or_default())
}

fn place(text: &mut [u8], at: usize, part: &[u8]) {
    for (to, from) in text.iter_mut().skip(at).zip(part) {
        *to = *from;
    }
}

const DATE_BYTES: usize = 29;
const DAY_SECONDS: i64 = 86_400;
const YEAR_DAYS: i64 = 365;
/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;
/// 0000-01-01T00:00:00Z.
const SECONDS_MIN: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59Z.
const SECONDS_MAX: i64 = 253_402_300_799;
const WEEKDAYS: &[u8] = b"SunMonTueWedThuFriSat";
const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
