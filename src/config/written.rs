//! Values as they were written, and the lines that they stand on.

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value as it was written.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Written {
    Text(String),
    Number(i64),
    /// A number with a point, as it was written.
    Decimal(String),
    Flag(bool),
    List(Vec<String>),
    /// A kind of value that no key takes.
    Other(&'static str),
}

impl Written {
    /// Whether it is what a copy of the example has where the operator is to write something.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Number(_) | Self::Decimal(_) | Self::Flag(_) | Self::Other(_) => false,
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Decimal(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(items) => f.write_str(&items.join(", ")),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

/// One key of a file.
pub(super) struct Line {
    pub(super) key: String,
    pub(super) written: Written,
    /// From 1.
    pub(super) line: usize,
}

/// Every key of a TOML text, with the names of its tables before it.
pub(super) fn read(text: &str) -> Result<Vec<Line>, toml::de::Error> {
    let table = DeTable::parse(text)?;
    let mut lines = Vec::new();
    flatten(text, "", table.get_ref(), &mut lines);
    Ok(lines)
}

fn flatten(text: &str, prefix: &str, table: &DeTable<'_>, lines: &mut Vec<Line>) {
    for (name, value) in table {
        let key = match prefix {
            "" => name.get_ref().to_string(),
            prefix => format!("{prefix}.{}", name.get_ref()),
        };
        if let DeValue::Table(table) = value.get_ref() {
            flatten(text, &key, table, lines);
            continue;
        }
        let before = text.get(..name.span().start).unwrap_or_default();
        lines.push(Line {
            key,
            written: written(value.get_ref()),
            line: before.matches('\n').count() + 1,
        });
    }
}

fn written(value: &DeValue<'_>) -> Written {
    match value {
        DeValue::String(text) => Written::Text(text.to_string()),
        DeValue::Boolean(flag) => Written::Flag(*flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).map_or(
            Written::Other("a number that is too large"),
            Written::Number,
        ),
        DeValue::Float(number) => Written::Decimal(number.as_str().replace('_', "")),
        DeValue::Array(items) => {
            let text = |item: &Spanned<DeValue<'_>>| Some(item.get_ref().as_str()?.to_owned());
            let texts: Option<Vec<String>> = items.iter().map(text).collect();
            texts.map_or(Written::Other("a list of something else"), Written::List)
        }
        other => Written::Other(other.type_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_line_and_a_value_of_any_kind() {
        let text = "# comment\n[a]\nb = \"x\"\nc.d = 0x10\n\n[e.f]\ng = [\n  \"1\",\n]\nh = true\ni = 1.5\nj = [1]\n";
        let read = read(text).unwrap();
        let shown: Vec<_> = read
            .iter()
            .map(|line| format!("{}: {} = {}", line.line, line.key, line.written))
            .collect();
        assert_eq!(
            shown,
            [
                "3: a.b = x",
                "4: a.c.d = 16",
                "7: e.f.g = 1",
                "10: e.f.h = true",
                "11: e.f.i = 1.5",
                "12: e.f.j = a list of something else",
            ]
        );
    }
}
