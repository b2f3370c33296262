use proptest::prelude::*;

use super::*;
use crate::protocol::push::Window;

const START: i64 = 1_700_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(START + seconds)
}

fn account() -> AppId {
    AppId::parse("wx0123456789abcdef").unwrap()
}

fn user(name: &str) -> OpenId {
    OpenId::new(name)
}

/// Windows that know everything there is to know.
fn windows(settings: Settings) -> Windows {
    let mut windows = Windows::new(settings, at(0));
    windows.remembered(Some(at(-1_000_000)));
    windows
}

fn act(windows: &mut Windows, seconds: i64, window: Window) {
    let received = at(seconds);
    let opens = Act::Opens(window);
    windows.acted(
        &account(),
        &user("a"),
        opens,
        Some(START + seconds),
        received,
    );
}

fn take(windows: &mut Windows, seconds: i64) -> Result<Taken, Closed> {
    windows.take(at(seconds), &account(), &user("a"))
}

/// Takes all that is known to be open.
fn takes(windows: &mut Windows, seconds: i64) -> u32 {
    let mut count = 0;
    while matches!(standing(windows, seconds), Standing::Open { .. }) {
        take(windows, seconds).unwrap();
        count += 1;
    }
    count
}

fn standing(windows: &Windows, seconds: i64) -> Standing {
    windows.standing(at(seconds), &account(), &user("a"))
}

fn open(remaining: u32, closes: i64) -> Standing {
    Standing::Open {
        remaining,
        closes_at: at(closes),
    }
}

const HOURS_48: i64 = 48 * 60 * 60;

#[test]
fn each_scene_allows_its_messages_for_its_time() {
    for (window, messages, lasts, code_after) in [
        (Window::Message, 5, HOURS_48, 45015),
        (Window::Menu, 3, 60, 45015),
        (Window::Follow, 3, 60, 45015),
        (Window::Scan, 3, 60, 45015),
    ] {
        let mut windows = windows(Settings::default());
        act(&mut windows, 0, window);
        assert_eq!(
            standing(&windows, lasts - 1),
            open(messages, lasts),
            "{window:?}"
        );
        assert_eq!(takes(&mut windows, 0), messages, "{window:?}");
        let closed = take(&mut windows, lasts - 1).unwrap_err();
        assert_eq!(closed.code(), 45047, "{window:?}");
        act(&mut windows, lasts, window);
        assert!(take(&mut windows, 2 * lasts - 1).is_ok(), "{window:?}");
        let closed = take(&mut windows, 2 * lasts).unwrap_err();
        assert_eq!(closed.code(), code_after, "{window:?}");
    }
}

#[test]
fn a_refusal_says_which_window_and_what_was_used_of_it() {
    let mut windows = windows(Settings::default());
    let silent = take(&mut windows, 0).unwrap_err();
    assert_eq!(
        silent.to_string(),
        "the user did nothing within 48 h that opens a window"
    );
    act(&mut windows, 0, Window::Menu);
    takes(&mut windows, 1);
    insta::assert_snapshot!(
        take(&mut windows, 1).unwrap_err(),
        @"the window of 1 min is used up: 3 of 3 messages used; it closes at 2023-11-14T22:14:20Z"
    );
    insta::assert_snapshot!(
        take(&mut windows, 60).unwrap_err(),
        @"the window of 1 min closed at 2023-11-14T22:14:20Z: 3 of 3 messages used"
    );
    windows.acted(&account(), &user("a"), Act::ClosesAll, None, at(70));
    insta::assert_snapshot!(
        take(&mut windows, 71).unwrap_err(),
        @"the user stopped to follow at 2023-11-14T22:14:30Z"
    );
    act(&mut windows, 80, Window::Message);
    let taken = take(&mut windows, 81).unwrap();
    assert!(windows.refused(at(82), &taken, 48002));
    insta::assert_snapshot!(
        take(&mut windows, 83).unwrap_err(),
        @"the platform refused the message before it at 2023-11-14T22:14:42Z with code 48002 (the user switched messages off)"
    );
}

