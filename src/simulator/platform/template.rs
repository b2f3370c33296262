//! Template messages and subscribe notices: taken at once, delivered by a job, reported by an event.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::Delivery;
use super::Way;
use super::answer::Refusal;
use super::calendar;
use super::calendar::Meter;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::get;
use super::endpoint::number;
use super::endpoint::post;
use super::endpoint::text;
use super::existing::References;
use super::job::Ending;
use super::job::Happened;
use super::job::Job;
use super::job::cdata;
use super::quota::QuotaRow;
use crate::clock::Timestamp;

mod value;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/message/template/send", send).counted(QuotaRow::TemplateSend),
    post("/cgi-bin/template/api_add_template", add),
    get("/cgi-bin/template/get_all_private_template", list),
    post("/cgi-bin/template/del_private_template", delete),
    post("/cgi-bin/template/api_set_industry", set_industry),
    get("/cgi-bin/template/get_industry", industry),
    post("/cgi-bin/message/template/subscribe", send_once),
    post("/cgi-bin/message/subscribe/bizsend", send_notice),
    post("/wxaapi/newtmpl/addtemplate", add_notice_template),
    get("/wxaapi/newtmpl/gettemplate", list_notice_templates),
    post("/wxaapi/newtmpl/deltemplate", delete),
];

/// Templates of an account.
pub const MAX_TEMPLATES: usize = 25;

/// Seconds for which the same `client_msg_id` to the same user is one message.
pub const CLIENT_MSG_ID_SECONDS: i64 = 600;

/// Characters of the title of a one-time notice.
pub const MAX_NOTICE_TITLE: usize = 15;

/// Messages remembered by their `client_msg_id`.
const MAX_REMEMBERED: usize = 100_000;

/// Users whose consent is kept, each for a template.
const MAX_CONSENTS: usize = 100_000;

/// Ids begin above what a JavaScript number holds exactly.
const FIRST_ID: i64 = 3_462_118_800_123_412_481;

#[derive(Debug)]
struct Template {
    title: String,
    content: String,
    is_notice: bool,
}

/// The templates of one account, and what was sent by them.
#[derive(Debug, Default)]
pub(super) struct Templates {
    own: BTreeMap<String, Template>,
    sent: i64,
    recent: HashMap<(String, String), (i64, i64)>,
    recent_order: VecDeque<(String, String)>,
    /// How many notices a user still wants, by user and template.
    consents: HashMap<(String, String), u64>,
    industries: Option<[i64; 2]>,
    industry_changes: Meter,
}

impl Templates {
    fn next_id(&mut self) -> i64 {
        self.sent += 1;
        FIRST_ID + self.sent
    }

    /// The message that this one repeats.
    fn repeated(&self, now: Timestamp, key: &(String, String)) -> Option<i64> {
        let (id, seconds) = self.recent.get(key)?;
        (now.seconds() - seconds < CLIENT_MSG_ID_SECONDS).then_some(*id)
    }

    fn remember(&mut self, now: Timestamp, key: (String, String), id: i64) {
        if self
            .recent
            .insert(key.clone(), (id, now.seconds()))
            .is_none()
        {
            self.recent_order.push_back(key);
        }
        if self.recent_order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.recent_order.pop_front()
        {
            self.recent.remove(&oldest);
        }
    }

    /// A user agrees to so many notices by this template.
    pub(super) fn consent(&mut self, open_id: String, template_id: String, count: u64) -> bool {
        let key = (open_id, template_id);
        let has_room = self.consents.len() < MAX_CONSENTS || self.consents.contains_key(&key);
        if has_room {
            *self.consents.entry(key).or_default() += count;
        }
        has_room
    }

    fn use_consent(&mut self, open_id: &str, template_id: &str) -> Result<(), Refusal> {
        let key = (open_id.to_owned(), template_id.to_owned());
        let left = self.consents.get_mut(&key).filter(|left| **left > 0);
        *left.ok_or(Refusal::code(43101))? -= 1;
        Ok(())
    }

    pub(super) fn view(&self) -> Value {
        let own = self.own.iter().map(|(id, template)| {
            json!({ "template_id": id, "title": template.title, "is_notice": template.is_notice })
        });
        let consents = self.consents.iter().map(|((open_id, template_id), left)| {
            json!({ "openid": open_id, "template_id": template_id, "left": left })
        });
        json!({ "templates": own.collect::<Vec<_>>(), "consents": consents.collect::<Vec<_>>() })
    }
}

/// Who gets it, by which template, with which texts: what all three ways of sending share.
struct Order {
    open_id: String,
    template_id: String,
    words: String,
}

