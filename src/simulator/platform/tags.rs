//! Tags: an account has at most 100, a user at most 20.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::any;
use super::endpoint::get;
use super::endpoint::number;
use super::endpoint::post;
use super::endpoint::text;
use super::endpoint::texts;
use super::quota::QuotaRow;
use super::users::FOLLOWERS_PER_PAGE;
use super::users::page;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/tags/create", create).counted(QuotaRow::TagCreate),
    get("/cgi-bin/tags/get", list).counted(QuotaRow::TagList),
    post("/cgi-bin/tags/update", rename).counted(QuotaRow::TagUpdate),
    post("/cgi-bin/tags/delete", delete),
    // The official page says GET and shows a body.
    any("/cgi-bin/user/tag/get", fans),
    post("/cgi-bin/tags/members/batchtagging", tag).counted(QuotaRow::MoveUser),
    post("/cgi-bin/tags/members/batchuntagging", untag).counted(QuotaRow::MoveUser),
    post("/cgi-bin/tags/getidlist", tags_of),
];

/// Tags of an account.
pub const MAX_TAGS: usize = 100;

/// Tags of a user.
pub const MAX_TAGS_PER_USER: usize = 20;

/// Users in one order to tag.
pub const USERS_PER_TAGGING: usize = 50;

/// Characters of a tag's name.
pub const MAX_TAG_NAME: usize = 30;

/// Users of a tag that can still be deleted.
const MAX_FANS_TO_DELETE: usize = 100_000;

/// The star group: every account has it, and nobody may change it.
const STAR: (i64, &str) = (2, "星标组");

/// Ids of an account's own tags begin here; those before are the platform's.
const FIRST_ID: i64 = 100;

/// The tags of one account, by id.
#[derive(Debug, Default)]
pub(super) struct Tags {
    names: BTreeMap<i64, String>,
    created: i64,
}

impl Tags {
    fn check_name(&self, name: Option<&str>) -> Result<String, Refusal> {
        let name = name.ok_or(Refusal::code(45157))?;
        if name.chars().count() > MAX_TAG_NAME {
            return Err(Refusal::code(45158));
        }
        let is_taken = name == STAR.1 || self.names.values().any(|taken| taken == name);
        if is_taken {
            return Err(Refusal::code(45157));
        }
        Ok(name.to_owned())
    }

    fn create(&mut self, name: Option<&str>) -> Result<i64, Refusal> {
        let name = self.check_name(name)?;
        if self.names.len() >= MAX_TAGS {
            return Err(Refusal::code(45056));
        }
        let id = FIRST_ID + self.created;
        self.created += 1;
        self.names.insert(id, name);
        Ok(id)
    }

    /// A tag that the account may change.
    fn own(&self, id: Option<i64>) -> Result<i64, Refusal> {
        match id {
            Some(0..FIRST_ID) => Err(Refusal::code(45058)),
            Some(id) if self.names.contains_key(&id) => Ok(id),
            _ => Err(Refusal::code(45159)),
        }
    }

