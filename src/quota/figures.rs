//! The platform's own numbers: the answer of `openapi/quota/get`.

use std::time::Duration;

use serde_json::{Value, json};

use super::pace::Rate;

/// What the platform says about one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Calls a day; `None` where no limit is configured (the platform answers 0).
    pub daily_limit: Option<u64>,
    /// Calls made today. It is about one percent wrong.
    pub used: u64,
    /// Calls left today.
    pub remain: u64,
    /// Calls in a short time, where the platform states them.
    pub rate: Option<Rate>,
}

impl Figures {
    /// The body of the question about a path: with its slash, without host and query.
    pub fn question(path: &str) -> Value {
        json!({ "cgi_path": path })
    }

    /// Reads the answer. `rate_limit` has been seen beside `quota` and inside it.
    ///
    /// # Errors
    /// What the answer lacks.
    pub fn read(answer: &Value) -> Result<Self, &'static str> {
        let quota = answer.get("quota").ok_or("no quota")?;
        let number = |name| whole(quota.get(name)?);
        let limit = number("daily_limit").ok_or("no quota.daily_limit")?;
        let used = number("used").ok_or("no quota.used")?;
        let rate = answer
            .get("rate_limit")
            .or_else(|| quota.get("rate_limit"))
            .and_then(rate);
        Ok(Self {
            daily_limit: (limit > 0).then_some(limit),
            used,
            remain: number("remain").unwrap_or_else(|| limit.saturating_sub(used)),
            rate,
        })
    }
}

fn rate(value: &Value) -> Option<Rate> {
    let calls = whole(value.get("call_count")?)?;
    let seconds = whole(value.get("refresh_second")?)?;
    // Zero means that there is none, as it does for the day.
    (calls > 0 && (1..=86_400).contains(&seconds)).then_some(Rate {
        calls,
        per: Duration::from_secs(seconds),
    })
}

/// A number, also one in a text; a negative one counts as none left.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_i64().map(|_negative| 0)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_wherever_the_platform_puts_them() {
        let minute = |calls| Rate {
            calls,
            per: Duration::from_secs(60),
        };
        for (name, answer, expected) in [
            (
                "whole",
                json!({"errcode": 0, "quota": {"daily_limit": 500_000, "used": 1_234, "remain": 498_766},
                    "rate_limit": {"call_count": 2000, "refresh_second": 60},
                    "component_rate_limit": {"call_count": 1, "refresh_second": 60}}),
                Ok((Some(500_000), 1_234, 498_766, Some(minute(2000)))),
            ),
            (
                "the rate inside",
                json!({"quota": {"daily_limit": 10, "used": 3, "remain": 7,
                    "rate_limit": {"call_count": 5, "refresh_second": 60}}}),
                Ok((Some(10), 3, 7, Some(minute(5)))),
            ),
            (
                "no limit configured",
                json!({"quota": {"daily_limit": 0, "used": 0, "remain": 0},
                    "rate_limit": {"call_count": 0, "refresh_second": 0}}),
                Ok((None, 0, 0, None)),
            ),
            (
                "texts, and less than nothing left",
                json!({"quota": {"daily_limit": "10", "used": "12", "remain": -2}}),
                Ok((Some(10), 12, 0, None)),
            ),
            (
                "no remain",
                json!({"quota": {"daily_limit": 10, "used": 4}}),
                Ok((Some(10), 4, 6, None)),
            ),
            ("nothing", json!({"errcode": 0}), Err("no quota")),
            (
                "no limit",
                json!({"quota": {}}),
                Err("no quota.daily_limit"),
            ),
            (
                "no number",
                json!({"quota": {"daily_limit": 10, "used": true}}),
                Err("no quota.used"),
            ),
        ] {
            let read = Figures::read(&answer);
            let found = read.map(|read| (read.daily_limit, read.used, read.remain, read.rate));
            assert_eq!(found, expected, "{name}");
        }
    }
}
