//! Keeps the plain copy of an account's token current, beside everything else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::store::copies::{Copied, PlainCopies};
use crate::store::tokens::TokensError;
use crate::token::{Keeper, Lease};

/// How often the copy is written again although the token is the same: a server that forgot it, or
/// somebody who overwrote it, does harm for so long at most.
pub const REPEATED_AFTER: Duration = Duration::from_secs(60);

/// The pause after a first failure; twice as long after each further one, up to [`LONGEST_PAUSE`].
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between tries.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a token is looked for while there is none.
const WITHOUT_A_TOKEN: Duration = Duration::from_secs(5);

/// Writes one account's plain copy whenever its token changes.
#[derive(Debug)]
pub struct Publisher {
    keeper: Arc<Keeper>,
    copies: Arc<dyn PlainCopies>,
    pause: Option<Duration>,
}

impl Publisher {
    /// For the tokens of this keeper.
    pub fn new(keeper: Arc<Keeper>, copies: Arc<dyn PlainCopies>) -> Self {
        Self {
            keeper,
            copies,
            pause: None,
        }
    }

    /// Publishes until it is told to stop. Unlike the keeper's own task it gets a first token: those
    /// who read the copy can ask for none.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut generations = self.keeper.generations();
        loop {
            generations.mark_unchanged();
            let pause = tokio::select! {
                pause = self.publish() => pause,
                // Without anybody to say stop, there is nobody to work for.
                _ = stop.wait_for(|stop| *stop) => return,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // A server that fails is not asked sooner for it.
                Ok(()) = generations.changed(), if self.pause.is_none() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Returns how long nothing need be done.
    async fn publish(&mut self) -> Duration {
        // The keeper has said why there is none.
        let Ok(lease) = self.keeper.token().await else {
            return WITHOUT_A_TOKEN;
        };
        let Lease {
            token, generation, ..
        } = &lease;
        let account = self.keeper.account().clone();
        let outcome = self
            .copies
            .copy(&account, token, *generation, lease.remaining)
            .await;
        self.tell(outcome, *generation);
        self.pause.unwrap_or(REPEATED_AFTER)
    }

    /// Says once that the copy cannot be written, and once that it can be again.
    fn tell(&mut self, outcome: Result<Copied, TokensError>, generation: u64) {
        let account = self.keeper.account();
        let failed_before = self.pause.is_some();
        match outcome {
            Ok(copied) => {
                self.pause = None;
                if failed_before {
                    tracing::info!(account = %account, generation,
                        "The plain copy of the access token is published again.");
                } else {
                    tracing::debug!(account = %account, generation, ?copied,
                        "The plain copy of the access token was published.");
                }
            }
            Err(error) => {
                let next = self.pause.map_or(FIRST_PAUSE, |pause| pause * 2);
                self.pause = Some(next.min(LONGEST_PAUSE));
                if !failed_before {
                    tracing::error!(account = %account, error = %error,
                        "The plain copy of the access token is not published; look at token.publish.url.");
                }
            }
        }
    }
}
