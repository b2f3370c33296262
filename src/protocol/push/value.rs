//! Texts that mean numbers. The platform's numbers outgrow types, come in CDATA, or do not come at all,
//! so each keeps what was sent.

use std::fmt;

use serde::{Serialize, Serializer};

/// Integers up to here are exact in every JSON reader.
const MAX_JSON_INTEGER: i64 = (1 << 53) - 1;

/// An integer: an amount, a state, Unix seconds.
///
/// As JSON: a number; `null` when nothing was sent; the text when it is no integer of at most 53 bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Number {
    raw: String,
    value: Option<i64>,
}

impl Number {
    /// Reads an integer; keeps whatever else it is.
    pub fn new(raw: impl Into<String>) -> Self {
        let raw = raw.into();
        let value = raw.parse().ok();
        Self { raw, value }
    }

    /// The integer, unless something else was sent, or nothing.
    pub fn value(&self) -> Option<i64> {
        self.value
    }

    /// The text that was sent, which may be empty.
    pub fn raw(&self) -> &str {
        &self.raw
    }
}

impl PartialEq<i64> for Number {
    fn eq(&self, other: &i64) -> bool {
        self.value == Some(*other)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Some(value) if value.unsigned_abs() <= MAX_JSON_INTEGER.unsigned_abs() => {
                serializer.serialize_i64(value)
            }
            None if self.raw.is_empty() => serializer.serialize_none(),
            _ => serializer.serialize_str(&self.raw),
        }
    }
}

/// The id of a job, an order or the like. Most are integers, longer than 32 bits.
///
/// As JSON: a string, like all ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
pub struct Id(String);

impl Id {
    /// Takes any text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text that was sent, which may be empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the integer that the platform's interfaces take.
    pub fn number(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A decimal number: a coordinate, a distance. Kept as text, because `119.385040` says how exact it is.
///
/// As JSON: the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
pub struct Decimal(String);

impl Decimal {
    /// Takes any text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text that was sent, which may be empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number, if it is a finite one.
    pub fn value(&self) -> Option<f64> {
        self.0.parse().ok().filter(|value: &f64| value.is_finite())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Yes or no. The platform writes `1` and `0` in most places, `true` and `false` in some.
///
/// As JSON: a Boolean; `null` when nothing was sent; the text when it is neither.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Flag(String);

impl Flag {
    /// Takes any text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it says yes.
    pub fn is_set(&self) -> bool {
        self.value() == Some(true)
    }

    /// What it says, if it is one of the four words.
    pub fn value(&self) -> Option<bool> {
        let is = |word: &str| self.0.eq_ignore_ascii_case(word);
        match &*self.0 {
            _ if is("1") || is("true") => Some(true),
            _ if is("0") || is("false") => Some(false),
            _ => None,
        }
    }

    /// The text that was sent, which may be empty.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value() {
            Some(value) => serializer.serialize_bool(value),
            None if self.0.is_empty() => serializer.serialize_none(),
            None => serializer.serialize_str(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, to_value};

    use super::*;

    #[test]
    fn numbers_keep_what_was_sent_and_are_numbers_in_json_while_json_can_hold_them() {
        for (raw, value, as_json) in [
            ("", None, Value::Null),
            ("0", Some(0), json!(0)),
            ("-100", Some(-100), json!(-100)),
            ("4294966288", Some(4_294_966_288), json!(4_294_966_288_u64)),
            (
                "9007199254740991",
                Some(9_007_199_254_740_991),
                json!(9_007_199_254_740_991_i64),
            ),
            (
                "9007199254740992",
                Some(9_007_199_254_740_992),
                json!("9007199254740992"),
            ),
            (
                "-9223372036854775808",
                Some(i64::MIN),
                json!("-9223372036854775808"),
            ),
            ("18446744073709551615", None, json!("18446744073709551615")),
            ("16.0", None, json!("16.0")),
            ("信息不全", None, json!("信息不全")),
        ] {
            let number = Number::new(raw);
            assert_eq!((number.value(), number.raw()), (value, raw));
            assert_eq!(to_value(&number).unwrap(), as_json, "{raw}");
        }
    }

    #[test]
    fn ids_and_decimals_are_texts_with_a_number_in_them() {
        for (raw, id, decimal) in [
            ("", None, None),
            (
                "3462118800123412480",
                Some(3_462_118_800_123_412_480),
                Some(3.462_118_800_123_412_5e18),
            ),
            ("31.230416", None, Some(31.230_416)),
            ("NaN", None, None),
            ("inf", None, None),
            ("1e400", None, None),
            ("item-101", None, None),
        ] {
            assert_eq!(Id::new(raw).number(), id, "{raw}");
            assert_eq!(Decimal::new(raw).value(), decimal, "{raw}");
            assert_eq!(to_value(Id::new(raw)).unwrap(), json!(raw));
            assert_eq!(to_value(Decimal::new(raw)).unwrap(), json!(raw));
        }
    }

    #[test]
    fn flags_know_both_spellings() {
        for (raw, value, as_json) in [
            ("1", Some(true), json!(true)),
            ("True", Some(true), json!(true)),
            ("0", Some(false), json!(false)),
            ("false", Some(false), json!(false)),
            ("", None, Value::Null),
            ("2", None, json!("2")),
        ] {
            let flag = Flag::new(raw);
            assert_eq!(
                (flag.value(), flag.is_set()),
                (value, value == Some(true)),
                "{raw}"
            );
            assert_eq!(to_value(&flag).unwrap(), as_json, "{raw}");
        }
    }
}
