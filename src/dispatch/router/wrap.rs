//! Code of the user's own around the handlers of routes.

use std::panic::Location;

use super::{Entry, RouteError, Router, Start};
use crate::dispatch::middleware::{Middleware, Next};

impl<S: 'static> Router<S> {
    /// Runs a function of your own around the handlers of all routes *before* it. It decides whether the
    /// handler runs, and what is said in the end. Of several, the last one written is the outermost.
    ///
    /// Its extractors take from the push what they can: one that a push of these routes may lack is written
    /// as an `Option`, such as `Option<OpenId>`. It counts to the handler's attempt and time limit.
    ///
    /// ```
    /// use wxhook::dispatch::{Handled, Next, Router};
    /// use wxhook::{IntoReply, OpenId};
    ///
    /// async fn only_friends(next: Next, user: OpenId) -> Handled {
    ///     match user.as_str() {
    ///         "oStranger" => "内测中，敬请期待。".into_reply(),
    ///         _ => next.run().await,
    ///     }
    /// }
    /// async fn help() -> &'static str {
    ///     "发送“查 1001”查询订单。"
    /// }
    /// let router = Router::<()>::new().text("帮助", help).wrap(only_friends);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn wrap<I: 'static>(mut self, middleware: impl Middleware<S, I>) -> Self {
        let at = Location::caller();
        if self.entries.is_empty() {
            let what = "the function around handlers";
            self.faults.push(RouteError::NoRoute { what, at });
            return self;
        }
        let wrapped = self.entries.into_iter().map(|mut entry| {
            entry.fixture.around.push(at);
            let asked = middleware.conversations();
            entry.fixture.conversations.extend(asked);
            Entry {
                start: around(entry.start, middleware.clone()),
                ..entry
            }
        });
        self.entries = wrapped.collect();
        self
    }
}

fn around<S: 'static, I: 'static>(inner: Start<S>, middleware: impl Middleware<S, I>) -> Start<S> {
    Box::new(move |context, state| {
        let next = Next::new(inner(context, state)?);
        middleware.start(next, context, state)
    })
}
