//! Customer service (客服): accounts of people who answer, and their sessions with users. What is said
//! in a session is not played here, nor is it kept from the server URL meanwhile.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::get;
use super::endpoint::post;
use super::endpoint::text;
use super::job::Happened;
use super::job::Job;
use super::job::cdata;
use crate::clock::Timestamp;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("/cgi-bin/customservice/getkflist", list),
    get("/cgi-bin/customservice/getonlinekflist", list_online),
    post("/customservice/kfaccount/add", add),
    post("/customservice/kfaccount/update", rename),
    get("/customservice/kfaccount/del", delete),
    post("/customservice/kfaccount/inviteworker", invite),
    post("/customservice/kfsession/create", create_session),
    post("/customservice/kfsession/close", close_session),
    get("/customservice/kfsession/getsession", session_of_user),
    get(
        "/customservice/kfsession/getsessionlist",
        sessions_of_account,
    ),
    get("/customservice/kfsession/getwaitcase", waiting),
];

/// Accounts of people who answer.
pub const MAX_SERVICE_ACCOUNTS: usize = 100;

/// Characters of what users see of one.
pub const MAX_NICKNAME_CHARACTERS: usize = 16;

/// Users in one answer about those who wait.
const WAITING_PER_PAGE: usize = 100;

/// Sessions, and users who wait, that are kept for an account: the oldest session ends by one more.
const MAX_TALKS: usize = 10_000;

/// The first number of an account of somebody who answers.
const FIRST_ID: u64 = 1_001;

#[derive(Debug)]
struct Agent {
    id: u64,
    nickname: String,
    /// The person's WeChat name, once they accepted.
    person: Option<String>,
    invited: Option<String>,
    is_online: bool,
}

#[derive(Debug)]
struct Session {
    open_id: String,
    agent: String,
    since: i64,
}

/// Who answers for one account, whom, and who waits for that.
#[derive(Debug, Default)]
pub(super) struct Service {
    agents: BTreeMap<String, Agent>,
    made: u64,
    /// Oldest first.
    sessions: Vec<Session>,
    /// Who waits, and since when; oldest first.
    waiting: Vec<(String, i64)>,
}

impl Service {
    /// The person accepts the invitation, or goes on- and offline. `None` when there is no such account.
    pub(super) fn set_online(&mut self, kf_account: &str, is_online: bool) -> Option<()> {
        let agent = self.agents.get_mut(kf_account)?;
        if let Some(invited) = agent.invited.take() {
            agent.person = Some(invited);
        }
        agent.is_online = is_online;
        Some(())
    }

    /// A user waits for somebody to answer; false when too many do.
    pub(super) fn wait(&mut self, now: Timestamp, open_id: String) -> bool {
        self.waiting.retain(|(waiting, _)| *waiting != open_id);
        let has_room = self.waiting.len() < MAX_TALKS;
        if has_room {
            self.waiting.push((open_id, now.seconds()));
        }
        has_room
    }

    fn place_of(&self, open_id: &str) -> Option<usize> {
        let is_theirs = |session: &Session| session.open_id == open_id;
        self.sessions.iter().position(is_theirs)
    }

    fn sessions_of<'a>(&'a self, kf_account: &'a str) -> impl Iterator<Item = &'a Session> {
        let is_theirs = move |session: &&Session| session.agent == kf_account;
        self.sessions.iter().filter(is_theirs)
    }

    /// Everything, for a test to look at.
    pub(super) fn view(&self) -> Value {
        let agents: Vec<Value> = self.agents.iter().map(shown).collect();
        let sessions: Vec<Value> = self
            .sessions
            .iter()
            .map(|session| {
                json!({
                    "openid": session.open_id, "kf_account": session.agent,
                    "createtime": session.since,
                })
            })
            .collect();
        json!({ "accounts": agents, "sessions": sessions, "waiting": self.waiting.len() })
    }
}

fn shown((name, agent): (&String, &Agent)) -> Value {
    let mut shown = json!({
        "kf_account": name,
        "kf_id": agent.id.to_string(),
        "kf_nick": agent.nickname,
        "kf_headimgurl": "",
    });
    if let Some(person) = &agent.person {
        shown["kf_wx"] = json!(person);
    }
    if let Some(invited) = &agent.invited {
        shown["invite_wx"] = json!(invited);
        shown["invite_status"] = json!("waiting");
    }
    shown
}

