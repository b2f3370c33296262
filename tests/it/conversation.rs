//! Conversations: what a handler remembers of its user lives and dies with its outcome, on the real
//! store under the real engine, and under a server that is killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;
use wxhook::clock::{Clock, ManualClock, SystemClock};
use wxhook::dispatch::State;
use wxhook::id::{OpenId, PushId};
use wxhook::metric::Counter;
use wxhook::store::embedded::{Embedded, Settings as StoreSettings, View};
use wxhook::store::{
    Ended, Filter, LaneKey, MAX_CONVERSATION_BYTES, PushState, StoredConversation, Turned,
};
use wxhook::{Content, Conversation, ConversationError, Error, Image, Router, step};

use crate::crash::push_texts;
use crate::dispatch::kit::{House, Platform, account, other_account, quick};
use crate::main_job::{StandIn, variables};
use crate::support::{Program, eventually, open_store, run};

#[derive(Debug, Serialize, Deserialize)]
enum Order {
    AskedSize,
    Confirm { size: String },
}

const TEN_MINUTES: Duration = Duration::from_secs(600);

async fn begin(order: Conversation<Order>) -> Result<&'static str, Error> {
    order.set_for(Order::AskedSize, TEN_MINUTES)?;
    Ok("which size?")
}

async fn size(Content(size): Content, order: Conversation<Order>) -> Result<String, Error> {
    let question = format!("{size}, yes?");
    order.set_for(Order::Confirm { size }, TEN_MINUTES)?;
    Ok(question)
}

async fn confirm(Content(answer): Content, order: Conversation<Order>) -> String {
    order.clear();
    match order.get() {
        Some(Order::Confirm { size }) => format!("{answer}: {size}"),
        other => format!("nothing to confirm: {other:?}"),
    }
}

async fn echo(Content(text): Content) -> String {
    format!("echo {text}")
}

fn shop() -> Router<()> {
    Router::new()
        .text("order", begin)
        .text("help", async || "help")
        .click("MENU", async || "menu")
        .step(step!(Order::AskedSize).except(["help"]), size)
        .step(step!(Order::Confirm { .. }), confirm)
        .fallback(echo)
}

fn store(directory: &Path, clock: &Arc<dyn Clock>) -> Arc<Embedded> {
    let settings = StoreSettings {
        reserve_bytes: 0,
        ..StoreSettings::new(directory)
    };
    open_store(&settings, clock)
}

/// A house over a store on disk.
fn house(directory: &Path, clock: &Arc<dyn Clock>) -> (House, Arc<Embedded>) {
    let store = store(directory, clock);
    let house = House::over(store.clone(), Platform::scripted([]), Arc::clone(clock));
    (house, store)
}

