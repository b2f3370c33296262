//! What a push does to the sending windows of its user.

use bytes::Bytes;

use crate::id::AppId;
use crate::protocol::push::{Entry, Kind, Push, Window};
use crate::protocol::xml::{self, Leaf, Recovery, Sink};

/// What a user's act does to the sending windows of that user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It opens this one, anew if it is open.
    Opens(Window),
    /// The user stopped to follow: it closes all.
    ClosesAll,
}

/// The event of a user who stops to follow.
const UNSUBSCRIBE: &str = "unsubscribe";

impl Act {
    /// What a push does, and its `CreateTime`; `None` when it neither opens nor closes a window, or cannot
    /// be read. Much cheaper than [`Push::parse`], which finds the same.
    pub fn read(account: &AppId, body: &Bytes) -> Option<(Self, Option<i64>)> {
        let mut found = Found::default();
        let walked = xml::walk(body, Recovery::On, &mut found);
        if walked.is_err() || found.recovered {
            let push = Push::parse(account, body).ok()?;
            return Some((Self::of(&push)?, push.create_time()));
        }
        let create_time = || found.create_time?.text().parse().ok();
        Some((found.act()?, create_time()))
    }

    /// What a push does.
    pub fn of(push: &Push) -> Option<Self> {
        match push.event() {
            Some(event) if push.kind() == Kind::Event && is_unsubscribe(event) => {
                Some(Self::ClosesAll)
            }
            _ => push.window().map(Self::Opens),
        }
    }
}

fn is_unsubscribe(event: &str) -> bool {
    event.eq_ignore_ascii_case(UNSUBSCRIBE)
}

#[derive(Default)]
struct Found<'d> {
    msg_type: Option<Leaf<'d>>,
    event: Option<Leaf<'d>>,
    create_time: Option<Leaf<'d>>,
    /// Whether it is a tap on an item of a menu message.
    tapped: bool,
    recovered: bool,
}

impl Found<'_> {
    fn act(&self) -> Option<Act> {
        let msg_type = self.msg_type?.text();
        if msg_type.eq_ignore_ascii_case("event") {
            let event = self.event?.text();
            return match is_unsubscribe(&event) {
                true => Some(Act::ClosesAll),
                false => Some(Act::Opens(Entry::find(Kind::Event, &event)?.window?)),
            };
        }
        let window = Entry::find(Kind::Message, &msg_type)?.window?;
        let is_tap = self.tapped && msg_type.eq_ignore_ascii_case("text");
        Some(Act::Opens(if is_tap { Window::Menu } else { window }))
    }
}

impl<'d> Sink<'d> for Found<'d> {
    type Error = xml::XmlError;

    fn open(&mut self, _name: &'d [u8], _depth: usize) -> Result<(), Self::Error> {
        Ok(())
    }

    fn leaf(&mut self, leaf: Leaf<'d>, depth: usize) -> Result<(), Self::Error> {
        if depth == 1 {
            self.recovered |= leaf.is_recovered();
            match leaf.name {
                b"MsgType" => self.msg_type = Some(leaf),
                b"Event" => self.event = Some(leaf),
                b"CreateTime" => self.create_time = Some(leaf),
                b"bizmsgmenuid" => self.tapped |= !leaf.text().is_empty(),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn an_act_is_what_the_whole_push_says_for_every_document_of_the_platform() {
        let account = AppId::parse("wx0123456789abcdef").unwrap();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/push");
        let (mut opening, mut closing) = (0, 0);
        for file in fs::read_dir(directory).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "xml") {
                continue;
            }
            let body = Bytes::from(fs::read(&path).unwrap());
            let Ok(push) = Push::parse(&account, &body) else {
                continue;
            };
            let expected = Act::of(&push).map(|act| (act, push.create_time()));
            assert_eq!(Act::read(&account, &body), expected, "{}", path.display());
            match expected {
                Some((Act::Opens(_), _)) => opening += 1,
                Some((Act::ClosesAll, _)) => closing += 1,
                None => {}
            }
        }
        assert!(opening >= 10 && closing >= 1, "{opening} {closing}");
    }

    #[test]
    fn a_text_that_escapes_from_its_element_opens_the_window_of_a_message_alone() {
        let account = AppId::parse("wx0123456789abcdef").unwrap();
        let escape =
            "]]></Content><MsgType>event</MsgType><Event>unsubscribe</Event><Content><![CDATA[";
        let body = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>7</CreateTime>\
             <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{escape}]]></Content><MsgId>1</MsgId></xml>"
        );
        let found = Act::read(&account, &body.into());
        assert_eq!(found, Some((Act::Opens(Window::Message), Some(7))));
    }
}
