//! MiniJinja as this house uses it: strict, bounded, and with escapes of its own.

use std::borrow::Cow;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior};

use super::name::Becomes;
use super::{FUEL, MAX_NESTING};
use crate::protocol::message::without_links;

/// How values are written into JSON: as the inside of a text.
const JSON: &str = "json";
/// How values are written into texts: without links.
const WORDS: &str = "words";

/// An environment without templates, for those that become this. Each has one of its own, so that what
/// is included is written as what includes it.
pub(super) fn environment<'t>(becomes: Becomes) -> Environment<'t> {
    let mut environment = Environment::new();
    // Says which name is undefined. What it gathers beside that is never printed.
    environment.set_debug(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_NESTING);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    let escape = match becomes {
        Becomes::Json => JSON,
        Becomes::Text => WORDS,
    };
    environment.set_auto_escape_callback(move |_| AutoEscape::Custom(escape.into()));
    environment.set_formatter(write_value);
    environment.add_filter("without_links", |text: Cow<'_, str>| without_links(&text));
    environment
}

/// One in which every value is the number 1, to see whether what stands around them is JSON.
pub(super) fn probe<'t>() -> Environment<'t> {
    let mut environment = environment(Becomes::Json);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_formatter(
        |output: &mut Output<'_>, _: &mut State<'_, '_>, _: &Value| Ok(output.write_str("1")?),
    );
    environment
}

fn write_value(
    output: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    if value.is_safe() {
        return Ok(output.write_str(value.as_str().unwrap_or_default())?);
    }
    let text = match value.kind() {
        ValueKind::Undefined | ValueKind::None => return Ok(()),
        ValueKind::Bool if value.is_true() => "true".to_owned(),
        ValueKind::Bool => "false".to_owned(),
        _ => value.to_string(),
    };
    match state.auto_escape() {
        AutoEscape::Custom(escape) if escape == JSON => {
            Ok(output.write_str(&within_json(&without_links(&text)))?)
        }
        AutoEscape::None => Ok(output.write_str(&text)?),
        _ => Ok(output.write_str(&without_links(&text))?),
    }
}

/// A text as it stands between the quotation marks of JSON.
fn within_json(text: &str) -> String {
    // A text always serialises.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let inside = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}

/// Whether there is such a filter.
pub(super) fn knows_filter(environment: &Environment<'_>, name: &str) -> bool {
    let asked = environment.compile_expression("name is filter");
    let told = asked.and_then(|asked| asked.eval(Value::from_pairs([("name", name)])));
    told.is_ok_and(|told| told.is_true())
}
