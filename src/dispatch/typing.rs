//! "The other side is typing" (客服输入状态): shown to a follower while a handler takes long.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::api::message::TypingCommand;
use crate::dispatch::live::Live;

/// How long the platform shows it.
///
/// It cannot be prolonged: while it is shown, the platform only answers that it is (45081). So it is
/// shown again as soon as it has vanished.
const SHOWN: Duration = Duration::from_secs(15);

/// What an attempt has done that concerns the user who waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct News {
    /// Messages that left while the handler ran.
    spoken: u32,
    end: Option<End>,
}

/// How a handler's end looks to its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// What it returned leaves now.
    Answered,
    /// Nothing leaves.
    Silent,
}

/// An attempt's side of its indicator. Dropped, the indicator ends.
#[derive(Debug, Default)]
pub(crate) struct Teller(Mutex<Option<watch::Sender<News>>>);

impl Teller {
    /// A message leaves, and the handler goes on.
    pub(crate) fn speaks(&self) {
        if let Some(sender) = self.sender().as_ref() {
            sender.send_modify(|news| news.spoken = news.spoken.saturating_add(1));
        }
    }

    /// The handler has ended; what comes later is not told.
    pub(crate) fn ends(&self, end: End) {
        if let Some(sender) = self.sender().take() {
            sender.send_modify(|news| news.end = Some(end));
        }
    }

    fn listen(&self) -> watch::Receiver<News> {
        let (sender, news) = watch::channel(News::default());
        *self.sender() = Some(sender);
        news
    }

    fn sender(&self) -> MutexGuard<'_, Option<watch::Sender<News>>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Live {
    /// Shows the push's user that an answer is being prepared, once that has taken so long. It ends
    /// with the attempt; until then it is to be polled on the engine's runtime.
    pub(crate) fn accompany(&self, after: Duration) -> BoxFuture<'static, ()> {
        let (outbox, push) = (Arc::clone(self.outbox()), self.push());
        let (account, user) = (self.account().clone(), self.to().clone());
        let news = self.teller().listen();
        accompany(news, after, move |command| {
            let outbox = Arc::clone(&outbox);
            let (account, user) = (account.clone(), user.clone());
            async move { outbox.show_typing(push, &account, &user, command).await }.boxed()
        })
        .boxed()
    }
}

/// Shows it when there was no word for `after`, again when it has vanished, and takes it away when the
/// handler ends without a word. A message takes it away by itself. `call` tells whether the platform took
/// the command; after one that it did not, nothing is shown any more: an indicator is worth no trouble.
async fn accompany(
    mut news: watch::Receiver<News>,
    after: Duration,
    call: impl Fn(TypingCommand) -> BoxFuture<'static, bool> + Send + Sync,
) {
    let (mut is_shown, mut spoken) = (false, 0);
    let mut pause = Some(after);
    loop {
        tokio::select! {
            biased;
            changed = news.changed() => {
                if changed.is_err() {
                    return;
                }
                let told = *news.borrow_and_update();
                is_shown &= told.spoken == spoken;
                spoken = told.spoken;
                match told.end {
                    None => pause = pause.map(|_| after),
                    Some(End::Silent) if is_shown => {
                        call(TypingCommand::Cancel).await;
                        return;
                    }
                    Some(End::Silent | End::Answered) => return,
                }
            }
            () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {
                is_shown = call(TypingCommand::Begin).await;
                pause = is_shown.then_some(SHOWN);
                // What left meanwhile may have arrived before it, and would not take it away.
                if is_shown && news.has_changed().unwrap_or(true) {
                    call(TypingCommand::Cancel).await;
                    is_shown = false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use super::*;

    const AFTER: Duration = Duration::from_secs(2);

    /// An indicator at work, and the platform's side of it: what was called at which second.
    struct Stage {
        teller: Teller,
        began: Instant,
        calls: Arc<Mutex<Vec<(u64, &'static str)>>>,
        /// Each call needs a permit.
        gate: Arc<Semaphore>,
        task: tokio::task::JoinHandle<()>,
    }

    impl Stage {
        fn start(takes: bool, permits: usize) -> Self {
            let teller = Teller::default();
            let (began, calls) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
            let gate = Arc::new(Semaphore::new(permits));
            let (noted, open) = (Arc::clone(&calls), Arc::clone(&gate));
            let accompanied = accompany(teller.listen(), AFTER, move |command| {
                let name = match command {
                    TypingCommand::Begin => "begin",
                    TypingCommand::Cancel => "cancel",
                };
                noted
                    .lock()
                    .unwrap()
                    .push((began.elapsed().as_secs(), name));
                let open = Arc::clone(&open);
                async move {
                    open.acquire().await.unwrap().forget();
                    takes
                }
                .boxed()
            });
            Self {
                teller,
                began,
                calls,
                gate,
                task: tokio::spawn(accompanied),
            }
        }

        async fn until(&self, second: u64) {
            tokio::time::sleep_until(self.began + Duration::from_secs(second)).await;
        }

        async fn calls(self) -> Vec<(u64, &'static str)> {
            self.task.await.unwrap();
            let calls = self.calls.lock().unwrap();
            calls.clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_shown_after_a_while_and_again_when_it_has_vanished() {
        let stage = Stage::start(true, 10);
        stage.until(40).await;
        stage.teller.ends(End::Answered);
        assert_eq!(
            stage.calls().await,
            [(2, "begin"), (17, "begin"), (32, "begin")]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_ends_soon_shows_nothing_and_one_that_says_nothing_takes_it_away() {
        let soon = Stage::start(true, 10);
        soon.until(1).await;
        soon.teller.ends(End::Silent);
        assert_eq!(soon.calls().await, []);
        let silent = Stage::start(true, 10);
        silent.until(3).await;
        silent.teller.ends(End::Silent);
        assert_eq!(silent.calls().await, [(2, "begin"), (3, "cancel")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_takes_it_away_and_it_is_shown_again_after_the_same_while() {
        let stage = Stage::start(true, 10);
        stage.until(3).await;
        stage.teller.speaks();
        stage.until(6).await;
        stage.teller.speaks();
        stage.until(7).await;
        stage.teller.ends(End::Silent);
        assert_eq!(stage.calls().await, [(2, "begin"), (5, "begin")]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_arrived_after_the_answer_is_taken_away() {
        let stage = Stage::start(true, 0);
        stage.until(3).await;
        stage.teller.ends(End::Answered);
        stage.until(4).await;
        stage.gate.add_permits(2);
        assert_eq!(stage.calls().await, [(2, "begin"), (4, "cancel")]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_nothing_more_is_shown() {
        let stage = Stage::start(false, 10);
        stage.until(30).await;
        stage.teller.speaks();
        stage.until(60).await;
        stage.teller.ends(End::Silent);
        assert_eq!(stage.calls().await, [(2, "begin")]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_an_attempt_that_is_dropped() {
        let stage = Stage::start(true, 10);
        stage.until(1).await;
        let Stage { teller, task, .. } = stage;
        drop(teller);
        task.await.unwrap();
    }
}