/// `GET /cgi-bin/customservice/getkflist`
fn list(visit: &mut Visit<'_>) -> Handled {
    let agents = visit.state.service.agents.iter();
    let all: Vec<Value> = agents.map(shown).collect();
    Ok(Answer::json(json!({ "kf_list": all }).to_string()))
}

/// `GET /cgi-bin/customservice/getonlinekflist`
fn list_online(visit: &mut Visit<'_>) -> Handled {
    let service = &visit.state.service;
    let online = service.agents.iter().filter(|(_, agent)| agent.is_online);
    let all: Vec<Value> = online
        .map(|(name, agent)| {
            json!({
                "kf_account": name, "status": 1, "kf_id": agent.id.to_string(),
                "accepted_case": service.sessions_of(name).count(),
            })
        })
        .collect();
    Ok(Answer::json(json!({ "kf_online_list": all }).to_string()))
}

fn nickname(request: &Value) -> Result<&str, Refusal> {
    let nickname = text(request, "nickname");
    nickname
        .filter(|nickname| nickname.chars().count() <= MAX_NICKNAME_CHARACTERS)
        .ok_or(Refusal::code(65403))
}

/// `POST /customservice/kfaccount/add`
fn add(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let name = text(&request, "kf_account").filter(|name| name.contains('@'));
    let name = name.ok_or(Refusal::code(65401))?;
    let nickname = nickname(&request)?;
    let service = &mut visit.state.service;
    if service.agents.contains_key(name) {
        return Err(Refusal::code(65406));
    }
    if service.agents.len() >= MAX_SERVICE_ACCOUNTS {
        return Err(Refusal::code(65405));
    }
    let agent = Agent {
        id: FIRST_ID + service.made,
        nickname: nickname.to_owned(),
        person: None,
        invited: None,
        is_online: false,
    };
    service.made += 1;
    service.agents.insert(name.to_owned(), agent);
    Ok(Answer::done(json!({})))
}

fn agent<'a>(service: &'a mut Service, request: &Value) -> Result<&'a mut Agent, Refusal> {
    let name = text(request, "kf_account").unwrap_or_default();
    service.agents.get_mut(name).ok_or(Refusal::code(65401))
}

/// `POST /customservice/kfaccount/update`
fn rename(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let agent = agent(&mut visit.state.service, &request)?;
    agent.nickname = nickname(&request)?.to_owned();
    Ok(Answer::done(json!({})))
}

/// `GET /customservice/kfaccount/del`
fn delete(visit: &mut Visit<'_>) -> Handled {
    let name = visit.call.parameter("kf_account").unwrap_or_default();
    let service = &mut visit.state.service;
    if service.agents.remove(&name).is_none() {
        return Err(Refusal::code(65401));
    }
    service.sessions.retain(|session| session.agent != name);
    Ok(Answer::done(json!({})))
}

/// `POST /customservice/kfaccount/inviteworker`: the person accepts when a test arranges it.
fn invite(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let person = text(&request, "invite_wx").ok_or(Refusal::code(65409))?;
    let service = &mut visit.state.service;
    let is_theirs = |agent: &Agent| agent.person.as_deref() == Some(person);
    if agent(service, &request).is_ok_and(|agent| is_theirs(agent)) {
        return Err(Refusal::code(65408));
    }
    if service.agents.values().any(is_theirs) {
        return Err(Refusal::code(65407));
    }
    agent(service, &request)?.invited = Some(person.to_owned());
    Ok(Answer::done(json!({})))
}

/// Who answers and whom, of a request that begins or ends a session.
fn both(visit: &mut Visit<'_>) -> Result<(String, String), Refusal> {
    let request = visit.json()?;
    let agent = agent(&mut visit.state.service, &request)?;
    if agent.person.is_none() {
        return Err(Refusal::code(65402));
    }
    let open_id = text(&request, "openid").ok_or(Refusal::code(40003))?;
    let followers = &mut visit.state.followers;
    let user = followers.user(visit.now, open_id);
    if !user.is_some_and(|user| user.follows()) {
        return Err(Refusal::code(40003));
    }
    let name = text(&request, "kf_account").unwrap_or_default();
    Ok((name.to_owned(), open_id.to_owned()))
}

