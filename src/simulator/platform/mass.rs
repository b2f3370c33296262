//! Mass messages: accepted at once, sent by a job, reported by an event.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::Delivery;
use super::Way;
use super::answer::Refusal;
use super::calendar;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::number;
use super::endpoint::post;
use super::endpoint::text;
use super::endpoint::texts;
use super::existing;
use super::job::Ending;
use super::job::Happened;
use super::job::Job;
use super::job::OPERATOR;
use super::job::cdata;
use super::media::MediaKind;
use super::quota::QuotaRow;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/message/mass/sendall", send_all).counted(QuotaRow::Mass),
    post("/cgi-bin/message/mass/send", send_to).counted(QuotaRow::Mass),
    post("/cgi-bin/message/mass/preview", preview),
    post("/cgi-bin/message/mass/delete", delete).counted(QuotaRow::NewsDelete),
    post("/cgi-bin/message/mass/get", status),
    post("/cgi-bin/message/mass/speed/set", set_speed),
    post("/cgi-bin/message/mass/speed/get", speed),
];

/// OpenIDs in one order: from 2 on.
pub const MASS_RECIPIENTS: usize = 10_000;

/// Mass messages that a user gets within a calendar month.
pub const MASS_PER_USER_AND_MONTH: u64 = 4;

/// Bytes of a `clientmsgid`.
pub const CLIENT_MESSAGE_ID_BYTES: usize = 32;

/// Seconds for which a `clientmsgid` is remembered.
pub const CLIENT_MESSAGE_ID_SECONDS: i64 = 24 * 3600;

/// Mass messages kept for an account; the oldest go first.
const KEPT: usize = 1_000;

/// Ten thousand messages a minute, by speed.
const REAL_SPEEDS: [i64; 5] = [80, 60, 45, 30, 10];

/// Ids begin above 32 bits.
const FIRST_ID: i64 = 5_147_483_650;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Sending,
    Sent,
    Failed,
    Deleted,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Sending => "SENDING",
            Self::Sent => "SEND_SUCCESS",
            Self::Failed => "SEND_FAIL",
            Self::Deleted => "DELETE",
        }
    }
}

#[derive(Debug)]
struct MassMessage {
    client_id: Option<String>,
    accepted_seconds: i64,
    message_type: String,
    content: Option<String>,
    body: Bytes,
    token: u64,
    /// Whom it is for, among those who follow.
    recipients: Vec<String>,
    /// How many were meant, unknown ones included.
    total: usize,
    draft: Option<String>,
    articles: usize,
    status: Status,
}

/// The mass messages of one account, by id.
#[derive(Debug)]
pub(super) struct Masses {
    sent: BTreeMap<i64, MassMessage>,
    next_id: i64,
    speed: i64,
}

impl Default for Masses {
    fn default() -> Self {
        Self {
            sent: BTreeMap::new(),
            next_id: FIRST_ID,
            speed: 0,
        }
    }
}

impl Masses {
    fn with_client_id(&self, now_seconds: i64, client_id: &str) -> Option<i64> {
        let recent = self.sent.iter().rev().find(|(_, message)| {
            message.client_id.as_deref() == Some(client_id)
                && now_seconds - message.accepted_seconds < CLIENT_MESSAGE_ID_SECONDS
        });
        recent.map(|(id, _)| *id)
    }

    fn keep(&mut self, message: MassMessage) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.sent.insert(id, message);
        if self.sent.len() > KEPT {
            self.sent.pop_first();
        }
        id
    }

    pub(super) fn view(&self) -> Vec<Value> {
        let all = self.sent.iter().map(|(id, message)| {
            json!({
                "msg_id": id,
                "msgtype": message.message_type,
                "clientmsgid": message.client_id,
                "recipients": message.recipients.len(),
                "msg_status": message.status.name(),
            })
        });
        all.collect()
    }
}

/// What is sent, checked: its type, the words in it, the draft that it is.
struct Content {
    message_type: String,
    words: Option<String>,
    draft: Option<String>,
    articles: usize,
}

