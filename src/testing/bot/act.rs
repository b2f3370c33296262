//! What users do, what passes meanwhile, and what fails.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::{Played, TestBot};
use crate::clock::Timestamp;
use crate::testing::document::{document, element, event, message};
use crate::testing::platform::Fault;
use crate::testing::stage::Cue;

/// What users do.
impl TestBot {
    /// A user begins to follow.
    #[track_caller]
    pub fn follow(&mut self, user: &str) -> &mut Self {
        let inner = event("subscribe", &element("EventKey", ""));
        self.act(user, "follows", &inner)
    }

    /// A user begins to follow by scanning a code with this scene.
    #[track_caller]
    pub fn follow_by_scan(&mut self, user: &str, scene: &str) -> &mut Self {
        let key = element("EventKey", &format!("qrscene_{scene}"));
        let inner = event("subscribe", &(key + &element("Ticket", "TICKET")));
        self.act(user, &format!("follows by scanning {scene}"), &inner)
    }

    /// A user stops following.
    #[track_caller]
    pub fn unfollow(&mut self, user: &str) -> &mut Self {
        let inner = event("unsubscribe", &element("EventKey", ""));
        self.act(user, "stops following", &inner)
    }

    /// A follower scans a code with this scene.
    #[track_caller]
    pub fn scan(&mut self, user: &str, scene: &str) -> &mut Self {
        let elements = element("EventKey", scene) + &element("Ticket", "TICKET");
        self.act(user, &format!("scans {scene}"), &event("SCAN", &elements))
    }

    /// A user taps the menu button with this key.
    #[track_caller]
    pub fn click(&mut self, user: &str, key: &str) -> &mut Self {
        let inner = event("CLICK", &element("EventKey", key));
        self.act(user, &format!("taps {key}"), &inner)
    }

    /// A user taps the menu button that leads to this address.
    #[track_caller]
    pub fn view(&mut self, user: &str, url: &str) -> &mut Self {
        let inner = event("VIEW", &element("EventKey", url));
        self.act(user, &format!("views {url}"), &inner)
    }

    /// A user writes a text.
    #[track_caller]
    pub fn text(&mut self, user: &str, content: &str) -> &mut Self {
        let elements = element("Content", content);
        self.send(user, &format!("writes {content:?}"), "text", &elements)
    }

    /// A user taps an item of a menu message (菜单消息): the item's id and its text.
    #[track_caller]
    pub fn menu_item(&mut self, user: &str, id: &str, content: &str) -> &mut Self {
        let elements = element("Content", content) + &element("bizmsgmenuid", id);
        self.send(
            user,
            &format!("chooses {id}: {content:?}"),
            "text",
            &elements,
        )
    }

    /// A user sends a picture.
    #[track_caller]
    pub fn image(&mut self, user: &str, media_id: &str) -> &mut Self {
        let address = element("PicUrl", "https://picture.test/1");
        let elements = address + &element("MediaId", media_id);
        self.send(user, "sends a picture", "image", &elements)
    }

    /// A user sends a place: degrees north, degrees east, what the map calls it.
    #[track_caller]
    pub fn location(&mut self, user: &str, north: f64, east: f64, label: &str) -> &mut Self {
        let place = format!(
            "<Location_X>{north}</Location_X><Location_Y>{east}</Location_Y><Scale>16</Scale>"
        );
        let elements = place + &element("Label", label);
        self.send(user, &format!("is at {label:?}"), "location", &elements)
    }

    /// Any message: its `MsgType`, and its elements as XML.
    #[track_caller]
    pub fn message(&mut self, user: &str, kind: &str, elements: &str) -> &mut Self {
        self.send(user, &format!("sends {kind} {elements}"), kind, elements)
    }

    /// Any event: its name, and its elements as XML.
    #[track_caller]
    pub fn event(&mut self, user: &str, name: &str, elements: &str) -> &mut Self {
        self.act(user, &format!("{name} {elements}"), &event(name, elements))
    }

    /// Any push: the whole document, as it is after decryption.
    #[track_caller]
    pub fn push(&mut self, document: &str) -> &mut Self {
        let body = Bytes::copy_from_slice(document.as_bytes());
        self.play(Cue::Push(body.clone()), document.to_owned(), body)
    }

    /// The last push comes once more, as WeChat sends it when it saw no answer.
    #[track_caller]
    pub fn again(&mut self) -> &mut Self {
        let last = self.last();
        let (what, body) = (last.what.clone(), last.body.clone());
        self.play(Cue::Push(body.clone()), what, body)
    }

    #[track_caller]
    fn send(&mut self, user: &str, what: &str, kind: &str, elements: &str) -> &mut Self {
        self.messages += 1;
        let inner = message(kind, elements, self.messages);
        self.act(user, what, &inner)
    }

    #[track_caller]
    fn act(&mut self, user: &str, what: &str, inner: &str) -> &mut Self {
        // The same act of the same user in the same second would be a repeat.
        let now = self.stage().clock.now();
        if now.seconds() <= self.second {
            let next = Timestamp::from_seconds(self.second + 1);
            self.pass(next.since(now));
        }
        let now = self.stage().clock.now();
        self.second = now.seconds();
        let body = Bytes::from(document(user, now, inner));
        self.play(Cue::Push(body.clone()), format!("{user} {what}"), body)
    }

    #[track_caller]
    fn play(&mut self, cue: Cue, what: String, body: Bytes) -> &mut Self {
        if let Some(id) = self.cue(cue, &what) {
            // A repeat is the same push.
            self.played.retain(|played| played.id != id);
            self.looked_at.remove(&id);
            self.played.push(Played { id, body, what });
        }
        self.check_calls();
        self
    }
}

/// What passes, and what fails.
impl TestBot {
    /// Time passes: what is due within it is tried again, windows close, conversations are forgotten.
    #[track_caller]
    pub fn pass(&mut self, time: Duration) -> &mut Self {
        self.cue(Cue::Pass(time), "time passes");
        self.check_calls();
        self
    }

    /// Time passes until the earliest next try of a push that failed; chance adds up to a fifth to what the
    /// schedule says.
    #[track_caller]
    pub fn next_try(&mut self) -> &mut Self {
        self.cue(Cue::NextTry, "the next try");
        self.check_calls();
        self
    }

    /// An operator has the last push handled again, whatever became of it.
    #[track_caller]
    pub fn replay(&mut self) -> &mut Self {
        let id = self.last().id;
        self.looked_at.remove(&id);
        self.cue(Cue::Replay(id), "a replay");
        self.check_calls();
        self
    }

    /// The platform answers the next message with this code: 45015 when the sending window is closed, −1
    /// when it is busy. Said several times, the messages after it meet the further ones.
    pub fn platform_says(&mut self, code: i64) -> &mut Self {
        self.platform.fails_next(Fault::Says(code));
        self
    }

    /// The platform takes the next message, and its answer is lost.
    pub fn platform_loses_answer(&mut self) -> &mut Self {
        self.platform.fails_next(Fault::LosesAnswer);
        self
    }

    /// The next message finds no connection to the platform.
    pub fn platform_unreachable(&mut self) -> &mut Self {
        self.platform.fails_next(Fault::Unreachable);
        self
    }

    /// Calls that handlers make to this path are answered with this. Of several answers to one path each
    /// is given once, and the last one goes on.
    pub fn api_answers(&mut self, path: &str, answer: Value) -> &mut Self {
        self.platform.answers(path, answer);
        self
    }
}
