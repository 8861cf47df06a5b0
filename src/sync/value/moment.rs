//! Dates and times from Postgres's counts since 2000-01-01 to ISO 8601, with all six digits so that texts sort as
//! the times do. What ISO 8601 has no word for, `infinity` and years before Christ, stays as Postgres writes it.

const MICROS_A_SECOND: i64 = 1_000_000;
const MICROS_A_DAY: i64 = 86_400 * MICROS_A_SECOND;

/// What follows the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    None,
}

/// `timestamp` and `timestamptz`: microseconds since 2000-01-01.
pub(super) fn timestamp(micros: i64, zone: Zone) -> String {
    match micros {
        i64::MAX => return "infinity".to_owned(),
        i64::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    let (year, month, day) = civil(micros.div_euclid(MICROS_A_DAY));
    let clock = time(micros.rem_euclid(MICROS_A_DAY));
    if year > 0 {
        let zone = if zone == Zone::Utc { "Z" } else { "" };
        return format!("{year:04}-{month:02}-{day:02}T{clock}{zone}");
    }
    let clock = clock.trim_end_matches('0').trim_end_matches('.');
    // Trimming may go beyond the fraction: `10:00:00` ends in zeros of its own.
    let clock =
        if clock.contains('.') { clock.to_owned() } else { time(micros.rem_euclid(MICROS_A_DAY))[..8].to_owned() };
    let zone = if zone == Zone::Utc { "+00" } else { "" };
    format!("{:04}-{month:02}-{day:02} {clock}{zone} BC", 1 - year)
}

/// `date`: days since 2000-01-01.
pub(super) fn date(days: i32) -> String {
    match days {
        i32::MAX => return "infinity".to_owned(),
        i32::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    let (year, month, day) = civil(i64::from(days));
    if year > 0 { format!("{year:04}-{month:02}-{day:02}") } else { format!("{:04}-{month:02}-{day:02} BC", 1 - year) }
}

/// `time`: microseconds since midnight; `24:00:00` is one.
pub(super) fn time(micros: i64) -> String {
    let seconds = micros / MICROS_A_SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}.{:06}", micros % MICROS_A_SECOND)
}

/// Year, month and day of a day counted from 2000-01-01, in the Gregorian calendar without end; year 0 is 1 BC.
/// After Howard Hinnant, <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that a leap day is the last of its year.
    let days = days + 730_425;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{MICROS_A_DAY, Zone, date, time, timestamp};

    #[test]
    fn times_are_iso_with_six_digits() {
        assert_eq!(timestamp(0, Zone::Utc), "2000-01-01T00:00:00.000000Z");
        assert_eq!(timestamp(-1, Zone::None), "1999-12-31T23:59:59.999999");
        assert_eq!(timestamp(59 * MICROS_A_DAY + 1, Zone::Utc), "2000-02-29T00:00:00.000001Z");
        assert_eq!(date(-730_119), "0001-01-01");
        assert_eq!(time(86_400_000_000), "24:00:00.000000");
    }

    #[test]
    fn what_iso_cannot_say_stays_as_postgres_writes_it() {
        assert_eq!(timestamp(i64::MAX, Zone::Utc), "infinity");
        assert_eq!(date(i32::MIN), "-infinity");
        assert_eq!(date(-730_120), "0001-12-31 BC");
        assert_eq!(timestamp(-730_120 * MICROS_A_DAY + 36_000_000_000, Zone::Utc), "0001-12-31 10:00:00+00 BC");
        assert_eq!(timestamp(-730_120 * MICROS_A_DAY + 500_000, Zone::None), "0001-12-31 00:00:00.5 BC");
    }
}