/// `images` in a mass message, `image` in a preview.
fn content_of(visit: &Visit<'_>, request: &Value, is_preview: bool) -> Result<Content, Refusal> {
    let kind = text(request, "msgtype").ok_or(Refusal::code(40008))?;
    let branch_name = match kind {
        "image" if !is_preview => "images",
        "text" | "voice" | "mpnews" | "mpvideo" | "image" => kind,
        "wxcard" => return Err(Refusal::code(45113)),
        _ => return Err(Refusal::code(40008)),
    };
    let branch = &request[branch_name];
    let media_id = || text(branch, "media_id").ok_or(Refusal::code(40007));
    let mut content = Content {
        message_type: kind.to_owned(),
        words: None,
        draft: None,
        articles: 0,
    };
    match kind {
        "text" => {
            let words = text(branch, "content").ok_or(Refusal::code(44004))?;
            content.words = Some(words.to_owned());
        }
        "image" if !is_preview => {
            let pictures = texts(branch, "media_ids").ok_or(Refusal::code(40007))?;
            if !(1..=20).contains(&pictures.len()) {
                return Err(Refusal::code(40215));
            }
            for id in pictures {
                existing::medium(visit, id, &[MediaKind::Image])?;
            }
        }
        "image" => existing::medium(visit, media_id()?, &[MediaKind::Image])?,
        "voice" => existing::medium(visit, media_id()?, &[MediaKind::Voice])?,
        "mpvideo" => existing::medium(visit, media_id()?, &[MediaKind::Video])?,
        _ => {
            let id = media_id()?;
            existing::draft(visit, id)?;
            content.articles = visit.state.drafts.articles(id).max(1);
            content.draft = Some(id.to_owned());
        }
    }
    Ok(content)
}

/// `POST /cgi-bin/message/mass/sendall`
fn send_all(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let filter = &request["filter"];
    let to_all = filter["is_to_all"].as_bool().unwrap_or(false);
    let followers = &visit.state.followers;
    let recipients: Vec<String> = if to_all {
        let all = followers.after(None).into_iter().flatten();
        all.map(str::to_owned).collect()
    } else {
        let tag = visit.state.tags.known(number(filter, "tag_id"));
        let tag = tag.map_err(|_| Refusal::code(40152))?;
        followers.fans(tag, None).map(str::to_owned).collect()
    };
    let total = recipients.len();
    accept(visit, &request, recipients, total)
}

/// `POST /cgi-bin/message/mass/send`
fn send_to(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let named = texts(&request, "touser").ok_or(Refusal::code(40031))?;
    match named.len() {
        0 => return Err(Refusal::code(40031)),
        1 => return Err(Refusal::code(40130)),
        2..=MASS_RECIPIENTS => {}
        _ => return Err(Refusal::code(40032)),
    }
    let (now, followers) = (visit.now, &mut visit.state.followers);
    let follow = |open_id: &&&str| {
        followers
            .user(now, open_id)
            .is_some_and(|user| user.follows())
    };
    let recipients = named
        .iter()
        .filter(follow)
        .map(|user| (*user).to_owned())
        .collect();
    accept(visit, &request, recipients, named.len())
}

fn accept(
    visit: &mut Visit<'_>,
    request: &Value,
    recipients: Vec<String>,
    total: usize,
) -> Handled {
    let content = content_of(visit, request, false)?;
    let client_id = text(request, "clientmsgid").map(str::to_owned);
    if let Some(client_id) = &client_id {
        if client_id.len() > CLIENT_MESSAGE_ID_BYTES {
            return Err(Refusal::code(45067));
        }
        let known = visit
            .state
            .masses
            .with_client_id(visit.now.seconds(), client_id);
        if let Some(id) = known {
            return Ok(visit.refusing_with(45065, &json!({ "msg_id": id, "msg_data_id": id / 2 })));
        }
    }
    let is_news = content.draft.is_some();
    let message_id = visit.state.masses.keep(MassMessage {
        client_id,
        accepted_seconds: visit.now.seconds(),
        message_type: content.message_type,
        content: content.words,
        body: visit.call.body.clone(),
        token: visit.token.number,
        recipients,
        total,
        draft: content.draft,
        articles: content.articles,
        status: Status::Sending,
    });
    let takes = visit.settings.jobs.mass;
    visit
        .state
        .jobs
        .begin(visit.now, takes, Job::Mass { message_id });
    let mut accepted = json!({
        "errcode": 0, "errmsg": "send job submission success", "msg_id": message_id,
    });
    if is_news {
        accepted["msg_data_id"] = (message_id / 2).into();
    }
    Ok(Answer {
        code: Some(0),
        ..Answer::json(accepted.to_string())
    })
}

