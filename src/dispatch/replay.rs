//! What an operator does about a push: has it handled again, or puts it away.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::id::PushId;
use crate::protocol::push::{Head, Kind};
use crate::store::{Inbox, PushState, StoreError, StoredPush};

/// Has pushes handled again, or puts them away. The cursor of a running engine never goes back, so it must be told:
/// get this from [`Engine::replays`](crate::dispatch::Engine::replays).
#[derive(Debug, Clone)]
pub struct Replays {
    inbox: Arc<dyn Inbox>,
    engine: mpsc::Sender<PushId>,
    clock: Arc<dyn Clock>,
}

/// Why a push is not handled again. It is then as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no such push.
    #[error("there is no push {0}; `wxhook inbox list` shows those that are kept")]
    Missing(PushId),
    /// It was handled, and that was not to be overridden.
    #[error("push {0} was handled already; --force handles it again, and sends its replies again")]
    Handled(PushId),
    /// It is malformed, and this version cannot read it either.
    #[error("push {push} still cannot be read: {reason}")]
    Unreadable {
        /// The push.
        push: PushId,
        /// What is wrong with it.
        reason: String,
    },
    /// The store's: the push is waiting to be handled anyway, or the store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Replays {
    pub(crate) fn new(
        inbox: Arc<dyn Inbox>,
        engine: mpsc::Sender<PushId>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            inbox,
            engine,
            clock,
        }
    }

    /// For a store that no engine runs on: the next one finds what is replayed.
    pub fn detached(inbox: Arc<dyn Inbox>, clock: Arc<dyn Clock>) -> Self {
        Self::new(inbox, mpsc::channel(1).0, clock)
    }

    /// Makes a *dead* or *discarded* push *pending* again, or a *malformed* one that can be read now, or
    /// with `force` a *done* one, and tells the engine. Its run is one more, and its replies are numbered
    /// anew.
    ///
    /// # Errors
    /// [`ReplayError`] says why not.
    pub async fn replay(&self, push: PushId, force: bool) -> Result<(), ReplayError> {
        let story = self.inbox.story(push).await?;
        let stored = story.ok_or(ReplayError::Missing(push))?.push;
        match stored.state {
            PushState::Malformed | PushState::Discarded if stored.kind == Kind::Malformed => {
                self.reread(&stored).await?;
            }
            PushState::Done if !force => return Err(ReplayError::Handled(push)),
            _ => self.inbox.replay(push, self.clock.now()).await?,
        }
        // An engine that has stopped finds it at the next start.
        let _ = self.engine.send(push).await;
        Ok(())
    }

    /// Puts a *dead* or *malformed* push away, or a *done* one whose reply is unknown.
    ///
    /// # Errors
    /// [`ReplayError::Missing`] and [`ReplayError::Store`].
    pub async fn discard(&self, push: PushId) -> Result<(), ReplayError> {
        match self.inbox.discard(push).await {
            Err(StoreError::Conflict(_)) if self.inbox.story(push).await?.is_none() => {
                Err(ReplayError::Missing(push))
            }
            discarded => Ok(discarded?),
        }
    }

    async fn reread(&self, stored: &StoredPush) -> Result<(), ReplayError> {
        let push = stored.id;
        let head = Head::read(&stored.account, &stored.body);
        match head.malformed {
            Some(reason) => Err(ReplayError::Unreadable { push, reason }),
            None => {
                let now = self.clock.now();
                Ok(self.inbox.reread(push, head.kind, head.user, now).await?)
            }
        }
    }
}
