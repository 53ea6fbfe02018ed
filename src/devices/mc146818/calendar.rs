//! Seconds since 2000 and what a calendar of two-digit years makes of them.
//!
//! The chip knows one rule for leap years: those that four divides (MC146818 data sheet, Time, Calendar and Alarm
//! Locations). In the century from 2000 that is also the world's.

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Days of four years.
const FOUR_YEARS: i64 = 4 * 365 + 1;
/// Days of a hundred years, after which the two digits begin again.
const CENTURY: i64 = 25 * FOUR_YEARS;
/// 2000-01-01 in seconds since 1970.
pub const EPOCH: i64 = 946_684_800;
/// Days of the months; February has one more in a leap year.
const MONTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A moment as the registers have it. No day of the week: the chip counts that by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the data sheet's names")]
pub struct Moment {
    pub seconds: u8,
    pub minutes: u8,
    /// 0 to 23.
    pub hours: u8,
    /// 1 to 31.
    pub date: u8,
    /// 1 to 12.
    pub month: u8,
    /// 0 to 99.
    pub year: u8,
}

fn month_days(year: i64, month: usize) -> i64 {
    MONTHS[month] + i64::from(month == 1 && year % 4 == 0)
}

impl Moment {
    /// The moment so many seconds after 2000-01-01 00:00:00, in whatever century.
    pub fn at(seconds: i64) -> Self {
        let of_day = seconds.rem_euclid(DAY);
        let day = seconds.div_euclid(DAY).rem_euclid(CENTURY);
        // The first of four years is the leap year.
        let of_four = day % FOUR_YEARS;
        let (year_of_four, mut of_year) =
            if of_four < 366 { (0, of_four) } else { (1 + (of_four - 366) / 365, (of_four - 366) % 365) };
        let year = day / FOUR_YEARS * 4 + year_of_four;
        let mut month = 0;
        while of_year >= month_days(year, month) {
            of_year -= month_days(year, month);
            month += 1;
        }
        Self {
            seconds: (of_day % 60) as u8,
            minutes: (of_day / 60 % 60) as u8,
            hours: (of_day / 3600) as u8,
            date: of_year as u8 + 1,
            month: month as u8 + 1,
            year: year as u8,
        }
    }

    /// Seconds since 2000. Values that no calendar has (a 31st of June, a month 0) carry over or count as the nearest
    /// that there is.
    pub fn seconds_since_2000(self) -> i64 {
        let year = i64::from(self.year % 100);
        let month = usize::from(self.month.clamp(1, 12)) - 1;
        let years_before = (year + 3) / 4 + year * 365;
        let months_before: i64 = (0..month).map(|month| month_days(year, month)).sum();
        let day = years_before + months_before + i64::from(self.date.max(1)) - 1;
        let of_day = i64::from(self.hours) * 3600 + i64::from(self.minutes) * 60 + i64::from(self.seconds);
        day * DAY + of_day
    }
}