async fn standing(house: &House, user: &str, clock: &dyn Clock) -> Option<StoredConversation> {
    let lane = LaneKey {
        account: account(),
        user: OpenId::new(user),
    };
    house.inbox.conversation(lane, clock.now()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_goes_from_step_to_step_and_is_forgotten_when_its_time_is_over() {
    let directory = TempDir::new().unwrap();
    let manual = Arc::new(ManualClock::at(1_700_000_000));
    let clock: Arc<dyn Clock> = manual.clone();
    let (house, _store) = house(directory.path(), &clock);
    let open = house.engine(shop(), (), quick());
    let said = async |text: &str| {
        let id = house.text("a", text).await;
        house.until(id, PushState::Done).await.attempts[0]
            .1
            .route
            .clone()
    };
    assert_eq!(said("L").await, "fallback", "nothing is asked yet");
    assert_eq!(said("order").await, "text \"order\"");
    assert_eq!(said("help").await, "text \"help\"", "let pass by the step");
    assert_eq!(said("L").await, "step Order::AskedSize except help");
    assert_eq!(said("order").await, "step Order::Confirm { .. }");
    assert_eq!(said("yes").await, "fallback", "it is cleared");

    said("order").await;
    manual.advance(TEN_MINUTES - Duration::from_secs(1));
    said("XL").await;
    manual.advance(TEN_MINUTES - Duration::from_secs(1));
    assert!(standing(&house, "a", &*clock).await.is_some());
    manual.advance(Duration::from_secs(1));
    assert!(standing(&house, "a", &*clock).await.is_none());
    assert_eq!(said("yes").await, "fallback", "it is forgotten");
    assert!(open.stop().await.clean);
    assert_eq!(
        house.platform.texts("a"),
        [
            "echo L",
            "which size?",
            "help",
            "L, yes?",
            "order: L",
            "echo yes",
            "which size?",
            "XL, yes?",
            "echo yes"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_and_messages_that_a_step_has_no_use_for_go_where_they_always_go() {
    let directory = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (house, _store) = house(directory.path(), &clock);
    let router = shop().on::<wxhook::push::Image, _>(async || Image::new("m"));
    let open = house.engine(router, (), quick());
    let route = async |id: PushId| {
        let story = house.until(id, PushState::Done).await;
        story.attempts[0].1.route.clone()
    };
    route(house.text("a", "order").await).await;
    assert_eq!(route(house.click("a", "MENU").await).await, "click MENU");
    assert_eq!(route(house.event("a", "VIEW").await).await, "fallback");
    let picture = "<MsgType>image</MsgType><MediaId>m</MediaId><PicUrl>u</PicUrl>";
    assert_eq!(route(house.message("a", picture).await).await, "on image");
    // Another user has no conversation, and this one still has.
    assert_eq!(route(house.text("b", "L").await).await, "fallback");
    let step = route(house.text("a", "L").await).await;
    assert_eq!(step, "step Order::AskedSize except help");
    open.tell_to_stop();
    open.stop().await;
}

/// Counts what its user said, and says it at the end only.
async fn count(
    Content(text): Content,
    user: OpenId,
    counted: Conversation<u32>,
) -> Result<Option<String>, Error> {
    let so_far = counted.get().copied().unwrap_or_default();
    match text.as_str() {
        "end" => Ok(Some(format!("{}: {so_far}", user.as_str()))),
        _ => {
            counted.set(so_far + 1)?;
            Ok(None)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_push_sees_what_the_one_before_it_set_and_users_do_not_mix() {
    let directory = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (house, _store) = house(directory.path(), &clock);
    let open = house.engine(Router::<()>::new().fallback(count), (), quick());
    let users: Vec<String> = (0..8).map(|number| format!("u{number}")).collect();
    for round in 0..20 {
        for (number, user) in users.iter().enumerate() {
            if round <= 10 + number {
                house.text(user, "one more").await;
            }
        }
    }
    for user in &users {
        house.text(user, "end").await;
    }
    house.settled().await;
    assert!(open.stop().await.clean);
    for (number, user) in users.iter().enumerate() {
        let expected = format!("{user}: {}", 11 + number);
        assert_eq!(house.platform.texts(user), [expected]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_two_accounts_has_a_conversation_with_each() {
    let directory = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (house, _store) = house(directory.path(), &clock);
    let open = house.engine(Router::<()>::new().fallback(count), (), quick());
    let accounts = [(account(), 3), (other_account(), 5)];
    for round in 0..5 {
        for (account, rounds) in &accounts {
            if round < *rounds {
                house.text_to(account, "a", "one more").await;
            }
        }
    }
    for (account, _) in &accounts {
        house.text_to(account, "a", "end").await;
    }
    house.settled().await;
    assert!(open.stop().await.clean);
    for (account, rounds) in &accounts {
        let expected = format!("a: {rounds}");
        assert_eq!(house.platform.texts_of(account), [expected], "{account}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_before_the_commit_leaves_the_old_state_and_after_it_the_new_one() {
    let directory = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let entered = Arc::new(Notify::new());
    let inside = Arc::clone(&entered);
    // Sets, and then hangs: the first process ends in it.
    let hang = move |order: Conversation<Order>| {
        let inside = Arc::clone(&inside);
        async move {
            let size = "nobody's".to_owned();
            order.set(Order::Confirm { size }).unwrap();
            inside.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let hanging = Router::<()>::new()
        .text("order", begin)
        .step(step!(Order::AskedSize), hang)
        .fallback(echo);
    let (first, store) = house(directory.path(), &clock);
    let open = first.engine(hanging, (), quick());
    let asked = first.text("a", "order").await;
    first.until(asked, PushState::Done).await;
    let answered = first.text("a", "M").await;
    entered.notified().await;
    open.kill().await;
    store.crash();
    drop((first, store));

    let (second, store) = house(directory.path(), &clock);
    let before = standing(&second, "a", &*clock).await.unwrap();
    assert_eq!(before.state, "\"AskedSize\"");
    let open = second.engine(shop(), (), quick());
    let story = second.until(answered, PushState::Done).await;
    assert_eq!(
        story.attempts[0].1.route,
        "step Order::AskedSize except help"
    );
    assert_eq!(story.turns.len(), 1);
    assert_eq!(story.turns[0].turned, Turned::Set);
    // Its parts and its state were one commit: whoever sees the push done sees both.
    open.kill().await;
    store.crash();
    drop((second, store));

    let (third, _store) = house(directory.path(), &clock);
    let after = standing(&third, "a", &*clock).await.unwrap();
    assert_eq!(after.state, r#"{"Confirm":{"size":"M"}}"#);
    let story = third.story(answered).await;
    assert_eq!(story.parts.len(), 1);
    let open = third.engine(shop(), (), quick());
    let last = third.text("a", "yes").await;
    let story = third.until(last, PushState::Done).await;
    assert_eq!(story.turns[0].turned, Turned::Cleared);
    assert!(open.stop().await.clean);
    assert_eq!(third.platform.texts("a").last().unwrap(), "yes: M");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_attempt_changes_nothing_and_a_replay_sees_where_the_conversation_stands_now() {
    let directory = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (house, _store) = house(directory.path(), &clock);
    let tries: Arc<AtomicU32> = Arc::default();
    let add = async |counted: Conversation<u32>,
                     State(tries): State<Arc<AtomicU32>>|
           -> Result<String, Error> {
        let before = counted.get().copied();
        counted.set(before.unwrap_or_default() + 1)?;
        match tries.fetch_add(1, Ordering::SeqCst) {
            1 | 2 => Err(Error::new(format!("it was {before:?}"))),
            _ => Ok(format!("it was {before:?}")),
        }
    };
    let router = Router::<Arc<AtomicU32>>::new().fallback(add);
    let open = house.engine(router, tries, quick());
    let first = house.text("a", "1").await;
    house.until(first, PushState::Done).await;
    let second = house.text("a", "2").await;
    let story = house.until(second, PushState::Done).await;
    let errors = story
        .attempts
        .iter()
        .map(|(_, attempt)| attempt.error.as_deref());
    let failed = Some("it was Some(1)");
    assert_eq!(errors.collect::<Vec<_>>(), [failed, failed, None]);
    let turns = story.turns.iter().map(|turn| (turn.attempt, turn.turned));
    assert_eq!(turns.collect::<Vec<_>>(), [(3, Turned::Set)]);
    open.replays.replay(first, true).await.unwrap();
    house.settled().await;
    let story = house.until(first, PushState::Done).await;
    assert_eq!(story.push.run, 2);
    assert!(open.stop().await.clean);
    assert_eq!(
        house.platform.texts("a"),
        ["it was None", "it was Some(1)", "it was Some(2)"]
    );
}

/// Written under one name and read under another: what an upgrade may do to a type.
#[derive(Debug, Serialize, Deserialize)]
struct Form {
    #[serde(rename(serialize = "surname", deserialize = "family_name"))]
    name: String,
}

async fn fill(Content(name): Content, form: Conversation<Form>) -> Result<String, Error> {
    let before = form.get().is_some();
    match name.as_str() {
        "look" => {}
        _ => form.set(Form { name })?,
    }
    Ok(format!("filled before: {before}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_upgrade_can_no_longer_read_begins_anew_once_and_stops_nobody() {
    let directory = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (house, _store) = house(directory.path(), &clock);
    let resets = || house.count(Counter::ConversationsReset);

    let open = house.engine(Router::<()>::new().fallback(fill), (), quick());
    for text in ["Li", "look", "look"] {
        let id = house.text("a", text).await;
        let story = house.until(id, PushState::Done).await;
        assert_eq!(story.attempts.len(), 1, "{text}");
    }
    assert_eq!(resets(), 1, "the second finds it, the third nothing");
    assert!(standing(&house, "a", &*clock).await.is_none());
    let id = house.text("b", "order").await;
    house.until(id, PushState::Done).await;
    assert!(open.stop().await.clean);

    // The next version has no forms any more.
    let open = house.engine(shop(), (), quick());
    let id = house.text("b", "order").await;
    let story = house.until(id, PushState::Done).await;
    assert_eq!(story.attempts[0].1.route, "text \"order\"");
    assert_eq!(resets(), 2);
    let now = standing(&house, "b", &*clock).await.unwrap();
    assert_eq!(now.state, "\"AskedSize\"", "what the handler sets counts");
    assert!(open.stop().await.clean);

    // Both types in one program: neither disturbs the other's conversation by looking.
    let look = async |form: Conversation<Form>| format!("a form: {}", form.get().is_some());
    let both = shop().click("LOOK", look);
    let open = house.engine(both, (), quick());
    let id = house.text("c", "order").await;
    house.until(id, PushState::Done).await;
    let id = house.click("c", "LOOK").await;
    house.until(id, PushState::Done).await;
    assert!(standing(&house, "c", &*clock).await.is_some());
    assert!(open.stop().await.clean);
    assert_eq!(resets(), 2);
    assert_eq!(house.platform.texts("c"), ["which size?", "a form: false"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_big_or_to_be_kept_too_long_is_an_error_for_its_handler_and_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (house, _store) = house(directory.path(), &clock);
    let write =
        async |Content(text): Content, notes: Conversation<String>| -> Result<String, Error> {
            let answer = match text.as_str() {
                // Two bytes of JSON stand around it.
                "full" => notes.set("x".repeat(MAX_CONVERSATION_BYTES - 2)),
                "too big" => notes.set("x".repeat(MAX_CONVERSATION_BYTES - 1)),
                _ => notes.set_for(text, Duration::from_secs(31 * 24 * 60 * 60)),
            };
            match answer {
                Ok(()) => Ok("set".to_owned()),
                Err(error @ ConversationError::TooLong { .. }) => Ok(error.to_string()),
                Err(error) => Err(Error::from(error).give_up()),
            }
        };
    let open = house.engine(Router::<()>::new().fallback(write), (), quick());
    let full = house.text("a", "full").await;
    house.until(full, PushState::Done).await;
    let big = house.text("a", "too big").await;
    let story = house.until(big, PushState::Dead).await;
    assert_eq!(
        story.push.reason.as_deref(),
        Some("a conversation of 16385 bytes is more than 16384")
    );
    assert_eq!(story.attempts[0].1.ended, Ended::GaveUp);
    let long = house.text("a", "too long").await;
    assert!(house.until(long, PushState::Done).await.turns.is_empty());
    let kept = standing(&house, "a", &*clock).await.unwrap();
    assert_eq!(kept.state.len(), MAX_CONVERSATION_BYTES);
    assert!(open.stop().await.clean);
    assert_eq!(
        house.platform.texts("a"),
        [
            "set",
            "a conversation is remembered for 30 days at most, not for 2678400 s"
        ]
    );
}

/// Every push's id in a data directory, by its text.
fn ids(data_dir: &Path) -> BTreeMap<String, PushId> {
    let view = View::open(data_dir).unwrap();
    let pushes = view.list(&Filter::default()).unwrap();
    let content = |body: &[u8]| {
        let text = String::from_utf8_lossy(body).into_owned();
        let (_, rest) = text.split_once("<Content><![CDATA[")?;
        Some(rest.split_once("]]>")?.0.to_owned())
    };
    pushes
        .into_iter()
        .filter_map(|push| Some((content(&push.body)?, push.id)))
        .collect()
}

#[test]
fn a_purchase_goes_on_after_the_server_was_killed_between_question_and_answer() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let start = || {
        let directory = data_dir.to_str().unwrap();
        let mut program = Program::start(
            &["serve"],
            &variables(&stand_in.url, directory, "127.0.0.1:0"),
        );
        let (address, _) = program.ready();
        (program, format!("http://{address}/wechat"))
    };
    let told = |count: usize| {
        eventually("the replies", || {
            let told = stand_in.told().remove("oCheckUser").unwrap_or_default();
            (told.len() == count).then_some(told)
        })
    };
    for (count, text) in [(1, "购买"), (2, "xl"), (3, "L"), (4, "是"), (5, "是")] {
        let (mut program, url) = start();
        push_texts(&url, &[text.to_owned()]);
        told(count);
        program.kill();
    }
    let told = told(5);
    assert!(told[0].contains("尺码"), "{told:?}");
    assert!(told[1].contains("没有"), "{told:?}");
    assert!(told[2].contains('L') && told[2].contains("是"), "{told:?}");
    assert!(told[3].contains("已下单：L 码"), "{told:?}");
    assert!(
        told[4].contains("您说：是"),
        "the purchase is over: {told:?}"
    );

    let id = ids(&data_dir)["L"].to_string();
    let environment = [("WXHOOK_DATA_DIR", data_dir.to_str().unwrap())];
    let (code, out, err) = run(&["inbox", "show", &id], &environment, "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("conversation set"), "{out}");
    let (_, out, _) = run(&["inbox", "show", &id, "--json"], &environment, "");
    let story: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(story["turns"][0]["conversation"], json!("set"), "{story}");
    assert_eq!(story["turns"][0]["attempt"], json!(1));
    assert!(story["turns"][0].get("state").is_none());
}