#[test]
fn a_message_uses_the_grant_that_closes_soonest_and_an_act_refills_its_own_scene_alone() {
    let mut windows = windows(Settings::default());
    act(&mut windows, 0, Window::Message);
    act(&mut windows, 10, Window::Menu);
    assert_eq!(standing(&windows, 10), open(8, HOURS_48));
    let taken = take(&mut windows, 11).unwrap();
    assert_eq!(taken.closes_at(), Some(at(HOURS_48)));
    // Two of the menu and five of the message are left; then the minute is over.
    assert_eq!(standing(&windows, 11), open(7, HOURS_48));
    assert_eq!(standing(&windows, 70), open(5, HOURS_48));
    act(&mut windows, 100, Window::Menu);
    assert_eq!(standing(&windows, 100), open(8, HOURS_48));
    act(&mut windows, 101, Window::Menu);
    assert_eq!(standing(&windows, 101), open(8, HOURS_48));
}

#[test]
fn with_shared_buckets_a_message_uses_one_of_every_open_grant() {
    let mut windows = windows(Settings {
        buckets: Buckets::Shared,
        ..Settings::default()
    });
    act(&mut windows, 0, Window::Message);
    act(&mut windows, 0, Window::Menu);
    assert_eq!(standing(&windows, 0), open(5, HOURS_48));
    assert_eq!(takes(&mut windows, 0), 5);
    assert_eq!(take(&mut windows, 0).unwrap_err().code(), 45047);
}

#[test]
fn the_windows_of_accounts_and_users_are_their_own() {
    let mut windows = windows(Settings::default());
    act(&mut windows, 0, Window::Message);
    let other = AppId::parse("wxfedcba9876543210").unwrap();
    assert!(windows.take(at(0), &other, &user("a")).is_err());
    assert!(windows.take(at(0), &account(), &user("b")).is_err());
    assert!(take(&mut windows, 0).is_ok());
}

#[test]
fn what_was_not_delivered_is_given_back_unless_its_grant_is_gone() {
    let mut windows = windows(Settings::default());
    act(&mut windows, 0, Window::Menu);
    let taken = take(&mut windows, 1).unwrap();
    windows.give_back(&taken);
    assert_eq!(standing(&windows, 1), open(3, 60));
    let taken = take(&mut windows, 2).unwrap();
    act(&mut windows, 3, Window::Menu);
    windows.give_back(&taken);
    assert_eq!(
        standing(&windows, 3),
        open(3, 63),
        "a full grant does not overflow"
    );
}

#[test]
fn the_platforms_verdict_wins_unless_the_user_acted_meanwhile() {
    for code in [45015, 45047, 48002, 40003, 43004, 50005, 43019] {
        let mut windows = windows(Settings::default());
        act(&mut windows, 0, Window::Message);
        act(&mut windows, 0, Window::Menu);
        let taken = take(&mut windows, 1).unwrap();
        assert!(windows.refused(at(2), &taken, code), "{code}");
        let closed = take(&mut windows, 3).unwrap_err();
        let expected = Closed::Refused { code, at: at(2) };
        assert_eq!((closed.code(), closed), (code, expected), "{code}");
        act(&mut windows, 4, Window::Message);
        assert_eq!(standing(&windows, 4), open(5, 4 + HOURS_48), "{code}");

        let taken = take(&mut windows, 5).unwrap();
        act(&mut windows, 6, Window::Message);
        assert!(windows.refused(at(7), &taken, code), "{code}");
        assert_eq!(standing(&windows, 7), open(5, 6 + HOURS_48), "{code}");
    }
    let mut windows = windows(Settings::default());
    act(&mut windows, 0, Window::Message);
    let taken = take(&mut windows, 0).unwrap();
    for code in [-1, 0, 40001, 45009, 45002] {
        assert!(!windows.refused(at(1), &taken, code), "{code}");
    }
    assert_eq!(standing(&windows, 1), open(4, HOURS_48));
}

#[test]
fn a_window_begins_with_the_act_and_not_with_a_clock_that_differs() {
    for (name, create_time, expected) in [
        ("delivered at the third try", START + 985, 985 + 60),
        ("by a clock that is an hour behind", START - 2_600, 980 + 60),
        (
            "by a clock that is an hour ahead",
            START + 4_600,
            1_000 + 60,
        ),
    ] {
        let mut windows = windows(Settings::default());
        let opens = Act::Opens(Window::Menu);
        windows.acted(&account(), &user("a"), opens, Some(create_time), at(1_000));
        assert_eq!(standing(&windows, 1_000), open(3, expected), "{name}");
    }
}

