//! Tests of a bot with plain `cargo test`: no network, no waiting, the same each time.
//!
//! In `Cargo.toml`:
//!
//! ```toml
//! [dev-dependencies]
//! wxhook = { version = "0.1", features = ["testing"] }
//! ```
//!
//! Then users do something, and the test looks at what the bot says:
//!
//! ```
//! use wxhook::{Content, Error, Router, Subscribe};
//!
//! async fn welcome(_: Subscribe) -> &'static str {
//!     "欢迎！"
//! }
//!
//! async fn price(Content(text): Content) -> Result<String, Error> {
//!     match text.as_str() {
//!         "茶" => Ok("8 元".to_owned()),
//!         _ => Err(Error::new("no such thing").give_up()),
//!     }
//! }
//!
//! fn routes() -> Router<()> {
//!     Router::new().on::<Subscribe, _>(welcome).fallback(price)
//! }
//!
//! routes().test()
//!     .follow("oAlice").says("欢迎！")
//!     .text("oAlice", "茶").says("8 元")
//!     .text("oAlice", "酒").says_nothing().fails("no such thing");
//! ```
//!
//! Everything runs on the server's own engine: routes, extractors, tries, sending windows and replies are
//! what they are in the server; only the store forgets, and the platform is a stand-in. Nobody waits for a passive reply:
//! what only such a reply can say is not delivered here. **What the test
//! does not look at fails it**: replies, pushes that were not handled, calls that it does not answer.
//!
//! Time is the test's: it passes while a handler sleeps, which costs none, and by
//! [`TestBot::pass`] and [`TestBot::next_try`]:
//!
//! ```
//! # use std::sync::Arc;
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! # use std::time::Duration;
//! # use wxhook::{Error, Router, State};
//! async fn flaky(State(tries): State<Arc<AtomicU32>>) -> Result<&'static str, Error> {
//!     match tries.fetch_add(1, Ordering::SeqCst) {
//!         0 => Err(Error::new("the warehouse is away")),
//!         _ => Ok("找到了"),
//!     }
//! }
//!
//! Router::new().fallback(flaky).test()
//!     .text("oAlice", "在吗").says_nothing()
//!     .pass(Duration::from_secs(3)).says("找到了");
//! ```

mod bot;
mod clock;
mod document;
mod platform;
mod said;
mod stage;

pub use self::bot::{ACCOUNT, BEGINS_AT, PATIENCE, TestBot};
pub use self::platform::ApiCall;
pub use self::said::{Fate, Outcome, Said};
use crate::dispatch::Router;

impl<S: Send + Sync + 'static> Router<S> {
    /// A bot with these routes and this state, in a test.
    ///
    /// # Panics
    /// When the routes are wrong; it says all that is.
    #[track_caller]
    pub fn test_with(self, state: S) -> TestBot {
        match self.with_state(state) {
            Ok(routes) => TestBot::new(routes),
            Err(errors) => panic!("{errors}"),
        }
    }

    /// The same with the state's default.
    ///
    /// # Panics
    /// As [`Router::test_with`].
    #[track_caller]
    pub fn test(self) -> TestBot
    where
        S: Default,
    {
        self.test_with(S::default())
    }
}