fn order_in(visit: &mut Visit<'_>, request: &Value) -> Result<Order, Refusal> {
    let open_id = text(request, "touser").ok_or(Refusal::code(40003))?;
    let user = visit.state.followers.user(visit.now, open_id);
    user.ok_or(Refusal::code(40003))?;
    let template_id = text(request, "template_id").ok_or(Refusal::code(40037))?;
    let is_known = visit.state.templates.own.contains_key(template_id);
    if !is_known && visit.settings.references == References::Checked {
        return Err(Refusal::code(40037));
    }
    let words = value::check(&request["data"])?;
    Ok(Order {
        open_id: open_id.to_owned(),
        template_id: template_id.to_owned(),
        words,
    })
}

fn require_follower(visit: &mut Visit<'_>, open_id: &str) -> Result<(), Refusal> {
    let user = visit.state.followers.user(visit.now, open_id);
    match user.is_some_and(|user| user.follows()) {
        true => Ok(()),
        false => Err(Refusal::code(43004)),
    }
}

fn deliver(visit: &mut Visit<'_>, order: &Order, way: Way) {
    let (at_milliseconds, token) = (visit.now.milliseconds(), visit.token.number);
    let app_id = visit.account.app_id.as_str().to_owned();
    let body = visit.call.body.clone();
    visit.deliveries.push(|number| Delivery {
        number,
        at_milliseconds,
        app_id,
        way,
        open_id: order.open_id.clone(),
        message_type: "template".to_owned(),
        content: Some(order.words.clone()),
        kf_account: None,
        is_ai: false,
        body,
        token,
    });
}

/// `POST /cgi-bin/message/template/send`
fn send(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let order = order_in(visit, &request)?;
    require_follower(visit, &order.open_id)?;
    let key = text(&request, "client_msg_id").map(|id| (order.open_id.clone(), id.to_owned()));
    let repeated = key
        .as_ref()
        .and_then(|key| visit.state.templates.repeated(visit.now, key));
    if let Some(id) = repeated {
        return Ok(Answer::done(json!({ "msgid": id })));
    }
    let message_id = visit.state.templates.next_id();
    if let Some(key) = key {
        visit.state.templates.remember(visit.now, key, message_id);
    }
    if !visit.grants.is_blocked(&order.open_id) {
        deliver(visit, &order, Way::Template);
    }
    let job = Job::Template {
        message_id,
        open_id: order.open_id.clone(),
        is_blocked: visit.grants.is_blocked(&order.open_id),
    };
    let takes = visit.settings.jobs.template;
    visit.state.jobs.begin(visit.now, takes, job);
    Ok(Answer::done(json!({ "msgid": message_id })))
}

/// The end of a template message.
pub(super) fn end(
    ending: &mut Ending<'_>,
    message_id: i64,
    (open_id, is_blocked): (&str, bool),
) -> Happened {
    let usual = if is_blocked {
        "failed:user block"
    } else {
        "success"
    };
    let status = ending.verdict.take();
    let status = status.unwrap_or_else(|| usual.to_owned());
    Happened {
        from_user: open_id.to_owned(),
        event: "TEMPLATESENDJOBFINISH",
        elements: format!(
            "<MsgID>{message_id}</MsgID>\n<Status>{}</Status>\n",
            cdata(&status)
        ),
    }
}

/// `POST /cgi-bin/message/template/subscribe`: one notice for one consent.
fn send_once(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let order = order_in(visit, &request)?;
    let title = text(&request, "title").ok_or(Refusal::code(40062))?;
    if title.chars().count() > MAX_NOTICE_TITLE {
        return Err(Refusal::code(40062));
    }
    let scene = number(&request, "scene");
    if !scene.is_some_and(|scene| (0..=10_000).contains(&scene)) {
        return Err(Refusal::code(47003));
    }
    let templates = &mut visit.state.templates;
    templates.use_consent(&order.open_id, &order.template_id)?;
    deliver(visit, &order, Way::SubscribeNotice);
    Ok(Answer::ok())
}

/// `POST /cgi-bin/message/subscribe/bizsend`
fn send_notice(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let order = order_in(visit, &request)?;
    let key = text(&request, "client_msg_id").map(|id| (order.open_id.clone(), id.to_owned()));
    let templates = &mut visit.state.templates;
    let is_repeated = key
        .as_ref()
        .is_some_and(|key| templates.repeated(visit.now, key).is_some());
    if is_repeated {
        return Ok(Answer::ok());
    }
    templates.use_consent(&order.open_id, &order.template_id)?;
    let message_id = templates.next_id();
    if let Some(key) = key {
        templates.remember(visit.now, key, message_id);
    }
    deliver(visit, &order, Way::SubscribeNotice);
    let job = Job::SubscribeNotice {
        message_id,
        open_id: order.open_id,
        template_id: order.template_id,
    };
    let takes = visit.settings.jobs.template;
    visit.state.jobs.begin(visit.now, takes, job);
    Ok(Answer::ok())
}

