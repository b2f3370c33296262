//! What a route takes, and how specific that is.

use serde::Serialize;

use super::step::Step;
use crate::protocol::push::Push;

/// A regular expression that a text message must match. Named groups become
/// [`Captures`](crate::dispatch::Captures).
///
/// The syntax is that of the `regex` crate; matching takes linear time, whatever users write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(pub(super) String);

/// A pattern for [`Router::text`](crate::dispatch::Router::text). Whether it is valid is checked at
/// start, with the routes.
pub fn pattern(regex: impl Into<String>) -> Pattern {
    Pattern(regex.into())
}

/// What a text must be: exactly this, or matching a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextRule {
    /// Exactly this text, blanks included.
    Exact(String),
    /// Any text that matches.
    Pattern(Pattern),
}

impl From<&str> for TextRule {
    fn from(text: &str) -> Self {
        Self::Exact(text.to_owned())
    }
}

impl From<String> for TextRule {
    fn from(text: String) -> Self {
        Self::Exact(text)
    }
}

impl From<Pattern> for TextRule {
    fn from(pattern: Pattern) -> Self {
        Self::Pattern(pattern)
    }
}

/// Whether a push is of a type.
pub(super) type Fits = fn(&Push) -> bool;

/// What a route takes.
#[derive(Debug)]
pub(super) enum Rule {
    Step(Step),
    Exact(String),
    Click(String),
    Pattern(String),
    Typed { name: &'static str, fits: Fits },
    Unknown,
    Fallback,
}

impl Rule {
    /// Whether pushes of every kind come here, so that a handler may turn out not to be meant.
    pub(super) fn takes_any_kind(&self) -> bool {
        self.specificity().takes_any_kind()
    }

    /// The name under which people meet the route. Rules of one name take the same pushes.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Step(step) => format!("step {step}"),
            Self::Exact(text) => format!("text {text:?}"),
            Self::Click(key) if key.is_empty() => "click \"\"".to_owned(),
            Self::Click(key) => format!("click {key}"),
            Self::Pattern(regex) => format!("text /{regex}/"),
            Self::Typed { name, .. } => format!("on {name}"),
            Self::Unknown => "unknown".to_owned(),
            Self::Fallback => "fallback".to_owned(),
        }
    }

    pub(super) fn specificity(&self) -> Specificity {
        match self {
            Self::Step(_) => Specificity::Step,
            Self::Exact(_) => Specificity::ExactText,
            Self::Click(_) => Specificity::MenuKey,
            Self::Pattern(_) => Specificity::Pattern,
            Self::Typed { .. } => Specificity::Type,
            Self::Unknown => Specificity::Unknown,
            Self::Fallback => Specificity::Fallback,
        }
    }
}

/// How specific a route is. The order of these is the order in which routes are asked; of those that
/// are equally specific, the one that was registered first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Specificity {
    /// Where the user's conversation stands.
    Step,
    /// A text that is exactly this.
    ExactText,
    /// The key of a menu button.
    MenuKey,
    /// A text that matches.
    Pattern,
    /// Any push of a type.
    Type,
    /// Whatever has no type.
    Unknown,
    /// Whatever is left.
    Fallback,
}

impl Specificity {
    /// Whether pushes of every kind come to such a route. Rules of the file come before it, and after all others.
    pub(crate) const fn takes_any_kind(self) -> bool {
        matches!(self, Self::Unknown | Self::Fallback)
    }

    /// The words for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Step => "a step of a conversation",
            Self::ExactText => "an exact text",
            Self::MenuKey => "a menu key",
            Self::Pattern => "a pattern",
            Self::Type => "a type",
            Self::Unknown => "`unknown`",
            Self::Fallback => "`fallback`",
        }
    }
}
