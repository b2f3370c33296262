//! Routers in routers.

use std::sync::Arc;

use super::Router;

impl<S> Router<S> {
    /// Takes all routes of another router, with their layers and guards. What is written after it concerns
    /// them too, as the routes before.
    ///
    /// The most specific route of all wins, whichever router it comes from; of equally specific ones, the
    /// one that was registered first.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.latest = self.entries.len();
        self.entries.extend(other.entries);
        self.faults.extend(other.faults);
        self
    }

    /// The same as a named group: its routes bear the name before their own, such as `shop: click ORDER`,
    /// in attempts, dead letters and explanations.
    ///
    /// ```
    /// use wxhook::dispatch::{Attempts, Router, account};
    ///
    /// async fn newest() -> &'static str {
    ///     "还没有订单。"
    /// }
    /// async fn welcome() -> &'static str {
    ///     "欢迎！"
    /// }
    /// let shop = Router::<()>::new()
    ///     .click("ORDER", newest)
    ///     .layer(Attempts::after(["1s", "10m"]));
    /// let routes = Router::new()
    ///     .nest("shop", shop)
    ///     .guard(account("shop"))
    ///     .fallback(welcome)
    ///     .with_state(())?;
    /// assert_eq!(routes.names().collect::<Vec<_>>(), ["shop: click ORDER", "fallback"]);
    /// # Ok::<(), wxhook::dispatch::RouteErrors>(())
    /// ```
    #[must_use]
    pub fn nest(self, name: impl Into<Arc<str>>, mut router: Self) -> Self {
        let name = name.into();
        for entry in &mut router.entries {
            entry.fixture.groups.insert(0, Arc::clone(&name));
        }
        self.merge(router)
    }
}
