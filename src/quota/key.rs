//! What is counted: the rows of the platform's table of limits.

use std::fmt;

use super::table;

/// The name of one row of the platform's limits: every call of its paths counts against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuotaKey(pub &'static str);

/// What a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// A day in Beijing.
    Day,
    /// A calendar month in Beijing.
    Month,
}

/// One row: a limit, and the calls that count against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The name used everywhere: configuration, metrics, JSON, logs.
    pub key: QuotaKey,
    /// The platform's own name of the row.
    pub name: &'static str,
    /// The paths that count against it. The platform is asked about the first.
    pub paths: &'static [&'static str],
    /// For what the limit is.
    pub span: Span,
    /// Calls in a span that a new account has; `None` where no figure is published.
    pub new: Option<u64>,
    /// Calls in a span that a test account (测试号) has; `None` where no figure is published.
    pub test: Option<u64>,
    /// Calls in a minute, where a figure is published.
    pub per_minute: Option<u64>,
}

impl QuotaKey {
    /// Customer messages (客服消息): what replies go out through.
    pub const CUSTOM_SEND: Self = Self("custom_send");
    /// JS-SDK tickets.
    pub const TICKET: Self = Self("ticket");
    /// Resets of all limits of an account: `clear_quota`, `clear_quota/v2` and those in the console.
    pub const CLEAR_ALL: Self = Self("clear_quota_total");
    /// Resets of the limit of one API: `openapi/quota/clear`.
    pub const CLEAR_ONE: Self = Self("openapi_quota_clear");

    /// The key of this name, if the table has it.
    pub fn find(name: &str) -> Option<Self> {
        let row = table::ROWS.iter().find(|row| row.key.0 == name)?;
        Some(row.key)
    }

    /// The key that calls of this path count against, if the table has one. Without a query.
    pub fn of_path(path: &str) -> Option<Self> {
        let row = table::ROWS.iter().find(|row| row.paths.contains(&path))?;
        Some(row.key)
    }

    /// Its row, if the table has one. What has none is counted, and has no limit until the platform
    /// names one.
    pub fn row(self) -> Option<&'static Row> {
        table::ROWS.iter().find(|row| row.key == self)
    }

    /// For what its limit is.
    pub fn span(self) -> Span {
        self.row().map_or(Span::Day, |row| row.span)
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for QuotaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
