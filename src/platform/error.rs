//! What the platform's codes mean, and what to do about them: a table, one file for each family.
//! `docs/error-codes.md` is written from it.

use std::fmt;
use std::time::Duration;

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

/// A few words for people, in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// In English.
    pub english: &'static str,
    /// In Chinese.
    pub chinese: &'static str,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The code.
    pub code: i64,
    /// Its class on API calls. The token endpoint's own reading is in the `token` room.
    pub class: Class,
    /// What it means.
    pub meaning: Words,
    /// What to do about it.
    pub remedy: Words,
}

/// In place of a remedy: the class says enough.
const CLASS: [&str; 2] = ["", ""];

const fn row(
    code: i64,
    class: Class,
    meaning: [&'static str; 2],
    remedy: [&'static str; 2],
) -> Row {
    let remedy = if remedy[0].is_empty() {
        class.remedy()
    } else {
        words(remedy)
    };
    Row {
        code,
        class,
        meaning: words(meaning),
        remedy,
    }
}

const fn words([english, chinese]: [&'static str; 2]) -> Words {
    Words { english, chinese }
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

/// How long to wait between questions while an administrator's confirmation is awaited (89503): the
/// platform does not say whether each question prompts the administrator again. The last one repeats.
pub const CONFIRMATION_PAUSES: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(10 * 60),
];

impl ErrorCode {
    /// Success.
    pub const OK: Self = Self(0);
    /// The platform is busy: "system error".
    pub const BUSY: Self = Self(-1);
    /// The AppSecret is frozen.
    pub const FROZEN_SECRET: Self = Self(40243);
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

    /// What it means, in English.
    pub fn meaning(self) -> &'static str {
        self.meaning_words().english
    }

    /// What to do about it, in English.
    pub fn remedy(self) -> &'static str {
        self.remedy_words().english
    }

    /// What it means, in both languages.
    pub fn meaning_words(self) -> Words {
        let unknown = words(["a code that wxhook does not know", "wxhook 不认识的错误码"]);
        self.row().map_or(unknown, |row| row.meaning)
    }

    /// What to do about it, in both languages.
    pub fn remedy_words(self) -> Words {
        self.row().map_or(Class::Unknown.remedy(), |row| row.remedy)
    }

    /// How long the same call is answered the same code at least, so that asking sooner is useless
    /// or harmful: every question that the platform's risk control sees may prompt the account's
    /// administrator, and each refusal makes the ban longer.
    ///
    /// [`CONFIRMATION_PAUSES`] tells how the waiting for an administrator goes on.
    pub const fn wait(self) -> Option<Duration> {
        let minutes = match self.0 {
            45011 | 89501..=89505 => 1,
            // Edits of the whitelist take effect after 5 to 10 minutes.
            40090 | 40164 | 45032 | 45035 | 61004 => 5,
            40243 => 10,
            89507 => 60,
            89506 => 24 * 60,
            _ => return None,
        };
        Some(Duration::from_secs(minutes * 60))
    }

    /// Whether an administrator of the account must confirm, or refused, where the call comes from.
    pub const fn is_risk_control(self) -> bool {
        matches!(self.0, 89501..=89507)
    }

    /// Whether the address where the call comes from is not in a whitelist.
    pub const fn is_whitelist(self) -> bool {
        matches!(self.0, 40090 | 40164 | 45032 | 45035 | 61004)
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
    pub const fn remedy(self) -> Words {
        words(match self {
            Self::Ok | Self::AlreadyDone => ["nothing", "无需处理"],
            Self::Token => [
                "the access token is renewed; if it goes on, look for a second system that asks \
                 for this account's tokens",
                "access_token 会自动更新；若持续出现，查找是否另有系统在获取本账号的 access_token",
            ],
            Self::Transient => ["try again later", "稍后重试"],
            Self::Quota => [
                "wait until the quota is reset, or clear it",
                "等待配额重置，或清零",
            ],
            Self::Permission => [
                "see in the console which interfaces this account may call",
                "在后台查看本账号的接口权限",
            ],
            Self::Bug => ["correct the call", "修正调用"],
            Self::User => [
                "wait until the user does something that opens a window",
                "等用户有新的互动",
            ],
            Self::Risk => [
                "an administrator must act in the console",
                "请管理员在后台处理",
            ],
            Self::Config => [
                "correct the configuration here or in the console",
                "修正本程序或后台的配置",
            ],
            Self::Content => ["change the content", "修改内容"],
            Self::Unknown => [
                "look the code up in the platform's documentation, with the rid",
                "凭 rid 在官方文档中查询该错误码",
            ],
        })
    }

    /// Its name, in both languages.
    pub const fn name(self) -> Words {
        words(match self {
            Self::Ok => ["done", "成功"],
            Self::AlreadyDone => ["done before", "早已完成"],
            Self::Token => ["token", "令牌"],
            Self::Transient => ["passing", "暂时"],
            Self::Quota => ["quota", "配额"],
            Self::Permission => ["permission", "权限"],
            Self::Bug => ["wrong call", "调用错误"],
            Self::User => ["user", "用户状态"],
            Self::Risk => ["risk control", "风控"],
            Self::Config => ["configuration", "配置"],
            Self::Content => ["content", "内容"],
            Self::Unknown => ["unknown", "未知"],
        })
    }
}

/// The whole table, in the order of the codes.
pub fn table() -> Vec<&'static Row> {
    let mut rows: Vec<_> = FAMILIES.into_iter().flatten().collect();
    rows.sort_by_key(|row| row.code);
    rows
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
            assert!(row.class != Class::Unknown, "{row:?}");
            for text in [row.meaning, row.remedy].map(|words| [words.english, words.chinese]) {
                assert!(!text.iter().any(|text| text.is_empty()), "{row:?}");
                assert!(
                    !text.iter().any(|text| text.ends_with(['.', '。'])),
                    "{row:?}"
                );
                assert!(text[0].is_ascii() && !text[1].is_ascii(), "{row:?}");
            }
        }
    }

    #[test]
    fn what_a_person_must_settle_is_not_asked_for_again_too_soon() {
        for (code, minutes) in [
            (89501, Some(1)),
            (89503, Some(1)),
            (89507, Some(60)),
            (89506, Some(24 * 60)),
            (40164, Some(5)),
            (61004, Some(5)),
            (45035, Some(5)),
            (40090, Some(5)),
            (40243, Some(10)),
            (45011, Some(1)),
            (40125, None),
            (-1, None),
        ] {
            let wait = ErrorCode(code).wait().map(|wait| wait.as_secs() / 60);
            assert_eq!(wait, minutes, "{code}");
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
            for words in [ErrorCode(code).meaning_words(), ErrorCode(code).remedy_words()] {
                prop_assert!(!words.english.is_empty() && !words.chinese.is_empty());
            }
        }
    }
}