/// The end of a subscribe notice: a code, and its text.
pub(super) fn end_notice(
    ending: &mut Ending<'_>,
    message_id: i64,
    (open_id, template_id): (&str, &str),
) -> Happened {
    let verdict = ending.verdict.take();
    let (code, status) = verdict
        .as_deref()
        .and_then(|verdict| verdict.split_once(' '))
        .unwrap_or(("0", "success"));
    Happened {
        from_user: open_id.to_owned(),
        event: "subscribe_msg_sent_event",
        elements: format!(
            "<SubscribeMsgSentEvent><List><TemplateId>{}</TemplateId>\n<MsgID>{message_id}</MsgID>\n\
             <ErrorCode>{code}</ErrorCode>\n<ErrorStatus>{}</ErrorStatus>\n</List>\
             </SubscribeMsgSentEvent>\n",
            cdata(template_id),
            cdata(status)
        ),
    }
}

fn add_own(visit: &mut Visit<'_>, title: String, content: String, is_notice: bool) -> String {
    let id = visit.random.letters(43);
    let template = Template {
        title,
        content,
        is_notice,
    };
    visit.state.templates.own.insert(id.clone(), template);
    id
}

fn own_count(visit: &Visit<'_>, is_notice: bool) -> usize {
    let own = visit.state.templates.own.values();
    own.filter(|template| template.is_notice == is_notice)
        .count()
}

/// `POST /cgi-bin/template/api_add_template`
fn add(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let short_id = text(&request, "template_id_short").ok_or(Refusal::code(40037))?;
    if own_count(visit, false) >= MAX_TEMPLATES {
        return Err(Refusal::code(45026));
    }
    let names = request["keyword_name_list"].as_array();
    let lines = names.into_iter().flatten().filter_map(Value::as_str);
    let content: String = lines
        .enumerate()
        .map(|(index, name)| format!("{name}:{{{{thing{}.DATA}}}}\n", index + 1))
        .collect();
    let id = add_own(visit, short_id.to_owned(), content, false);
    Ok(Answer::done(json!({ "template_id": id })))
}

/// `GET /cgi-bin/template/get_all_private_template`
fn list(visit: &mut Visit<'_>) -> Handled {
    let own = visit.state.templates.own.iter();
    let list = own.filter(|(_, template)| !template.is_notice);
    let list: Vec<Value> = list
        .map(|(id, template)| {
            json!({
                "template_id": id,
                "title": template.title,
                "primary_industry": "",
                "deputy_industry": "",
                "content": template.content,
                "example": "",
            })
        })
        .collect();
    Ok(Answer::json(json!({ "template_list": list }).to_string()))
}

/// `POST /cgi-bin/template/del_private_template`, and the same for templates of notices, whose member
/// has another name.
fn delete(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let id = text(&request, "template_id").or_else(|| text(&request, "priTmplId"));
    let removed = id.and_then(|id| visit.state.templates.own.remove(id));
    removed.map(|_| Answer::ok()).ok_or(Refusal::code(40037))
}

/// `POST /cgi-bin/template/api_set_industry`: once a month, and it wipes the templates.
fn set_industry(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let industries = ["industry_id1", "industry_id2"].map(|name| number(&request, name));
    let [Some(first), Some(second)] = industries else {
        return Err(Refusal::code(40035));
    };
    let templates = &mut visit.state.templates;
    let month = calendar::month(visit.now);
    if !templates.industry_changes.take(month, 1) {
        return Err(Refusal::code(43100));
    }
    templates.industries = Some([first, second]);
    templates.own.retain(|_, template| template.is_notice);
    Ok(Answer::ok())
}

/// `GET /cgi-bin/template/get_industry`
fn industry(visit: &mut Visit<'_>) -> Handled {
    let [first, second] = visit.state.templates.industries.unwrap_or_default();
    let class = |id: i64| json!({ "first_class": "IT科技", "second_class": id.to_string() });
    let told = json!({ "primary_industry": class(first), "secondary_industry": class(second) });
    Ok(Answer::json(told.to_string()))
}

/// `POST /wxaapi/newtmpl/addtemplate`
fn add_notice_template(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let title = text(&request, "tid").ok_or(Refusal::code(200_014))?;
    let keywords = request["kidList"].as_array();
    let count = keywords
        .map(Vec::len)
        .filter(|count| (1..=5).contains(count));
    let count = count.ok_or(Refusal::code(200_020))?;
    if own_count(visit, true) >= MAX_TEMPLATES {
        return Err(Refusal::code(200_012));
    }
    let content: String = (1..=count)
        .map(|number| format!("{{{{thing{number}.DATA}}}}\n"))
        .collect();
    let id = add_own(visit, title.to_owned(), content, true);
    Ok(Answer::done(json!({ "priTmplId": id })))
}

/// `GET /wxaapi/newtmpl/gettemplate`
fn list_notice_templates(visit: &mut Visit<'_>) -> Handled {
    let own = visit.state.templates.own.iter();
    let list = own.filter(|(_, template)| template.is_notice);
    let list: Vec<Value> = list
        .map(|(id, template)| {
            json!({
                "priTmplId": id, "title": template.title, "content": template.content,
                "example": "", "type": 2,
            })
        })
        .collect();
    Ok(Answer::done(json!({ "data": list })))
}
