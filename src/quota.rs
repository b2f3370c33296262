//! What the platform lets an account do in a day.

mod key;

pub use self::key::QuotaKey;
