//! What the platform's codes mean, and what to do about them: a table, one file for each family.

use std::fmt;

mod content;
mod credential;
mod invalid;
mod limit;
mod missing;
mod service;
mod state;
mod system;
mod template;

/// A code as the platform answers it. 0 is success; some are negative, some exceed 32 bits of sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub i64);

/// What kind of thing a code is: it decides what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Done.
    Ok,
    /// It was done before: as good as done.
    AlreadyDone,
    /// The access token was refused: the call was not executed, and may be repeated once with a new one.
    Token,
    /// The platform is busy or wants the call later.
    Transient,
    /// A quota is used up: not again before it is reset.
    Quota,
    /// The account may not do this.
    Permission,
    /// The call is wrong: a bug of whoever made it.
    Bug,
    /// The user cannot be reached with this now.
    User,
    /// The platform restrains the account: a person must act.
    Risk,
    /// Something is configured wrongly, here or in the console.
    Config,
    /// The content is not accepted.
    Content,
    /// A code that is not in the table.
    Unknown,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The code.
    pub code: i64,
    /// Its class on API calls. The token endpoint's own reading is in the `token` room.
    pub class: Class,
    /// What it means, in a few words.
    pub meaning: &'static str,
    /// What to do about it; empty where the class says enough.
    pub remedy: &'static str,
}

const fn row(code: i64, class: Class, meaning: &'static str, remedy: &'static str) -> Row {
    Row {
        code,
        class,
        meaning,
        remedy,
    }
}

/// The families, each sorted by code.
const FAMILIES: [&[Row]; 9] = [
    system::ROWS,
    credential::ROWS,
    invalid::ROWS,
    content::ROWS,
    missing::ROWS,
    limit::ROWS,
    state::ROWS,
    service::ROWS,
    template::ROWS,
];

/// Codes of a platform that failed inside: it may have executed the call all the same.
const MAY_HAVE_ACTED: [i64; 9] = [
    -1,
    4,
    20001,
    45085,
    61450,
    200_001,
    268_487_001,
    268_487_002,
    268_488_001,
];

impl ErrorCode {
    /// Success.
    pub const OK: Self = Self(0);
    /// The platform is busy: "system error".
    pub const BUSY: Self = Self(-1);
    /// The access token is invalid, or not the newest.
    pub const TOKEN_NOT_LATEST: Self = Self(40001);
    /// This regional host is not meant for us.
    pub const WRONG_REGION: Self = Self(40222);

    /// Its line of the table.
    pub fn row(self) -> Option<&'static Row> {
        FAMILIES.iter().find_map(|family| {
            let index = family.binary_search_by_key(&self.0, |row| row.code).ok()?;
            family.get(index)
        })
    }

    /// What kind of thing it is, on an API call.
    pub fn class(self) -> Class {
        self.row().map_or(Class::Unknown, |row| row.class)
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        self.row()
            .map_or("a code that wxhook does not know", |row| row.meaning)
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self.row() {
            Some(row) if !row.remedy.is_empty() => row.remedy,
            _ => self.class().remedy(),
        }
    }

    /// Whether the platform refused the account's access token, and did nothing.
    ///
    /// Not so 41001 (no token was sent: a bug) and 42006 (another kind of token).
    pub const fn refuses_the_token(self) -> bool {
        matches!(self.0, 40001 | 40014 | 42001)
    }

    /// Whether the call may have been executed although the platform answered this code.
    pub fn may_have_acted(self) -> bool {
        MAY_HAVE_ACTED.contains(&self.0)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Class {
    /// What to do where the code itself says no more.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Ok | Self::AlreadyDone => "nothing",
            Self::Token => {
                "the access token is renewed; if it goes on, look for a second system \
                            that asks for this account's tokens"
            }
            Self::Transient => "try again later",
            Self::Quota => "wait until the quota is reset, or clear it",
            Self::Permission => "see in the console which interfaces this account may call",
            Self::Bug => "correct the call",
            Self::User => "wait until the user does something that opens a window",
            Self::Risk => "an administrator must act in the console",
            Self::Config => "correct the configuration here or in the console",
            Self::Content => "change the content",
            Self::Unknown => "look the code up in the platform's documentation, with the rid",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_family_is_sorted_and_no_code_stands_twice() {
        let mut all: Vec<i64> = Vec::new();
        for family in FAMILIES {
            assert!(
                family.is_sorted_by(|a, b| a.code < b.code),
                "{:?}",
                family.first()
            );
            all.extend(family.iter().map(|row| row.code));
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(count > 300, "{count} codes");
    }

    #[test]
    fn every_line_says_something_and_no_line_shouts() {
        for row in FAMILIES.into_iter().flatten() {
            assert!(
                !row.meaning.is_empty() && row.class != Class::Unknown,
                "{row:?}"
            );
            assert!(
                !row.meaning.ends_with('.') && !row.remedy.ends_with('.'),
                "{row:?}"
            );
            assert!(!ErrorCode(row.code).remedy().is_empty(), "{row:?}");
        }
    }

    #[test]
    fn codes_have_the_class_that_decides_what_is_done() {
        for (code, class) in [
            (0, Class::Ok),
            (-1, Class::Transient),
            (40001, Class::Token),
            (40014, Class::Token),
            (42001, Class::Token),
            (41001, Class::Bug),
            (40164, Class::Config),
            (45009, Class::Quota),
            (45015, Class::User),
            (45047, Class::User),
            (45065, Class::AlreadyDone),
            (48001, Class::Permission),
            (48002, Class::User),
            (89503, Class::Risk),
            (45002, Class::Content),
            (268_488_001, Class::Transient),
            (123_456, Class::Unknown),
        ] {
            assert_eq!(ErrorCode(code).class(), class, "{code}");
        }
    }

    #[test]
    fn only_a_failure_inside_the_platform_leaves_the_outcome_open() {
        for code in MAY_HAVE_ACTED {
            assert_eq!(ErrorCode(code).class(), Class::Transient, "{code}");
        }
        assert!(!ErrorCode(45011).may_have_acted());
        assert!(!ErrorCode(40001).may_have_acted());
    }

    proptest! {
        #[test]
        fn any_code_has_a_meaning_and_a_remedy(code in any::<i64>()) {
            prop_assert!(!ErrorCode(code).meaning().is_empty());
            prop_assert!(!ErrorCode(code).remedy().is_empty());
        }
    }
}
