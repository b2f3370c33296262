//! Threads that read, so that no query ever waits for a sync, and no runtime for a query.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender};
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

use super::view::View;
use crate::store::StoreError;

/// Questions that may wait at once; more wait for their turn in their futures.
const ROOM: usize = 256;

enum Question {
    Ask(Box<dyn FnOnce(&View) + Send>),
    End,
}

/// Asks a reading thread.
#[derive(Debug)]
pub(super) struct Reader {
    questions: Sender<Question>,
    room: Arc<Semaphore>,
}

impl Reader {
    /// Starts the thread. It ends with [`Reader::close`].
    pub(super) fn start(view: View, name: &str) -> io::Result<(Self, JoinHandle<()>)> {
        // One place more than permits, for the end.
        let (questions, queue) = crossbeam_channel::bounded(ROOM + 1);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || answer(&view, &queue))?;
        let room = Arc::new(Semaphore::new(ROOM));
        Ok((Self { questions, room }, thread))
    }

    /// The answer to a question, asked when the future is first polled.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&View) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        Box::pin(async move {
            let room = Arc::clone(&self.room).acquire_owned().await;
            let room = room.map_err(|_| StoreError::Closed)?;
            let (sender, answer) = oneshot::channel();
            let question = Question::Ask(Box::new(move |view| {
                // Whoever asked may have stopped waiting: then the query is spared.
                if !sender.is_closed() {
                    drop(sender.send(question(view)));
                }
                drop(room);
            }));
            if self.questions.try_send(question).is_err() {
                return Err(StoreError::Closed);
            }
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Takes no more questions, and lets the thread end.
    pub(super) fn close(&self) {
        self.room.close();
        // Full is only possible when the end stands in it already.
        drop(self.questions.try_send(Question::End));
    }
}

fn answer(view: &View, queue: &Receiver<Question>) {
    for question in queue {
        match question {
            Question::Ask(question) => question(view),
            Question::End => return,
        }
    }
}