#[test]
fn what_was_not_seen_is_unknown_and_may_be_tried() {
    let mut young = Windows::new(Settings::default(), at(0));
    assert_eq!(
        standing(&young, 10),
        Standing::Unknown,
        "not remembered yet"
    );
    assert_eq!(take(&mut young, 10).unwrap().closes_at(), None);
    young.remembered(None);
    assert_eq!(
        standing(&young, HOURS_48 - 21),
        Standing::Unknown,
        "too young"
    );
    let closed = matches!(standing(&young, HOURS_48), Standing::Closed(_));
    assert!(closed, "old enough");

    let mut young = Windows::new(Settings::default(), at(0));
    young.remembered(None);
    act(&mut young, 5, Window::Menu);
    takes(&mut young, 5);
    assert_eq!(
        standing(&young, 5),
        Standing::Unknown,
        "there may be a message from yesterday"
    );
    act(&mut young, 6, Window::Message);
    assert_eq!(takes(&mut young, 6), 5);
    assert!(
        matches!(standing(&young, 6), Standing::Closed(_)),
        "all is known"
    );
    let taken = young.take(at(7), &account(), &user("b")).unwrap();
    young.refused(at(7), &taken, 45015);
    assert!(
        young.take(at(8), &account(), &user("b")).is_err(),
        "the platform has said it"
    );
}

#[test]
fn what_a_former_process_saw_is_remembered_beside_what_this_one_sees() {
    let mut windows = Windows::new(Settings::default(), at(0));
    let (account, opens) = (account(), Act::Opens(Window::Message));
    // This process sends to `a` before it remembers, and hears from `b`.
    take(&mut windows, 10).unwrap();
    windows.acted(&account, &user("b"), opens, Some(START + 20), at(20));

    let remember = |windows: &mut Windows, name: &str, act: Act, seconds: i64| {
        windows.remember_act(
            &account,
            &user(name),
            act,
            Some(START + seconds),
            at(seconds),
        );
    };
    remember(&mut windows, "a", opens, -500);
    windows.remember_sent(&account, &user("a"), at(-450));
    remember(&mut windows, "a", opens, -400);
    windows.remember_sent(&account, &user("a"), at(-300));
    windows.remember_sent(&account, &user("a"), at(-200));
    remember(&mut windows, "b", opens, -300);
    windows.remember_sent(&account, &user("b"), at(-200));
    remember(&mut windows, "c", opens, -300);
    remember(&mut windows, "c", Act::ClosesAll, -200);
    remember(&mut windows, "d", opens, -HOURS_48);
    windows.remembered(Some(at(-HOURS_48)));

    let standing = |name: &str| windows.standing(at(30), &account, &user(name));
    assert_eq!(standing("a"), open(2, HOURS_48 - 400), "5, 2 then, 1 now");
    assert_eq!(standing("b"), open(5, HOURS_48 + 20), "what is newer stays");
    let closed = Closed::Unfollowed { at: at(-200) };
    assert_eq!(standing("c"), Standing::Closed(closed));
    assert!(matches!(standing("d"), Standing::Closed(_)), "over");
}

#[test]
fn users_beyond_the_bound_become_unknown_and_those_who_are_through_are_forgotten() {
    let mut windows = windows(Settings {
        users: 100,
        ..Settings::default()
    });
    let opens = Act::Opens(Window::Message);
    for number in 0..150 {
        let user = user(&format!("o{number}"));
        windows.acted(&account(), &user, opens, None, at(number));
        assert!(windows.users() <= 100);
    }
    let standing =
        |windows: &Windows, name: &str| windows.standing(at(200), &account(), &user(name));
    assert_eq!(standing(&windows, "o3"), Standing::Unknown, "dropped");
    assert_eq!(standing(&windows, "o149"), open(5, 149 + HOURS_48));

    for number in 0..100 {
        act(&mut windows, HOURS_48 + 2_000 + number, Window::Menu);
    }
    assert_eq!(windows.users(), 1, "the others have no window any more");
    let due: usize = windows.due.values().map(Vec::len).sum();
    assert_eq!(due, 1, "each user stands once among those to be looked at");
}

#[test]
fn a_clock_that_is_set_back_makes_the_silent_unknown_and_leaves_the_others_open() {
    let mut windows = windows(Settings::default());
    act(&mut windows, 5_000, Window::Message);
    assert_eq!(
        takes(&mut windows, 1_000),
        5,
        "set back by more than an hour"
    );
    let other = windows.standing(at(1_001), &account(), &user("b"));
    assert_eq!(other, Standing::Unknown);
}

