//! Who follows an account, and what it noted about them.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ops::Bound;

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::Scene;
use super::Users;
use super::answer::Refusal;
use super::calendar::Meter;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::get;
use super::endpoint::post;
use super::endpoint::text;
use super::qr::CodeScene;
use super::quota::QuotaRow;
use crate::clock::Timestamp;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("/cgi-bin/user/info", info).counted(QuotaRow::UserInfo),
    post("/cgi-bin/user/info/batchget", batch).counted(QuotaRow::UserInfo),
    get("/cgi-bin/user/get", list).counted(QuotaRow::FollowerList),
    post("/cgi-bin/user/info/updateremark", remark).counted(QuotaRow::Remark),
];

/// OpenIDs in one answer of the follower list.
pub const FOLLOWERS_PER_PAGE: usize = 10_000;

/// Users in one question for several.
pub const USERS_PER_BATCH: usize = 100;

/// Bytes of a remark name: fewer than this.
pub const REMARK_BYTES: usize = 30;

/// Users kept for an account; whoever comes when there are so many is not remembered.
const MAX_USERS: usize = 500_000;

/// Characters of what is taken for an OpenID; real ones have 28.
const MAX_OPEN_ID: usize = 128;

/// One user, as the account sees them.
#[derive(Debug, Clone, Default)]
pub(super) struct Follower {
    /// The place in the list of followers; `None` after the user has left.
    place: Option<u64>,
    since_seconds: i64,
    remark: String,
    scene: Option<&'static str>,
    /// The scene of the code by which the user came.
    code: Option<CodeScene>,
    /// 1 iOS, 2 Android, 3 another; what conditional menus look at.
    pub(super) client_platform: Option<i64>,
    pub(super) tags: Vec<i64>,
    pub(super) group: i64,
    pub(super) blacklisted: bool,
    /// Mass messages got this month.
    pub(super) masses: Meter,
}

impl Follower {
    pub(super) fn follows(&self) -> bool {
        self.place.is_some()
    }
}

/// The users of one account.
#[derive(Debug)]
pub(super) struct Followers {
    /// Whether an OpenID that nobody has seen yet belongs to a follower.
    everybody: bool,
    known: HashMap<String, Follower>,
    /// OpenIDs in the order of following.
    list: BTreeMap<u64, String>,
    next_place: u64,
}

impl Followers {
    pub(super) fn new(users: &Users) -> Self {
        let mut followers = Self {
            everybody: matches!(users, Users::Any),
            known: HashMap::new(),
            list: BTreeMap::new(),
            next_place: 0,
        };
        if let Users::Known(known) = users {
            let mut known: Vec<&str> = known.iter().map(|user| user.as_str()).collect();
            known.sort_unstable();
            for open_id in known {
                followers.follow(Timestamp::default(), open_id, None);
            }
        }
        followers
    }

    fn follow(&mut self, now: Timestamp, open_id: &str, scene: Option<&'static str>) {
        let is_new = !self.known.contains_key(open_id);
        if is_new && (self.known.len() >= MAX_USERS || open_id.len() > MAX_OPEN_ID) {
            return;
        }
        let follower = self.known.entry(open_id.to_owned()).or_default();
        if follower.place.is_none() {
            let place = self.next_place;
            self.next_place += 1;
            follower.place = Some(place);
            follower.since_seconds = now.seconds();
            follower.scene = scene;
            follower.code = None;
            self.list.insert(place, open_id.to_owned());
        }
    }

    fn leave(&mut self, open_id: &str) {
        if let Some(follower) = self.known.get_mut(open_id) {
            // The platform forgets what was noted about somebody who leaves.
            let place = follower.place.take();
            follower.tags.clear();
            follower.group = 0;
            if let Some(place) = place {
                self.list.remove(&place);
            }
        }
    }

    /// A user did something: only followers write and tap, and leaving ends it.
    pub(super) fn acted(&mut self, now: Timestamp, open_id: &str, scene: Scene) {
        if !self.everybody && !self.known.contains_key(open_id) && scene != Scene::Follow {
            return;
        }
        match scene {
            Scene::Unfollow => {
                self.follow(now, open_id, None);
                self.leave(open_id);
            }
            Scene::Follow => self.follow(now, open_id, Some("ADD_SCENE_SEARCH")),
            Scene::ScanCode => self.follow(now, open_id, Some("ADD_SCENE_QR_CODE")),
            _ => self.follow(now, open_id, None),
        }
    }

    /// A user scanned a code; whether they follow since then. `None` when this can be no user, or there
    /// is no room for another.
    pub(super) fn scanned(
        &mut self,
        now: Timestamp,
        open_id: &str,
        scene: &CodeScene,
    ) -> Option<bool> {
        if open_id.is_empty() {
            return None;
        }
        let was_there = self.seen(open_id).is_some_and(Follower::follows);
        self.follow(now, open_id, Some("ADD_SCENE_QR_CODE"));
        let follower = self.known.get_mut(open_id)?;
        if !was_there {
            follower.code = Some(scene.clone());
        }
        Some(!was_there)
    }

    /// A user with this OpenID, following or not; `None` when the account has never had one.
    pub(super) fn user(&mut self, now: Timestamp, open_id: &str) -> Option<&mut Follower> {
        if self.everybody && !open_id.is_empty() && !self.known.contains_key(open_id) {
            self.follow(now, open_id, None);
        }
        self.known.get_mut(open_id)
    }

