//! The blacklist: whom the account does not want to hear from.

use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::post;
use super::endpoint::text;
use super::endpoint::texts;
use super::users::page;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/tags/members/getblacklist", list),
    post("/cgi-bin/tags/members/batchblacklist", add),
    post("/cgi-bin/tags/members/batchunblacklist", remove),
];

/// Users in one order.
pub const USERS_PER_BLACKLISTING: usize = 20;

/// OpenIDs in one answer.
pub const BLACKLISTED_PER_PAGE: usize = 1_000;

/// `POST /cgi-bin/tags/members/getblacklist`
fn list(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let followers = &visit.state.followers;
    let blacklisted = |start: Option<&str>| {
        let after = followers.after(start)?;
        Some(after.filter(|open_id| followers.seen(open_id).is_some_and(|user| user.blacklisted)))
    };
    let start = text(&request, "begin_openid");
    let open_ids: Vec<&str> = blacklisted(start)
        .ok_or(Refusal::code(40003))?
        .take(BLACKLISTED_PER_PAGE)
        .collect();
    let total = blacklisted(None).map_or(0, Iterator::count);
    Ok(Answer::json(page(Some(total), &open_ids).to_string()))
}

fn change(visit: &mut Visit<'_>, blacklisted: bool) -> Handled {
    let request = visit.json()?;
    let open_ids = texts(&request, "openid_list").ok_or(Refusal::code(40032))?;
    if !(1..=USERS_PER_BLACKLISTING).contains(&open_ids.len()) {
        return Err(Refusal::code(40032));
    }
    let (now, followers) = (visit.now, &mut visit.state.followers);
    if !open_ids
        .iter()
        .all(|user| followers.user(now, user).is_some())
    {
        return Err(Refusal::code(40003));
    }
    for open_id in open_ids {
        if let Some(user) = followers.user(now, open_id) {
            user.blacklisted = blacklisted;
        }
    }
    Ok(Answer::done(json!({})))
}

/// `POST /cgi-bin/tags/members/batchblacklist`
fn add(visit: &mut Visit<'_>) -> Handled {
    change(visit, true)
}

/// `POST /cgi-bin/tags/members/batchunblacklist`
fn remove(visit: &mut Visit<'_>) -> Handled {
    change(visit, false)
}