    /// A tag that users can have.
    pub(super) fn known(&self, id: Option<i64>) -> Result<i64, Refusal> {
        let id = id.filter(|id| *id == STAR.0 || self.names.contains_key(id));
        id.ok_or(Refusal::code(45159))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (i64, &str)> {
        let own = self.names.iter().map(|(id, name)| (*id, name.as_str()));
        std::iter::once(STAR).chain(own)
    }
}

fn tag_member(request: &Value) -> &Value {
    &request["tag"]
}

/// `POST /cgi-bin/tags/create`
fn create(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let name = text(tag_member(&request), "name");
    let id = visit.state.tags.create(name)?;
    let tag = json!({ "tag": { "id": id, "name": name } });
    Ok(Answer::json(tag.to_string()))
}

/// `GET /cgi-bin/tags/get`
fn list(visit: &mut Visit<'_>) -> Handled {
    let tags = visit.state.tags.all().map(|(id, name)| {
        let count = visit.state.followers.fans(id, None).count();
        json!({ "id": id, "name": name, "count": count })
    });
    let tags: Vec<Value> = tags.collect();
    Ok(Answer::json(json!({ "tags": tags }).to_string()))
}

/// `POST /cgi-bin/tags/update`
fn rename(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let tags = &mut visit.state.tags;
    let id = tags.own(number(tag_member(&request), "id"))?;
    let name = text(tag_member(&request), "name");
    if name != tags.names.get(&id).map(String::as_str) {
        let name = tags.check_name(name)?;
        tags.names.insert(id, name);
    }
    Ok(Answer::ok())
}

/// `POST /cgi-bin/tags/delete`
fn delete(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let id = visit.state.tags.own(number(tag_member(&request), "id"))?;
    let mut fans = visit.state.followers.fans(id, None);
    if fans.nth(MAX_FANS_TO_DELETE).is_some() {
        return Err(Refusal::code(45057));
    }
    drop(fans);
    visit.state.tags.names.remove(&id);
    for user in visit.state.followers.all_mut() {
        user.tags.retain(|tag| *tag != id);
    }
    Ok(Answer::ok())
}

/// `POST /cgi-bin/user/tag/get`
fn fans(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let id = visit.state.tags.known(number(&request, "tagid"))?;
    let start = text(&request, "next_openid");
    if start.is_some_and(|start| visit.state.followers.seen(start).is_none()) {
        return Err(Refusal::code(40003));
    }
    let fans = visit.state.followers.fans(id, start);
    let fans: Vec<&str> = fans.take(FOLLOWERS_PER_PAGE).collect();
    Ok(Answer::json(page(None, &fans).to_string()))
}

/// Changes the tags of every user in the list whom nothing stands against; tells who is left.
fn change_each(
    visit: &mut Visit<'_>,
    change: fn(&mut Vec<i64>, i64) -> Result<(), i64>,
) -> Handled {
    let request = visit.json()?;
    let tag = visit.state.tags.known(number(&request, "tagid"))?;
    let open_ids = texts(&request, "openid_list").ok_or(Refusal::code(40032))?;
    if !(1..=USERS_PER_TAGGING).contains(&open_ids.len()) {
        return Err(Refusal::code(40032));
    }
    let (now, followers) = (visit.now, &mut visit.state.followers);
    if !open_ids
        .iter()
        .all(|user| followers.user(now, user).is_some())
    {
        return Err(Refusal::code(40003));
    }
    let mut failed = Vec::new();
    let mut reason = 45171;
    for open_id in &open_ids {
        let changed = match followers.user(now, open_id) {
            Some(user) if user.follows() => change(&mut user.tags, tag),
            _ => Err(50005),
        };
        if let Err(code) = changed {
            failed.push(*open_id);
            reason = code;
        }
    }
    match failed.len() {
        0 => Ok(Answer::ok()),
        count if count == open_ids.len() => Err(Refusal::code(reason)),
        _ => Ok(visit.refusing_with(45171, &json!({ "fail_openid_list": failed }))),
    }
}

/// `POST /cgi-bin/tags/members/batchtagging`
fn tag(visit: &mut Visit<'_>) -> Handled {
    change_each(visit, |tags, tag| {
        if tags.contains(&tag) {
            return Ok(());
        }
        if tags.len() >= MAX_TAGS_PER_USER {
            return Err(45059);
        }
        tags.push(tag);
        Ok(())
    })
}

/// `POST /cgi-bin/tags/members/batchuntagging`
fn untag(visit: &mut Visit<'_>) -> Handled {
    change_each(visit, |tags, tag| {
        tags.retain(|own| *own != tag);
        Ok(())
    })
}

/// `POST /cgi-bin/tags/getidlist`
fn tags_of(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let open_id = text(&request, "openid").ok_or(Refusal::code(40003))?;
    let user = visit.state.followers.user(visit.now, open_id);
    let tags = &user.ok_or(Refusal::code(40003))?.tags;
    Ok(Answer::json(json!({ "tagid_list": tags }).to_string()))
}
