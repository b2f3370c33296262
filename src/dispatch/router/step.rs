//! Routes by where a conversation stands.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Router;
use super::rule::Rule;
use crate::dispatch::conversation::{ConversationType, read};
use crate::dispatch::handler::Handler;
use crate::protocol::push::{Kind, Push, Typed};
use crate::store::StoredConversation;

/// A step of a conversation, for [`Router::step`]: made by [`step!`](crate::step).
#[derive(Clone)]
pub struct Step {
    name: &'static str,
    of: ConversationType,
    stands: Arc<dyn Fn(&StoredConversation) -> bool + Send + Sync>,
    except: Vec<String>,
}

impl Step {
    /// Conversations of which this is so, with a name for people: what [`step!`](crate::step) calls.
    pub fn new<C: DeserializeOwned + 'static>(name: &'static str, is: fn(&C) -> bool) -> Self {
        Self {
            name,
            of: ConversationType::of::<C>(),
            stands: Arc::new(move |stored| read::<C>(stored).is_some_and(|state| is(&state))),
            except: Vec::new(),
        }
    }

    /// Lets these exact texts pass: they go where they would go without a conversation.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use wxhook::dispatch::{Conversation, Router};
    /// # use wxhook::step;
    /// # #[derive(Serialize, Deserialize)]
    /// # enum Order { AskedSize }
    /// # async fn size() {}
    /// async fn cancel(order: Conversation<Order>) -> &'static str {
    ///     order.clear();
    ///     "已取消。"
    /// }
    /// let router = Router::<()>::new()
    ///     .step(step!(Order::AskedSize).except(["取消"]), size)
    ///     .text("取消", cancel);
    /// ```
    #[must_use]
    pub fn except<T: Into<String>>(mut self, texts: impl IntoIterator<Item = T>) -> Self {
        self.except.extend(texts.into_iter().map(Into::into));
        self
    }

    /// The type of its conversations.
    pub(super) const fn of(&self) -> ConversationType {
        self.of
    }

    /// Whether it takes this push of a user whose conversation stands there.
    pub(super) fn takes(&self, push: &Push, stored: &StoredConversation) -> bool {
        let passes = match push.typed() {
            Typed::Text(text) => self.except.contains(&text.content),
            _ => false,
        };
        push.kind() == Kind::Message && !passes && (self.stands)(stored)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        match &self.except[..] {
            [] => Ok(()),
            texts => write!(f, " except {}", texts.join(", ")),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({self})")
    }
}

/// A step of a conversation, for [`Router::step`](crate::dispatch::Router::step): the users whose
/// [`Conversation`](crate::dispatch::Conversation) matches a pattern, which may have an `if`.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use wxhook::dispatch::Router;
/// use wxhook::step;
///
/// #[derive(Serialize, Deserialize)]
/// enum Order {
///     AskedSize,
///     AskedCount { tries: u32 },
/// }
/// # async fn size() {}
/// # async fn count() {}
/// # async fn help() {}
///
/// let routes = Router::<()>::new()
///     .step(step!(Order::AskedSize), size)
///     .step(step!(Order::AskedCount { tries } if *tries > 2), help)
///     .step(step!(Order::AskedCount { .. }), count)
///     .with_state(())?;
/// assert_eq!(routes.names().next(), Some("step Order::AskedSize"));
/// # Ok::<(), wxhook::dispatch::RouteErrors>(())
/// ```
#[macro_export]
macro_rules! step {
    ($pattern:pat $(if $guard:expr)? $(,)?) => {
        $crate::dispatch::Step::new(
            ::core::stringify!($pattern $(if $guard)?),
            |state: &_| ::core::matches!(state, $pattern $(if $guard)?),
        )
    };
}

