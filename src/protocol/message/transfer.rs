//! Handing a conversation to people.

use serde::Serialize;

use crate::protocol::message::{MessageError, Words, check_account};

/// Hands the message that it answers to the account's human agents (多客服). Only a passive reply to a
/// message can do this.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct TransferToCustomerService {
    /// The agent who must take it, even when offline; anyone who is free when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kf_account: Option<Words>,
}

impl TransferToCustomerService {
    /// To whoever is free.
    pub fn new() -> Self {
        Self::default()
    }

    /// To this agent and no other.
    #[must_use]
    pub fn to(mut self, kf_account: impl Into<String>) -> Self {
        self.kf_account = Some(Words::new(kf_account));
        self
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        self.kf_account.as_ref().map_or(Ok(()), check_account)
    }
}
