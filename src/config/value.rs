//! How values are written: durations, sizes, numbers. Each problem comes with an example of a right value.

use std::time::Duration;

/// What is wrong with a value, and what a right one looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Problem {
    pub(super) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZE_UNITS: [(&str, u64); 4] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("B", 1),
];

/// `200ms`, `4s`, `10m`, `2h`, `3d`.
pub(super) fn duration(text: &str) -> Result<Duration, Problem> {
    let milliseconds = with_unit(text, &DURATION_UNITS).ok_or_else(|| {
        Problem::new(
            "is not a duration",
            "write a number and a unit: 200ms, 4s, 10m, 2h, 3d",
        )
    })?;
    Ok(Duration::from_millis(milliseconds))
}

/// `64KiB`, `64MiB`, `2GiB`.
pub(super) fn size(text: &str) -> Result<u64, Problem> {
    with_unit(text, &SIZE_UNITS).ok_or_else(|| {
        Problem::new(
            "is not a size",
            "write a number and a unit: 64KiB, 64MiB, 2GiB",
        )
    })
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// A duration between two others, which the message names as they are written here.
pub(super) fn between(
    least: &'static str,
    most: &'static str,
) -> impl Fn(&str) -> Result<Duration, Problem> {
    move |text| {
        let (low, high) = (duration(least)?, duration(most)?);
        let shown = format!("from {least} to {most}");
        within(duration(text)?, &low, &high, &shown)
    }
}

/// Nothing, when the text is empty.
pub(super) fn unless_empty<T>(
    parse: impl FnOnce(&str) -> Result<T, Problem>,
) -> impl FnOnce(&str) -> Result<Option<T>, Problem> {
    |text| match text.trim() {
        "" => Ok(None),
        text => parse(text).map(Some),
    }
}

/// A value within bounds that the message names.
pub(super) fn within<T: PartialOrd + std::fmt::Debug>(
    value: T,
    least: &T,
    most: &T,
    shown: &str,
) -> Result<T, Problem> {
    if value < *least || value > *most {
        return Err(Problem::new(
            "is out of range",
            format!("choose a value {shown}"),
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, expected) in [
            ("200ms", Some(200)),
            ("4s", Some(4_000)),
            (" 10m ", Some(600_000)),
            ("3d", Some(259_200_000)),
            ("4", None),
            ("s", None),
            ("-4s", None),
            ("4 parsecs", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(
                duration(text).ok(),
                expected.map(Duration::from_millis),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_have_a_number_and_a_unit() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert!(size("64MB").is_err());
    }
}
