//! What is counted. Names live here and nowhere else.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// A thing that is counted from the start of the process.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Counter { $($(#[$doc])* $variant,)* }

        impl Counter {
            /// Every counter, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name under which it is published.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

counters! {
    /// Pushes stored.
    PushesStored => "wxhook_pushes_stored_total",
    /// Pushes recognised as repeats of stored ones.
    PushesRepeated => "wxhook_pushes_repeated_total",
    /// Authentic pushes that could not be read, and were stored as malformed.
    PushesMalformed => "wxhook_pushes_malformed_total",
    /// Requests refused because they could not be authenticated.
    RequestsForged => "wxhook_requests_forged_total",
    /// Authentic requests refused because their timestamp lies outside the freshness window.
    RequestsStale => "wxhook_requests_stale_total",
    /// Signed requests refused because their signature was seen around another body (plaintext mode).
    RequestsReplayed => "wxhook_requests_replayed_total",
    /// Signed requests refused because their source is not on the allow-list.
    RequestsUnlisted => "wxhook_requests_unlisted_total",
    /// Refused requests of sources that send very many of them: their connections were closed.
    RequestsGuarded => "wxhook_requests_guarded_total",
    /// Requests refused because they were not a push: path, method, query, size or time.
    RequestsInvalid => "wxhook_requests_invalid_total",
    /// Pushes answered 503: no room within the budget, or the store failed.
    RequestsOverloaded => "wxhook_requests_overloaded_total",
    /// Requests left without an answer, so that WeChat repeats the push (`reply.use_retries`).
    RequestsUnanswered => "wxhook_requests_unanswered_total",
    /// Attempts that ended well.
    AttemptsDone => "wxhook_attempts_done_total",
    /// Attempts that ended with an error, a time-out or a panic.
    AttemptsFailed => "wxhook_attempts_failed_total",
    /// Pushes given up.
    PushesDead => "wxhook_pushes_dead_total",
    /// Reply parts that the platform took.
    PartsSent => "wxhook_parts_sent_total",
    /// Reply parts that surely were not delivered.
    PartsRefused => "wxhook_parts_refused_total",
    /// Reply parts that were the answer to their push, of those that were sent.
    PartsAnswered => "wxhook_parts_answered_total",
    /// Reply parts that were refused here, of those above: their user's sending window is closed.
    PartsWithheld => "wxhook_parts_withheld_total",
    /// Reply parts that were refused with 48001, of those above: their account may not send customer messages.
    PartsUnauthorized => "wxhook_parts_unauthorized_total",
    /// Texts that were cut, because their sending window allowed no more messages.
    TextsCut => "wxhook_texts_cut_total",
    /// Reply parts whose fate is not known.
    PartsUnknown => "wxhook_parts_unknown_total",
    /// Times that changed templates and rules were taken up.
    BundlesSwapped => "wxhook_bundles_swapped_total",
    /// Conversations that no type could read any more, so that they began anew.
    ConversationsReset => "wxhook_conversations_reset_total",
    /// Threads started to replace blocked handler threads.
    HandlerThreadsReplaced => "wxhook_handler_threads_replaced_total",
    /// Access tokens asked of the platform.
    TokensRequested => "wxhook_access_token_requests_total",
    /// Calls that were not made because their quota is used up, for the day, the month or the minute.
    QuotaRefused => "wxhook_quota_refused_total",
    /// Times that the platform said that a quota is used up (45009, 48006).
    QuotasUsedUp => "wxhook_quota_used_up_total",
    /// Times that the platform said that the calls of a minute are used up (45011).
    QuotaMinutesFull => "wxhook_quota_minutes_full_total",
    /// Times that the platform's counts were cleared through this process.
    QuotaClears => "wxhook_quota_clears_total",
    /// Times that the list of the platform's callback addresses could not be refreshed.
    AllowListFailures => "wxhook_allow_list_failures_total",
    /// Steps that the store of counts did not do.
    QuotaStoreFailures => "wxhook_quota_store_failures_total",
    /// Times that the configuration was read again.
    ConfigurationReads => "wxhook_configuration_reads_total",
    /// Times that it was read again, was wrong, and the one in force stayed.
    ConfigurationReadsFailed => "wxhook_configuration_reads_failed_total",
}

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// What a refused request did not pass: the label `check` of [`REFUSED`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Check { $($(#[$doc])* $variant,)* }

        impl Check {
            /// Every check, in the order in which a request meets them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value of the label.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

/// The name under which refused requests are published, by the check that refused them.
pub const REFUSED: &str = "wxhook_requests_refused_total";

checks! {
    /// An account is served at the path.
    Path => "path",
    /// GET or POST.
    Method => "method",
    /// The query has everything, nothing twice, nothing oversized.
    Query => "query",
    /// A verification brings an `echostr`.
    Echo => "echostr",
    /// The signature of the query.
    Signature => "signature",
    /// An account with encryption gets encrypted pushes.
    Downgrade => "downgrade",
    /// A plaintext account gets plaintext pushes.
    Unexpected => "unexpected_encryption",
    /// The signed timestamp is recent.
    Freshness => "freshness",
    /// The source is on the allow-list.
    Source => "source",
    /// The body is not longer than allowed.
    Size => "size",
    /// The body came in time.
    SlowBody => "slow_body",
    /// The body came whole.
    BrokenBody => "broken_body",
    /// The document around the ciphertext.
    Outer => "outer_document",
    /// The document of a plaintext push is XML without a document type.
    Document => "document",
    /// The signature of the ciphertext.
    MsgSignature => "msg_signature",
    /// The ciphertext is base64.
    Base64 => "base64",
    /// The lengths in the envelope.
    Length => "length",
    /// The padding.
    Padding => "padding",
    /// The envelope is addressed to this account.
    ReceiveId => "receive_id",
    /// The signature was not seen around another body.
    Replay => "replayed",
    /// There was room, and a commit, within the request's budget.
    Budget => "budget",
    /// The store takes pushes.
    Store => "store",
}

/// One process's counters.
#[derive(Debug)]
pub struct Counters {
    counts: [AtomicU64; Counter::ALL.len()],
    refused: [AtomicU64; Check::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            refused: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Counters {
    /// Adds one.
    pub fn add(&self, counter: Counter) {
        self.counts[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The value now.
    pub fn value(&self, counter: Counter) -> u64 {
        self.counts[counter as usize].load(Ordering::Relaxed)
    }

    /// Adds one request that this check refused.
    pub fn refuse(&self, check: Check) {
        self.refused[check as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests this check has refused.
    pub fn refused(&self, check: Check) -> u64 {
        self.refused[check as usize].load(Ordering::Relaxed)
    }
}

macro_rules! gauges {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// A thing that goes up and down, as it was when it was last looked at.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Gauge { $($(#[$doc])* $variant,)* }

        impl Gauge {
            /// Every gauge, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name under which it is published.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

gauges! {
    /// Pushes that wait for their next try.
    PushesRetrying => "wxhook_pushes_retrying",
    /// Dead pushes that are kept.
    PushesDeadKept => "wxhook_pushes_dead_kept",
    /// Malformed pushes that are kept.
    PushesMalformedKept => "wxhook_pushes_malformed_kept",
    /// Reply parts that are kept and whose fate is not known.
    PartsUnknownKept => "wxhook_parts_unknown_kept",
    /// 1 while templates or rules on the disk are broken, so that older ones are used; else 0.
    BundleBroken => "wxhook_bundle_broken",
}

/// One process's gauges.
#[derive(Debug, Default)]
pub struct Gauges([AtomicU64; Gauge::ALL.len()]);

impl Gauges {
    /// Notes what was seen.
    pub fn set(&self, gauge: Gauge, value: u64) {
        self.0[gauge as usize].store(value, Ordering::Relaxed);
    }

    /// What was seen last.
    pub fn value(&self, gauge: Gauge) -> u64 {
        self.0[gauge as usize].load(Ordering::Relaxed)
    }
}