/// The job's end: everybody who may still get one this month has it, and the draft is gone.
pub(super) fn end(ending: &mut Ending<'_>, message_id: i64) -> Option<Happened> {
    let verdict = ending.verdict.take();
    let verdict = verdict.unwrap_or_else(|| "send success".to_owned());
    let message = ending.state.masses.sent.get_mut(&message_id)?;
    if message.status != Status::Sending {
        return None;
    }
    let is_sent = verdict == "send success";
    let recipients = std::mem::take(&mut message.recipients);
    let mut sent = 0;
    if is_sent {
        let month = calendar::month(ending.at);
        for open_id in &recipients {
            let user = ending.state.followers.user(ending.at, open_id);
            let may = user.is_some_and(|user| {
                user.follows() && user.masses.take(month, MASS_PER_USER_AND_MONTH)
            });
            if !may {
                continue;
            }
            sent += 1;
            ending.deliveries.push(|number| Delivery {
                number,
                at_milliseconds: ending.at.milliseconds(),
                app_id: ending.app_id.to_owned(),
                way: Way::Mass,
                open_id: open_id.clone(),
                message_type: message.message_type.clone(),
                content: message.content.clone(),
                kf_account: None,
                is_ai: false,
                body: message.body.clone(),
                token: message.token,
            });
        }
    }
    message.status = if is_sent {
        Status::Sent
    } else {
        Status::Failed
    };
    let total = message.total;
    let filtered = if is_sent { sent } else { 0 };
    let draft = message.draft.clone().filter(|_| is_sent);
    message.recipients = recipients;
    if let Some(draft) = draft {
        ending.state.drafts.remove(&draft);
    }
    Some(Happened {
        from_user: OPERATOR.to_owned(),
        event: "MASSSENDJOBFINISH",
        elements: format!(
            "<MsgID>{message_id}</MsgID>\n<Status>{}</Status>\n<TotalCount>{total}</TotalCount>\n\
             <FilterCount>{filtered}</FilterCount>\n<SentCount>{sent}</SentCount>\n\
             <ErrorCount>0</ErrorCount>\n<CopyrightCheckResult><Count>0</Count>\
             <ResultList></ResultList><CheckState>0</CheckState></CopyrightCheckResult>\n",
            cdata(&verdict)
        ),
    })
}

/// `POST /cgi-bin/message/mass/preview`: to one user, at once; by WeChat ID a hundred times a day.
fn preview(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let content = content_of(visit, &request, true)?;
    let open_id = match (text(&request, "towxname"), text(&request, "touser")) {
        (Some(name), _) => {
            let quota = &mut visit.state.quota;
            quota.take(visit.now, QuotaRow::MassPreviewName)?;
            if !is_wechat_id(name) {
                return Err(Refusal::code(40132));
            }
            name
        }
        (None, Some(open_id)) => {
            let user = visit.state.followers.user(visit.now, open_id);
            user.filter(|user| user.follows())
                .ok_or(Refusal::code(40003))?;
            open_id
        }
        (None, None) => return Err(Refusal::code(40132)),
    };
    let (at_milliseconds, token) = (visit.now.milliseconds(), visit.token.number);
    let app_id = visit.account.app_id.as_str().to_owned();
    let (open_id, body) = (open_id.to_owned(), visit.call.body.clone());
    visit.deliveries.push(|number| Delivery {
        number,
        at_milliseconds,
        app_id,
        way: Way::Preview,
        open_id,
        message_type: content.message_type,
        content: content.words,
        kf_account: None,
        is_ai: false,
        body,
        token,
    });
    Ok(Answer::done(json!({})))
}

/// Six to twenty letters, digits, `-` and `_`, of which the first is a letter.
fn is_wechat_id(name: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (6..=20).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(belongs)
}

fn message_id_in(request: &Value) -> Result<i64, Refusal> {
    number(request, "msg_id").ok_or(Refusal::code(40059))
}

/// `POST /cgi-bin/message/mass/delete`: articles and films alone, and only what was sent.
fn delete(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let id = message_id_in(&request)?;
    let message = visit.state.masses.sent.get_mut(&id);
    let message = message.ok_or(Refusal::code(40059))?;
    let can_be = matches!(message.message_type.as_str(), "mpnews" | "mpvideo");
    if !can_be || message.status != Status::Sent {
        return Err(Refusal::code(40065));
    }
    let index = number(&request, "article_idx").unwrap_or(0);
    match usize::try_from(index) {
        Ok(0) => message.status = Status::Deleted,
        Ok(index) if index <= message.articles.max(1) => {
            message.articles = message.articles.saturating_sub(1);
            if message.articles == 0 {
                message.status = Status::Deleted;
            }
        }
        _ => return Err(Refusal::code(40060)),
    }
    Ok(Answer::ok())
}

/// `POST /cgi-bin/message/mass/get`
fn status(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let id = message_id_in(&request)?;
    let message = visit.state.masses.sent.get(&id);
    let status = message.ok_or(Refusal::code(40059))?.status.name();
    let told = json!({ "msg_id": id, "msg_status": status });
    Ok(Answer::json(told.to_string()))
}

/// `POST /cgi-bin/message/mass/speed/set`
fn set_speed(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    match number(&request, "speed") {
        None => Err(Refusal::code(45084)),
        Some(speed @ 0..=4) => {
            visit.state.masses.speed = speed;
            Ok(Answer::ok())
        }
        Some(_) => Err(Refusal::code(45083)),
    }
}

/// `POST /cgi-bin/message/mass/speed/get`
fn speed(visit: &mut Visit<'_>) -> Handled {
    let speed = visit.state.masses.speed;
    let place = usize::try_from(speed).unwrap_or(0);
    let real = REAL_SPEEDS.get(place).copied().unwrap_or(0);
    Ok(Answer::done(json!({ "speed": speed, "realspeed": real })))
}
