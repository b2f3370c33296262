//! What is wrong with a setting, and where it was written.

use std::fmt;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In this file.
    File {
        /// Its path.
        path: String,
        /// The line of the key, from 1, where it is known.
        line: Option<usize>,
    },
    /// In this environment variable.
    Environment(String),
    /// In this command-line argument.
    Argument(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: None } => write!(f, "file {path}"),
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "file {path}, line {line}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Argument(name) => write!(f, "argument {name}"),
        }
    }
}

/// One wrong or unknown setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The dotted key.
    pub key: String,
    /// Where it was written.
    pub origin: Origin,
    /// What was written; `None` for secrets and where nothing was.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value:?}")?;
        }
        if self.origin != Origin::Default {
            write!(f, " ({})", self.origin)?;
        }
        write!(f, ": {}; {}", self.problem, self.remedy)
    }
}

/// All that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    pub(super) fn one(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, fault)| {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{fault}")
        })
    }
}

impl std::error::Error for Faults {}
