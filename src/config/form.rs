//! What kind of value a key takes.

use std::fmt;

/// What kind of value a key takes, as its reader says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// Any text; its comment says which.
    Text,
    /// A number with a unit of time, between these two.
    Duration(&'static str, &'static str),
    /// A number with a unit of bytes.
    Size,
    /// A whole number, between these two.
    Number(i64, i64),
    /// True or false.
    Flag,
    /// Several texts.
    List,
    /// A text that is never shown.
    Secret,
    /// A word, or the address of a server with a password in it, which is never shown.
    Address,
    /// What a program's own handlers take: only they know which of it is secret, so it is never shown.
    Own,
}

impl Form {
    /// Whether the value may be shown to nobody.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Address | Self::Own)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Duration(least, most) => write!(f, "duration, {least} to {most}"),
            Self::Size => f.write_str("size"),
            Self::Number(least, most) => write!(f, "number, {least} to {most}"),
            Self::Flag => f.write_str("true or false"),
            Self::List => f.write_str("list of texts"),
            Self::Secret => f.write_str("secret text"),
            Self::Address => f.write_str("word or secret address"),
            Self::Own => f.write_str("what the handlers take"),
        }
    }
}
