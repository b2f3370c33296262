//! The name of a row of the platform's table of quotas.

/// The name of a row of the platform's table of quotas: what is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuotaKey(pub &'static str);
