//! How often one user may ask: each question costs money.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use wxhook::OpenId;

const MINUTE: Duration = Duration::from_secs(60);

/// Users of one minute that are counted; some 100 bytes each. Beyond them nobody new is answered.
const MOST_USERS: usize = 20_000;

/// Questions of each user in a minute that begins with the first.
pub(super) struct Rate {
    per_minute: u8,
    users: Mutex<HashMap<OpenId, Minute>>,
}

struct Minute {
    /// On the monotonic clock.
    began: Duration,
    asked: u8,
}

impl Rate {
    pub(super) fn new(per_minute: u8) -> Self {
        Self {
            per_minute,
            users: Mutex::default(),
        }
    }

    /// Counts a question, if the user may ask one now, on the monotonic clock.
    pub(super) fn take(&self, user: &OpenId, now: Duration) -> bool {
        let mut users = self.users.lock().unwrap_or_else(|e| e.into_inner());
        let is_over = |minute: &Minute| now.saturating_sub(minute.began) >= MINUTE;
        if users.len() >= MOST_USERS && !users.contains_key(user) {
            users.retain(|_, minute| !is_over(minute));
            if users.len() >= MOST_USERS {
                return false;
            }
        }
        let fresh = Minute {
            began: now,
            asked: 0,
        };
        let minute = users.entry(user.clone()).or_insert(fresh);
        if is_over(minute) {
            *minute = Minute {
                began: now,
                asked: 0,
            };
        }
        let may = minute.asked < self.per_minute;
        minute.asked += u8::from(may);
        may
    }

    /// A question is put again without the user's doing: it was not one yet.
    pub(super) fn give_back(&self, user: &OpenId) {
        let mut users = self.users.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(minute) = users.get_mut(user) {
            minute.asked = minute.asked.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_so_many_questions_in_a_minute_and_the_table_does_not_grow() {
        let rate = Rate::new(2);
        let start = Duration::from_secs(1_000);
        let user = OpenId::new("a");
        assert!(rate.take(&user, start));
        assert!(rate.take(&user, start + MINUTE / 2));
        assert!(!rate.take(&user, start + MINUTE / 2));
        rate.give_back(&user);
        assert!(rate.take(&user, start + MINUTE / 2));
        assert!(!rate.take(&user, start + MINUTE / 2));
        assert!(rate.take(&OpenId::new("b"), start));
        assert!(rate.take(&user, start + MINUTE));

        let later = start + 3 * MINUTE;
        for number in 0..MOST_USERS {
            let user = OpenId::new(format!("u{number}"));
            assert!(rate.take(&user, later), "{number}");
        }
        assert!(
            !rate.take(&OpenId::new("one more"), later),
            "full of this minute"
        );
        assert!(rate.take(&OpenId::new("one more"), later + MINUTE));
        assert_eq!(rate.users.lock().unwrap().len(), 1);
    }
}
