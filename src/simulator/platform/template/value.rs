//! What the values of a template may be: the beginning of a name tells the kind of its value.

use serde_json::Value;

use crate::simulator::platform::answer::Refusal;

/// A kind of value: the beginning of its name, and characters at most.
const KINDS: &[(&str, usize)] = &[
    ("thing", 20),
    ("number", 32),
    ("letter", 32),
    ("symbol", 5),
    ("character_string", 32),
    ("phone_number", 17),
    ("car_number", 8),
    ("name", 20),
    ("phrase", 5),
];

/// Checks every value; what the user reads, a line for each. 47003 names the one that is wrong.
pub(super) fn check(data: &Value) -> Result<String, Refusal> {
    let data = data.as_object().ok_or_else(|| invalid("data is empty"))?;
    let mut lines = Vec::new();
    for (name, member) in data {
        let value = member["value"].as_str();
        let value = value.ok_or_else(|| invalid(&format!("data.{name}.value is empty")))?;
        if value.chars().count() > longest(name) || !has_right_characters(name, value) {
            return Err(invalid(&format!("data.{name}.value invalid")));
        }
        lines.push(format!("{name}: {value}"));
    }
    Ok(lines.join("\n"))
}

fn invalid(what: &str) -> Refusal {
    Refusal::with_message(47003, Some(format!("argument invalid! {what}")))
}

fn kind_of(name: &str) -> &str {
    name.trim_end_matches(|character: char| character.is_ascii_digit())
}

fn longest(name: &str) -> usize {
    let own = KINDS.iter().find(|(kind, _)| *kind == kind_of(name));
    own.map_or(usize::MAX, |(_, longest)| *longest)
}

fn has_right_characters(name: &str, value: &str) -> bool {
    match kind_of(name) {
        "number" => value.chars().all(|c| c.is_ascii_digit() || c == '.'),
        "letter" => value.chars().all(|c| c.is_ascii_alphabetic()),
        "character_string" => value.is_ascii(),
        "phone_number" => value
            .chars()
            .all(|c| c.is_ascii_digit() || "+-() ".contains(c)),
        _ => true,
    }
}