fn tell(visit: &mut Visit<'_>, event: &'static str, session: Session) {
    let job = Job::Service {
        event,
        open_id: session.open_id,
        kf_account: session.agent,
    };
    visit.state.jobs.begin(visit.now, 0, job);
}

/// `POST /customservice/kfsession/create`. The server is told: `kf_create_session`.
fn create_session(visit: &mut Visit<'_>) -> Handled {
    let (name, open_id) = both(visit)?;
    let service = &mut visit.state.service;
    if !service.agents[&name].is_online {
        return Err(Refusal::code(65415));
    }
    if let Some(place) = service.place_of(&open_id) {
        return match service.sessions[place].agent == name {
            true => Ok(Answer::done(json!({}))),
            false => Err(Refusal::code(65414)),
        };
    }
    service.waiting.retain(|(waiting, _)| *waiting != open_id);
    let oldest = (service.sessions.len() >= MAX_TALKS).then(|| service.sessions.remove(0));
    let session = |open_id: &str| Session {
        open_id: open_id.to_owned(),
        agent: name.clone(),
        since: visit.now.seconds(),
    };
    service.sessions.push(session(&open_id));
    let begun = session(&open_id);
    if let Some(oldest) = oldest {
        tell(visit, "kf_close_session", oldest);
    }
    tell(visit, "kf_create_session", begun);
    Ok(Answer::done(json!({})))
}

/// `POST /customservice/kfsession/close`. The server is told: `kf_close_session`.
fn close_session(visit: &mut Visit<'_>) -> Handled {
    let (name, open_id) = both(visit)?;
    let service = &mut visit.state.service;
    let place = service.place_of(&open_id);
    let place = place.ok_or(Refusal::code(65413))?;
    if service.sessions[place].agent != name {
        return Err(Refusal::code(65414));
    }
    let ended = service.sessions.remove(place);
    tell(visit, "kf_close_session", ended);
    Ok(Answer::done(json!({})))
}

/// `GET /customservice/kfsession/getsession`
fn session_of_user(visit: &mut Visit<'_>) -> Handled {
    let open_id = visit.call.parameter("openid");
    let open_id = open_id.ok_or(Refusal::code(40003))?;
    let service = &visit.state.service;
    let session = service
        .place_of(&open_id)
        .map(|place| &service.sessions[place]);
    let answer = match session {
        Some(session) => json!({ "kf_account": session.agent, "createtime": session.since }),
        None => json!({ "kf_account": "", "createtime": 0 }),
    };
    Ok(Answer::done(answer))
}

/// `GET /customservice/kfsession/getsessionlist`
fn sessions_of_account(visit: &mut Visit<'_>) -> Handled {
    let name = visit.call.parameter("kf_account").unwrap_or_default();
    let service = &visit.state.service;
    if !service.agents.contains_key(&name) {
        return Err(Refusal::code(65401));
    }
    let sessions: Vec<Value> = service
        .sessions_of(&name)
        .map(|session| json!({ "openid": session.open_id, "createtime": session.since }))
        .collect();
    Ok(Answer::json(json!({ "sessionlist": sessions }).to_string()))
}

/// `GET /customservice/kfsession/getwaitcase`
fn waiting(visit: &mut Visit<'_>) -> Handled {
    let waiting = &visit.state.service.waiting;
    let page: Vec<Value> = waiting
        .iter()
        .take(WAITING_PER_PAGE)
        .map(|(open_id, since)| json!({ "openid": open_id, "latest_time": since }))
        .collect();
    let answer = json!({ "count": waiting.len(), "waitcaselist": page });
    Ok(Answer::json(answer.to_string()))
}

/// What the server is told of a session.
pub(super) fn happened(event: &'static str, open_id: &str, kf_account: &str) -> Happened {
    Happened {
        from_user: open_id.to_owned(),
        event,
        elements: format!("<KfAccount>{}</KfAccount>\n", cdata(kf_account)),
    }
}
