//! QR codes with a scene: made for an account, shown to everybody who has the ticket.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fmt;

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::Call;
use super::Event;
use super::InspectionError;
use super::Platform;
use super::Scene;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Method;
use super::endpoint::Visit;
use super::endpoint::number;
use super::endpoint::open;
use super::endpoint::post;
use super::endpoint::text;
use super::job::cdata;
use super::picture;
use super::quota::QuotaRow;
use crate::clock::Timestamp;
use crate::id::OpenId;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/qrcode/create", create).counted(QuotaRow::QrCreate),
    // On the platform this is another host, mp.weixin.qq.com.
    open(Method::Get, "/cgi-bin/showqrcode", show),
];

/// Seconds that a temporary code lives at most.
pub const MAX_QR_SECONDS: i64 = 2_592_000;

/// Seconds that a temporary code lives when nothing was said.
pub const DEFAULT_QR_SECONDS: i64 = 60;

/// Permanent codes of an account.
pub const MAX_PERMANENT_CODES: usize = 100_000;

/// The largest scene of a permanent code.
pub const MAX_PERMANENT_SCENE: i64 = 100_000;

/// Characters of a scene that is a text.
pub const MAX_SCENE_CHARACTERS: usize = 64;

/// Temporary codes kept for an account; the oldest go first.
const MAX_TEMPORARY_CODES: usize = 100_000;

/// What a code stands for. The number 7 and the text "7" are two scenes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum CodeScene {
    Number(i64),
    Text(String),
}

impl fmt::Display for CodeScene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[derive(Debug, Clone)]
struct Code {
    url: String,
    scene: CodeScene,
    /// `None` for a permanent one.
    until_seconds: Option<i64>,
}

/// The codes of one account, by their tickets.
#[derive(Debug, Default)]
pub(super) struct Codes {
    made: HashMap<String, Code>,
    temporary: VecDeque<String>,
    /// Tickets of permanent codes by their scene: the same scene has the same code.
    permanent: HashMap<CodeScene, String>,
}

impl Codes {
    fn good(&self, now: Timestamp, ticket: &str) -> Option<&Code> {
        let code = self.made.get(ticket)?;
        let until = code.until_seconds.unwrap_or(i64::MAX);
        (now.seconds() < until).then_some(code)
    }

    fn keep(&mut self, ticket: String, code: Code) {
        if code.until_seconds.is_none() {
            self.permanent.insert(code.scene.clone(), ticket.clone());
        } else {
            self.temporary.push_back(ticket.clone());
            if self.temporary.len() > MAX_TEMPORARY_CODES
                && let Some(oldest) = self.temporary.pop_front()
            {
                self.made.remove(&oldest);
            }
        }
        self.made.insert(ticket, code);
    }

    fn scene_of(&self, now: Timestamp, ticket: &str) -> Option<CodeScene> {
        self.good(now, ticket).map(|code| code.scene.clone())
    }

    pub(super) fn view(&self) -> Vec<Value> {
        let mut all: Vec<_> = self.made.iter().collect();
        all.sort_unstable_by_key(|(ticket, _)| *ticket);
        let shown = |(ticket, code): (&String, &Code)| json!({ "ticket": ticket, "scene": code.scene.to_string(), "url": code.url, "until": code.until_seconds });
        all.into_iter().map(shown).collect()
    }
}

impl Platform {
    /// A user scans the code of this ticket: the server is told, as `subscribe` when the user begins to
    /// follow by it, else as `SCAN`, and the user's window opens.
    pub(super) fn scan(
        &mut self,
        now: Timestamp,
        place: usize,
        open_id: String,
        ticket: &str,
    ) -> Result<(), InspectionError> {
        let state = &mut self.states[place];
        let scene = state.codes.scene_of(now, ticket);
        let scene = scene.ok_or(InspectionError::Ticket)?;
        let Some(is_new) = state.followers.scanned(now, &open_id, &scene) else {
            return Err(InspectionError::User(open_id));
        };
        let (event, key) = match is_new {
            true => ("subscribe", format!("qrscene_{scene}")),
            false => ("SCAN", scene.to_string()),
        };
        let acted = if is_new {
            Scene::Follow
        } else {
            Scene::ScanCode
        };
        self.grants
            .acted(now, &OpenId::new(open_id.as_str()), acted);
        let app_id = self.settings.accounts[place].app_id.as_str().to_owned();
        let elements = format!(
            "<EventKey>{}</EventKey>\n<Ticket>{}</Ticket>\n",
            cdata(&key),
            cdata(ticket)
        );
        self.events.push(|number| Event {
            number,
            at_milliseconds: now.milliseconds(),
            app_id,
            from_user: open_id,
            event: event.to_owned(),
            elements,
        });
        Ok(())
    }
}

