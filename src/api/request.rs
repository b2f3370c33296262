//! What is asked: checked here where the platform's answer could only be an error.

use std::borrow::Cow;

/// Why a request is not sent: the platform could only refuse it. Nothing left, and no quota was used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {fault}")]
pub struct RequestError {
    /// The member of the request that is wrong, by the platform's name.
    pub field: Cow<'static, str>,
    /// What is wrong with it, and the limit.
    pub fault: Cow<'static, str>,
}

impl RequestError {
    /// A fault of a member.
    pub fn new(field: impl Into<Cow<'static, str>>, fault: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            fault: fault.into(),
        }
    }
}

/// Refuses an empty text, and one of more than `limit` bytes of UTF-8.
pub(crate) fn bytes(field: &'static str, text: &str, limit: usize) -> Result<(), RequestError> {
    length(field, text, text.len(), limit, "bytes")
}

/// Refuses an empty text, and one of more than `limit` characters.
pub(crate) fn characters(
    field: &'static str,
    text: &str,
    limit: usize,
) -> Result<(), RequestError> {
    length(field, text, text.chars().count(), limit, "characters")
}

/// Refuses an empty text.
pub(crate) fn given(field: &'static str, text: &str) -> Result<(), RequestError> {
    match text {
        "" => Err(RequestError::new(field, "is empty")),
        _ => Ok(()),
    }
}

fn length(
    field: &'static str,
    text: &str,
    found: usize,
    limit: usize,
    unit: &str,
) -> Result<(), RequestError> {
    given(field, text)?;
    if found <= limit {
        return Ok(());
    }
    let fault = format!("has {found} {unit}; at most {limit} are allowed");
    Err(RequestError::new(field, fault))
}

/// Refuses a list that has fewer members than `least`, or more than `most`.
pub(crate) fn members(
    field: &'static str,
    found: usize,
    least: usize,
    most: usize,
) -> Result<(), RequestError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let fault = format!("has {found} members; {least} to {most} are allowed");
    Err(RequestError::new(field, fault))
}

/// Refuses a number outside its range.
pub(crate) fn between(
    field: &'static str,
    found: i64,
    least: i64,
    most: i64,
) -> Result<(), RequestError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let fault = format!("is {found}; {least} to {most} are allowed");
    Err(RequestError::new(field, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_named_with_its_size_and_its_limit() {
        let said = |outcome: Result<(), RequestError>| outcome.unwrap_err().to_string();
        for (found, expected) in [
            (said(bytes("name", "", 5)), "name is empty"),
            (
                said(bytes("name", "中文", 5)),
                "name has 6 bytes; at most 5 are allowed",
            ),
            (
                said(characters("title", "中文", 1)),
                "title has 2 characters; at most 1 are allowed",
            ),
            (
                said(members("openid_list", 0, 1, 50)),
                "openid_list has 0 members; 1 to 50 are allowed",
            ),
            (
                said(between("count", 21, 1, 20)),
                "count is 21; 1 to 20 are allowed",
            ),
        ] {
            assert_eq!(found, expected);
        }
        for outcome in [
            bytes("name", "中", 3),
            characters("name", "中", 1),
            members("list", 2, 2, 2),
            between("count", 20, 1, 20),
        ] {
            assert_eq!(outcome, Ok(()));
        }
    }
}