    /// What is known of a user, without making one up.
    pub(super) fn seen(&self, open_id: &str) -> Option<&Follower> {
        self.known.get(open_id)
    }

    /// Whether the account may write to this OpenID at all.
    pub(super) fn includes(&self, open_id: &str) -> bool {
        self.everybody || self.known.contains_key(open_id)
    }

    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Followers in their order, those after the one named: `None` when nobody has that name.
    pub(super) fn after<'a>(
        &'a self,
        open_id: Option<&str>,
    ) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        let start = match open_id {
            None => Bound::Unbounded,
            Some(open_id) => {
                let follower = self.known.get(open_id)?;
                follower.place.map_or(Bound::Unbounded, Bound::Excluded)
            }
        };
        let rest = self.list.range((start, Bound::Unbounded));
        Some(rest.map(|(_, open_id)| open_id.as_str()))
    }

    /// Followers who have a tag, in their order, those after the one named.
    pub(super) fn fans<'a>(
        &'a self,
        tag: i64,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let has_tag = move |open_id: &&str| {
            let user = self.seen(open_id);
            user.is_some_and(|user| user.tags.contains(&tag))
        };
        self.after(after).into_iter().flatten().filter(has_tag)
    }

    /// Everybody that was ever seen, in no particular order.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Follower> {
        self.known.values_mut()
    }

    pub(super) fn view(&self) -> Vec<Value> {
        let mut all: Vec<_> = self.known.iter().collect();
        all.sort_unstable_by_key(|(open_id, follower)| (follower.place, *open_id));
        let shown = |(open_id, follower): (&String, &Follower)| {
            json!({
                "openid": open_id,
                "subscribe": i64::from(follower.follows()),
                "subscribe_time": follower.since_seconds,
                "remark": follower.remark,
                "tagid_list": follower.tags,
                "groupid": follower.group,
                "client_platform_type": follower.client_platform,
                "blacklisted": follower.blacklisted,
            })
        };
        all.into_iter().map(shown).collect()
    }
}

/// A page of OpenIDs as all lists write it: without `data` when nobody is left.
pub(super) fn page(total: Option<usize>, open_ids: &[&str]) -> Value {
    let mut page = json!({
        "count": open_ids.len(),
        "next_openid": open_ids.last().copied().unwrap_or(""),
    });
    if let Some(total) = total {
        page["total"] = total.into();
    }
    if !open_ids.is_empty() {
        page["data"] = json!({ "openid": open_ids });
    }
    page
}

/// What the platform tells of one user. Names and faces are not told since 2021-12-27.
fn told(visit: &mut Visit<'_>, open_id: &str) -> Result<Value, Refusal> {
    let user = visit.state.followers.user(visit.now, open_id);
    let user = user.ok_or(Refusal::code(40003))?;
    if !user.follows() {
        return Ok(json!({ "subscribe": 0, "openid": open_id }));
    }
    let (qr_scene, qr_scene_str) = match &user.code {
        Some(CodeScene::Number(number)) => (*number, ""),
        Some(CodeScene::Text(text)) => (0, text.as_str()),
        None => (0, ""),
    };
    Ok(json!({
        "subscribe": 1,
        "openid": open_id,
        "language": "",
        "subscribe_time": user.since_seconds,
        "remark": user.remark,
        "groupid": user.group,
        "tagid_list": user.tags,
        "subscribe_scene": user.scene.unwrap_or("ADD_SCENE_OTHERS"),
        "qr_scene": qr_scene,
        "qr_scene_str": qr_scene_str,
    }))
}

/// `GET /cgi-bin/user/info`
fn info(visit: &mut Visit<'_>) -> Handled {
    let open_id = visit.call.parameter("openid");
    let open_id = open_id.ok_or(Refusal::code(40003))?;
    Ok(Answer::json(told(visit, &open_id)?.to_string()))
}

#[derive(Debug, Deserialize)]
struct Batch {
    user_list: Vec<Asked>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    openid: String,
}

/// `POST /cgi-bin/user/info/batchget`: one unknown OpenID fails the whole call.
fn batch(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let batch = Batch::deserialize(&request).map_err(|_| Refusal::code(47001))?;
    if !(1..=USERS_PER_BATCH).contains(&batch.user_list.len()) {
        return Err(Refusal::code(40032));
    }
    let users: Result<Vec<_>, _> = batch
        .user_list
        .iter()
        .map(|asked| told(visit, &asked.openid))
        .collect();
    Ok(Answer::json(
        json!({ "user_info_list": users? }).to_string(),
    ))
}

/// `GET /cgi-bin/user/get`
fn list(visit: &mut Visit<'_>) -> Handled {
    let start = visit.call.parameter("next_openid");
    let followers = &visit.state.followers;
    let after = followers.after(start.as_deref());
    let open_ids: Vec<&str> = after
        .ok_or(Refusal::code(40003))?
        .take(FOLLOWERS_PER_PAGE)
        .collect();
    let page = page(Some(followers.count()), &open_ids);
    Ok(Answer::json(page.to_string()))
}

/// `POST /cgi-bin/user/info/updateremark`
fn remark(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let open_id = text(&request, "openid").ok_or(Refusal::code(40003))?;
    let remark = request.get("remark").and_then(Value::as_str);
    let remark = remark
        .filter(|remark| remark.len() < REMARK_BYTES)
        .ok_or(Refusal::code(40092))?;
    let user = visit.state.followers.user(visit.now, open_id);
    user.ok_or(Refusal::code(40003))?.remark = remark.to_owned();
    Ok(Answer::ok())
}