/// The scene that a request names, checked.
fn scene_in(request: &Value, is_permanent: bool, is_text: bool) -> Result<CodeScene, Refusal> {
    let scene = &request["action_info"]["scene"];
    let invalid = Refusal::code(40053);
    if is_text {
        let scene = text(scene, "scene_str").ok_or(invalid.clone())?;
        return match scene.chars().count() <= MAX_SCENE_CHARACTERS {
            true => Ok(CodeScene::Text(scene.to_owned())),
            false => Err(invalid),
        };
    }
    let most = match is_permanent {
        true => MAX_PERMANENT_SCENE,
        false => i64::from(u32::MAX),
    };
    let scene = scene["scene_id"].as_i64();
    let scene = scene.filter(|scene| (1..=most).contains(scene));
    scene.map(CodeScene::Number).ok_or(invalid)
}

/// `POST /cgi-bin/qrcode/create`
fn create(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let (is_permanent, is_text) = match text(&request, "action_name") {
        Some("QR_SCENE") => (false, false),
        Some("QR_STR_SCENE") => (false, true),
        Some("QR_LIMIT_SCENE") => (true, false),
        Some("QR_LIMIT_STR_SCENE") => (true, true),
        _ => return Err(Refusal::code(40052)),
    };
    let scene = scene_in(&request, is_permanent, is_text)?;
    let seconds = match number(&request, "expire_seconds") {
        _ if is_permanent => None,
        None => Some(DEFAULT_QR_SECONDS),
        Some(seconds @ 1..=MAX_QR_SECONDS) => Some(seconds),
        Some(_) => return Err(Refusal::code(40053)),
    };
    let codes = &visit.state.codes;
    let known = codes
        .permanent
        .get(&scene)
        .filter(|_| is_permanent)
        .cloned();
    if is_permanent && known.is_none() && codes.permanent.len() >= MAX_PERMANENT_CODES {
        return Err(Refusal::code(45029));
    }
    let ticket = match known {
        Some(ticket) => ticket,
        None => make(visit, scene, seconds),
    };
    let url = visit
        .state
        .codes
        .made
        .get(&ticket)
        .map(|code| code.url.clone());
    let mut made = json!({ "ticket": ticket, "url": url });
    if let Some(seconds) = seconds {
        made["expire_seconds"] = seconds.into();
    }
    Ok(Answer::json(made.to_string()))
}

fn make(visit: &mut Visit<'_>, scene: CodeScene, seconds: Option<i64>) -> String {
    // Real tickets hold characters that must be encoded in an address.
    let ticket = format!(
        "gQ{}/+{}==",
        visit.random.letters(40),
        visit.random.letters(48)
    );
    let code = Code {
        url: format!("http://weixin.qq.com/q/{}", visit.random.letters(22)),
        scene,
        until_seconds: seconds.map(|seconds| visit.now.seconds() + seconds),
    };
    visit.state.codes.keep(ticket.clone(), code);
    ticket
}

/// `GET /cgi-bin/showqrcode`: a picture, or 404.
fn show(platform: &mut Platform, now: Timestamp, call: &Call) -> Handled {
    let ticket = call.parameter("ticket").unwrap_or_default();
    let url = platform
        .states
        .iter()
        .find_map(|state| state.codes.good(now, &ticket))
        .map(|code| code.url.clone());
    let picture = url.and_then(|url| picture::qr_code(&url));
    Ok(match picture {
        Some(picture) => Answer::picture("image/jpg", picture),
        None => Answer::not_found(),
    })
}
