//! Days, as profiles have them: UTC, from the time of events.

use std::{fmt, str::FromStr};

use jiff::{Span, civil};

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(i32);

const NS: i128 = 86_400 * 1_000_000_000;

const EPOCH: civil::Date = civil::date(1970, 1, 1);

impl Day {
    /// The day of a time, ns since the epoch.
    #[must_use]
    pub fn of(time_ns: i128) -> Self {
        Self(i32::try_from(time_ns.div_euclid(NS)).unwrap_or_default())
    }

    /// Days from `earlier` to this; 0 when it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u32 {
        u32::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = EPOCH.checked_add(Span::new().days(self.0.clamp(-100_000, 2_000_000)));
        write!(f, "{}", date.unwrap_or(EPOCH))
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}`: expected a day like 2026-11-22");
        let date: civil::Date = text.parse().map_err(|_none: jiff::Error| wrong())?;
        if text.len() != 10 {
            return Err(wrong());
        }
        let span = date.since(EPOCH).map_err(|_none: jiff::Error| wrong())?;
        Ok(Self(span.get_days()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_back() {
        for text in ["1970-01-01", "2026-11-22", "2000-02-29"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
        for text in ["", "2026-13-01", "2026-11-22T00:00:00", "today"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        let day = Day::of(1_795_305_600_i128 * 1_000_000_000);
        assert_eq!(day.to_string(), "2026-11-22");
        assert_eq!(day.since("2026-11-20".parse().unwrap()), 2);
        assert_eq!(day.since("2026-11-23".parse().unwrap()), 0);
        assert_eq!(Day::of(-1).to_string(), "1969-12-31");
    }
}