#[test]
fn a_user_takes_about_a_hundred_bytes() {
    let users = 200_000;
    let mut windows = windows(Settings::default());
    for number in 0..users {
        let user = user(&format!("oAbCdEfGhIjKlMnOpQrSt{number:07}"));
        windows.acted(
            &account(),
            &user,
            Act::Opens(Window::Message),
            None,
            at(number / 100),
        );
    }
    assert_eq!(windows.users(), users as usize);
    let entry = size_of::<(Key, User)>() + 1;
    let due: usize = windows.due.values().map(Vec::capacity).sum();
    let bytes = windows.users.capacity() * 8 / 7 * entry + due * size_of::<Key>();
    assert!(
        bytes / windows.users() <= 110,
        "{}",
        bytes / windows.users()
    );
}

/// One thing that happens, so many seconds after the last.
#[derive(Debug, Clone, Copy)]
enum Step {
    Act(Window),
    Unfollow,
    Send,
    SendInVain,
    Refused,
}

fn step() -> impl Strategy<Value = (i64, Step)> {
    let window = prop::sample::select(vec![
        Window::Message,
        Window::Menu,
        Window::Follow,
        Window::Scan,
    ]);
    let step = prop_oneof![
        3 => window.prop_map(Step::Act),
        1 => Just(Step::Unfollow),
        6 => Just(Step::Send),
        1 => Just(Step::SendInVain),
        1 => Just(Step::Refused),
    ];
    (0..40_i64, step)
}

/// The rules once more, as a list of grants that is searched.
#[derive(Default)]
struct Model(Vec<(Window, i64, u32)>);

impl Model {
    fn open(&self, now: i64, settings: &Settings) -> Vec<usize> {
        let mut open: Vec<_> = (0..self.0.len())
            .filter(|at| self.0[*at].2 > 0 && now < self.closes(*at, settings))
            .collect();
        // Of those that close together the first in the order of scenes.
        open.sort_by_key(|at| (self.closes(*at, settings), self.0[*at].0 as usize));
        open
    }

    fn closes(&self, at: usize, settings: &Settings) -> i64 {
        let (window, opened, _) = self.0[at];
        opened + i64::try_from(settings.figure(window).lasts().as_secs()).unwrap()
    }

    fn send(&mut self, now: i64, settings: &Settings) -> bool {
        let open = self.open(now, settings);
        let used = match settings.buckets {
            Buckets::Separate => open.iter().take(1),
            Buckets::Shared => open.iter().take(usize::MAX),
        };
        used.for_each(|at| self.0[*at].2 -= 1);
        !open.is_empty()
    }
}

proptest! {
    #[test]
    fn windows_do_what_a_list_of_grants_does(
        steps in prop::collection::vec(step(), 1..60), shared in any::<bool>(),
    ) {
        let settings = Settings {
            message: Figure::new(4, Duration::from_secs(300)).unwrap(),
            buckets: if shared { Buckets::Shared } else { Buckets::Separate },
            ..Settings::default()
        };
        let (mut windows, mut model) = (windows(settings.clone()), Model::default());
        let mut now = 0;
        for (pause, step) in steps {
            now += pause;
            match step {
                Step::Act(window) => {
                    act(&mut windows, now, window);
                    model.0.retain(|grant| grant.0 != window);
                    let full = settings.figure(window).messages();
                    model.0.push((window, now, u32::from(full)));
                }
                Step::Unfollow => {
                    windows.acted(&account(), &user("a"), Act::ClosesAll, None, at(now));
                    model.0.clear();
                }
                Step::Send => {
                    prop_assert_eq!(take(&mut windows, now).is_ok(), model.send(now, &settings));
                }
                Step::SendInVain => {
                    if let Ok(taken) = take(&mut windows, now) {
                        windows.give_back(&taken);
                    }
                }
                Step::Refused => {
                    if let Ok(taken) = take(&mut windows, now) {
                        windows.refused(at(now), &taken, 45047);
                        model.0.clear();
                    }
                }
            }
            let open = model.open(now, &settings);
            let left = open.iter().map(|at| model.0[*at].2);
            let remaining = if shared { left.max().unwrap_or(0) } else { left.sum() };
            match standing(&windows, now) {
                Standing::Open { remaining: found, closes_at } => {
                    prop_assert_eq!(found, remaining);
                    let closes = open.iter().map(|at| model.closes(*at, &settings)).max();
                    prop_assert_eq!(Some(closes_at), closes.map(at));
                }
                _ => prop_assert_eq!(remaining, 0),
            }
        }
    }
}
