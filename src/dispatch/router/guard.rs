//! When a route takes a push: beside what it takes, who receives it and what time it is.

use std::fmt;
use std::ops::Not;
use std::panic::Location;
use std::sync::Arc;

use super::hours::{Hours, HoursError};
use super::{Facts, RouteError, Router};
use crate::protocol::push::Push;

type Test = dyn Fn(&Push, &Facts) -> bool + Send + Sync;

/// A condition of a route, for [`Router::guard`]: [`account`], [`between`](crate::dispatch::between), or
/// a closure of your own in [`guard`].
#[derive(Clone)]
pub struct Guard {
    text: Arc<str>,
    test: Arc<Test>,
    /// Whether guards of one text are the same.
    is_known_by_text: bool,
    fault: Option<HoursError>,
}

/// Whatever a closure says of the push and of what is known beside it.
///
/// It is asked on the handlers' threads, for each push that its route would take: it should not wait. A
/// panic of it counts as a panic of the handler.
///
/// ```
/// use wxhook::dispatch::{Content, Router, guard};
///
/// async fn staff(Content(text): Content) -> String {
///     format!("内部：{text}")
/// }
/// let router = Router::<()>::new()
///     .fallback(staff)
///     .guard(guard(|push, _facts| push.from().as_str().starts_with("oStaff")).named("staff"));
/// ```
pub fn guard(test: impl Fn(&Push, &Facts) -> bool + Send + Sync + 'static) -> Guard {
    Guard {
        text: "a guard".into(),
        test: Arc::new(test),
        is_known_by_text: false,
        fault: None,
    }
}

/// Pushes that this account received: its configured name, such as `default`, or its AppID.
pub fn account(name_or_app_id: impl Into<String>) -> Guard {
    let wanted: String = name_or_app_id.into();
    let text = format!("account {wanted}");
    let test = move |_: &Push, facts: &Facts| {
        facts.account_name.as_deref() == Some(&wanted) || facts.account.as_str() == wanted
    };
    Guard::known(text, test)
}

impl Guard {
    fn known(text: String, test: impl Fn(&Push, &Facts) -> bool + Send + Sync + 'static) -> Self {
        Self {
            text: text.into(),
            test: Arc::new(test),
            is_known_by_text: true,
            fault: None,
        }
    }

    /// What it is called where a route is explained.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.text = name.into();
        self.is_known_by_text = false;
        self
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn lets(&self, push: &Push, facts: &Facts) -> bool {
        (self.test)(push, facts)
    }

    /// Whether both surely say the same, always.
    pub(super) fn is(&self, other: &Self) -> bool {
        let same_text = self.is_known_by_text && other.is_known_by_text && self.text == other.text;
        same_text || Arc::ptr_eq(&self.test, &other.test)
    }
}

impl From<Hours> for Guard {
    fn from(hours: Hours) -> Self {
        let text = hours.to_string();
        match hours.read() {
            Ok(open) => Self::known(text, move |_, facts| open.has(facts.now)),
            Err(fault) => Self {
                fault: Some(fault),
                ..Self::known(text, |_, _| false)
            },
        }
    }
}

impl Not for Guard {
    type Output = Self;

    /// Where the guard says no.
    fn not(self) -> Self {
        let test = self.test;
        Self {
            text: format!("not {}", self.text).into(),
            test: Arc::new(move |push, facts| !test(push, facts)),
            ..self
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({})", self.text)
    }
}

impl<S> Router<S> {
    /// What stands just before, a route or a group, takes only pushes that the guard lets. For any other
    /// push the route is passed over, and the next that fits is asked.
    ///
    /// Of several guards all must let a push. Routes may take the same pushes when their guards differ; the
    /// one registered first is asked first. A route that can never win, because one before it takes the
    /// same pushes under no more guards than it has, is reported at start.
    ///
    /// ```
    /// use wxhook::dispatch::{Router, between};
    ///
    /// async fn human() -> &'static str {
    ///     "正在为您转接客服。"
    /// }
    /// async fn closed() -> &'static str {
    ///     "客服时间：周一至周五 9:00–18:00。"
    /// }
    /// let router = Router::<()>::new()
    ///     .text("人工", human)
    ///     .guard(between("09:00", "18:00").on_weekdays())
    ///     .text("人工", closed);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn guard(mut self, guard: impl Into<Guard>) -> Self {
        let guard = guard.into();
        let at = Location::caller();
        if let Some(source) = &guard.fault {
            let source = source.clone();
            self.faults.push(RouteError::Hours { at, source });
        }
        self.of_latest("the guard", |fixture| fixture.guards.push(guard.clone()))
    }
}