impl<S> Router<S> {
    /// Every message, of any type, of a user whose conversation stands at this [`step!`](crate::step).
    /// Steps come before all other routes, also before exact texts; of several that fit, the one that was
    /// registered first wins. Events, such as a tap on a menu button, are never taken by a step.
    ///
    /// A handler whose arguments need a certain kind of message, such as `Content`, gets only that kind:
    /// others go where they would go without a conversation.
    #[must_use]
    #[track_caller]
    pub fn step<I>(self, step: Step, handler: impl Handler<S, I>) -> Self {
        self.route(Rule::Step(step), handler)
    }
}

#[cfg(test)]
mod tests {
    use std::any::type_name;

    use bytes::Bytes;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::clock::Timestamp;
    use crate::dispatch::{Conversation, Facts};
    use crate::id::AppId;

    #[derive(Serialize, Deserialize)]
    enum Order {
        AskedSize,
        AskedCount { tries: u32 },
    }

    async fn nothing() {}

    fn stored(state: &Order) -> StoredConversation {
        StoredConversation {
            type_name: type_name::<Order>().to_owned(),
            state: serde_json::to_string(state).unwrap(),
            expires_at: Timestamp::from_seconds(1_700_000_000),
        }
    }

    fn push(inner: &str) -> Push {
        let body = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
             <CreateTime>1700000000</CreateTime>{inner}</xml>"
        );
        Push::parse(&AppId::parse("wx1").unwrap(), &Bytes::from(body)).unwrap()
    }

    fn text(content: &str) -> Push {
        push(&format!(
            "<MsgType>text</MsgType><MsgId>1</MsgId><Content>{content}</Content>"
        ))
    }

    #[test]
    fn the_first_step_that_fits_takes_messages_and_lets_pass_what_it_was_told_to() {
        let routes = Router::<()>::new()
            .text("help", nothing)
            .step(step!(Order::AskedCount { tries } if *tries > 2), nothing)
            .step(step!(Order::AskedCount { .. }).except(["help"]), nothing)
            .with_state(())
            .unwrap();
        let event = push("<MsgType>event</MsgType><Event>CLICK</Event><EventKey>K</EventKey>");
        let image = push("<MsgType>image</MsgType><MsgId>1</MsgId><MediaId>m</MediaId>");
        let count = |tries| stored(&Order::AskedCount { tries });
        let guarded = Some("step Order::AskedCount { tries } if *tries > 2");
        let last = Some("step Order::AskedCount { .. } except help");
        for (name, push, stored, expected) in [
            ("a fitting guard", text("1"), Some(count(3)), guarded),
            ("no fitting guard", text("1"), Some(count(2)), last),
            ("any message", image, Some(count(2)), last),
            ("an exact text", text("help"), Some(count(3)), guarded),
            (
                "an exception",
                text("help"),
                Some(count(2)),
                Some("text \"help\""),
            ),
            ("an event", event, Some(count(3)), None),
            (
                "another step",
                text("1"),
                Some(stored(&Order::AskedSize)),
                None,
            ),
            ("no conversation", text("1"), None, None),
        ] {
            let mut facts = Facts::new(AppId::unknown(), Timestamp::from_seconds(0));
            facts.conversation = stored;
            let winner = routes.explain(&push, &facts).winner;
            let route = winner.map(|winner| winner.route);
            assert_eq!(route.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn the_same_step_twice_is_a_fault_and_each_type_of_conversation_is_known_once() {
        let twice = Router::<()>::new()
            .step(step!(Order::AskedSize), nothing)
            .step(step!(Order::AskedSize), nothing);
        let faults = twice.check().unwrap_err().to_string();
        assert!(
            faults.contains("step Order::AskedSize at") && faults.contains("can never win"),
            "{faults}"
        );

        async fn peek(_: Conversation<Order>, _: Conversation<String>) {}
        let routes = Router::<()>::new()
            .text("a", nothing)
            .text("b", peek)
            .step(step!(Order::AskedSize), peek)
            .with_state(())
            .unwrap();
        assert_eq!(routes.conversations().len(), 2);
        let none = Router::<()>::new().fallback(nothing).with_state(());
        assert!(none.unwrap().conversations().is_empty());
    }
}
