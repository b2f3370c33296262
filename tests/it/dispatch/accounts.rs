//! Whose push it is: that comes with the push, whatever threads work on it, and one user of two accounts is two.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::yield_now;
use wxhook::dispatch::{
    Accounts, Content, Context, Error, FromPush, Rejection, Reply, Router, blocking, pattern,
    wait_for,
};
use wxhook::id::AppId;
use wxhook::store::PushState;

use super::kit::{House, account, other_account, quick};

/// A house of both.
fn house() -> House {
    let mut house = House::new();
    house.accounts = Accounts::named([(account(), "default"), (other_account(), "other")]);
    house
}

/// The account of the push in hand.
struct Receiver(AppId);

impl<S> FromPush<S> for Receiver {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        Ok(Self(context.account().clone()))
    }
}

/// Lets others go on, on this thread and on the others.
async fn let_others_go_on() {
    for _ in 0..7 {
        yield_now().await;
    }
}

/// Says twice whose push it is, once at once and once at the end.
async fn tell(
    Receiver(account): Receiver,
    Content(text): Content,
    reply: Reply,
) -> Result<String, Error> {
    let_others_go_on().await;
    reply.send(format!("{account} {text} begun")).await?;
    let_others_go_on().await;
    Ok(format!("{account} {text}"))
}

/// The same, without `await`.
fn tell_plainly(
    Receiver(account): Receiver,
    Content(text): Content,
    reply: Reply,
) -> Result<String, Error> {
    std::thread::yield_now();
    wait_for(reply.send(format!("{account} {text} begun")))?;
    std::thread::yield_now();
    Ok(format!("{account} {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reply_is_sent_in_the_name_of_the_account_whose_push_it_answers() {
    const USERS: usize = 5;
    let house = house();
    let router = Router::<()>::new()
        .text(pattern("^plainly"), blocking(tell_plainly))
        .fallback(tell);
    let open = house.engine(router, (), quick());
    let text = |number: usize| match number % 3 {
        0 => format!("plainly {number}"),
        _ => format!("{number}"),
    };
    for number in 0..50 {
        let user = format!("user{}", number % USERS);
        for account in [account(), other_account()] {
            house.text_to(&account, &user, &text(number)).await;
        }
    }
    house.settled().await;
    assert!(open.stop().await.clean);
    for account in [account(), other_account()] {
        let mut told = house.platform.texts_of(&account);
        let said = |number| {
            let said = format!("{account} {}", text(number));
            [format!("{said} begun"), said]
        };
        let mut expected: Vec<String> = (0..50).flat_map(said).collect();
        told.sort();
        expected.sort();
        assert_eq!(told, expected, "{account}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_of_one_user_to_two_accounts_run_at_once() {
    let house = house();
    // Nobody gets through alone.
    let both = Arc::new(Barrier::new(2));
    let meet = move || {
        let both = Arc::clone(&both);
        async move {
            both.wait().await;
        }
    };
    let open = house.engine(Router::<()>::new().fallback(meet), (), quick());
    let ids = [
        house.text_to(&account(), "a", "hello").await,
        house.text_to(&other_account(), "a", "hello").await,
    ];
    for id in ids {
        let story = house.until(id, PushState::Done).await;
        assert_eq!(story.attempts.len(), 1);
    }
    assert!(open.stop().await.clean);
}
