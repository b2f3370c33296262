//! Followers: who they are, all of them page by page, remarks, and the blacklist.

use std::collections::VecDeque;

use futures_util::stream::{Stream, unfold};
use serde::{Deserialize, Serialize};

use crate::api::endpoint::{Done, Endpoint, endpoints};
use crate::api::{Api, CallError, RequestError, request};
use crate::id::{AppId, OpenId};

/// Users that one call of [`Users`] names at most.
pub const MAX_USERS: usize = 100;

/// Bytes of the longest remark: fewer than 30.
pub const MAX_REMARK_BYTES: usize = 29;

/// Users that one call blocks at most, or lets go.
pub const MAX_BLOCKED: usize = 20;

endpoints! {
    UserInfo => User {
        call: Get "/cgi-bin/user/info",
        page: "获取用户基本信息",
        send: query,
        check: |request: &UserInfo| request::given("openid", request.openid.as_str()),
        quota: "user_info",
        codes: [40003],
    }
    Users => UserInfos {
        call: Post "/cgi-bin/user/info/batchget",
        page: "批量获取用户基本信息",
        send: json,
        check: |request: &Users| request::members("user_list", request.user_list.len(), 1, MAX_USERS),
        quota: "user_info",
        codes: [40003, 40032],
        limits: "user_list: 1 to 100; one unknown user fails the whole call",
    }
    Followers => Page {
        call: Get "/cgi-bin/user/get",
        page: "获取用户列表",
        send: query,
        quota: "follower_list",
        codes: [40003, 48001, 50002, 61004, 61007, 61016, 268487002],
        limits: "10 000 users a page",
    }
    FollowersWithTag => Page {
        call: Post "/cgi-bin/user/tag/get",
        page: "获取标签下粉丝列表",
        send: json,
        codes: [40003, 45159],
        limits: "10 000 users a page",
    }
    SetRemark => Done {
        call: Post "/cgi-bin/user/info/updateremark",
        page: "设置用户备注名",
        send: json,
        check: SetRemark::limits,
        quota: "remark",
        codes: [40003, 40092, 48001, 61016],
        limits: "remark: fewer than 30 bytes",
    }
    Blacklist => Page {
        call: Post "/cgi-bin/tags/members/getblacklist",
        page: "获取公众号的黑名单列表",
        send: json,
        codes: [40003, 49003, 268487001],
        limits: "1 000 users a page",
    }
    BlockUsers => Done {
        call: Post "/cgi-bin/tags/members/batchblacklist",
        page: "拉黑用户",
        send: json,
        check: |request: &BlockUsers| request::members("openid_list", request.openid_list.len(), 1, MAX_BLOCKED),
        codes: [40003, 40032, 49003],
        limits: "openid_list: 1 to 20",
    }
    UnblockUsers => Done {
        call: Post "/cgi-bin/tags/members/batchunblacklist",
        page: "取消拉黑用户",
        send: json,
        check: |request: &UnblockUsers| request::members("openid_list", request.openid_list.len(), 1, MAX_BLOCKED),
        codes: [40003, 40032, 49003],
        limits: "openid_list: 1 to 20",
    }
}

/// The language in which the platform names countries and cities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Language {
    /// Chinese as in mainland China.
    #[default]
    #[serde(rename = "zh_CN")]
    Chinese,
    /// Chinese as in Taiwan.
    #[serde(rename = "zh_TW")]
    TraditionalChinese,
    /// English.
    #[serde(rename = "en")]
    English,
}

/// Asks who a user is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// The user.
    pub openid: OpenId,
    /// The language.
    pub lang: Language,
}

impl UserInfo {
    /// This user, in Chinese.
    pub fn new(openid: OpenId) -> Self {
        let lang = Language::default();
        Self { openid, lang }
    }
}

/// Asks who several users are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Users {
    /// The users: at most [`MAX_USERS`].
    pub user_list: Vec<UserInfo>,
}

/// Who several users are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UserInfos {
    /// They.
    pub user_info_list: Vec<User>,
}

/// A user. Names, pictures, sex and place are no longer told since 2021-12-27. Of one who does not
/// follow only `openid` is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct User {
    /// 1 of a follower, else 0.
    pub subscribe: i64,
    /// The name of the user in this account.
    pub openid: OpenId,
    /// The user's language; empty today.
    #[serde(default)]
    pub language: String,
    /// Since when the user follows, in Unix seconds.
    #[serde(default)]
    pub subscribe_time: Option<i64>,
    /// The name of the user in all accounts that are bound to one open platform (开放平台) account.
    #[serde(default)]
    pub unionid: Option<String>,
    /// The account's remark.
    #[serde(default)]
    pub remark: String,
    /// The group, of the time before tags.
    #[serde(default)]
    pub groupid: Option<i64>,
    /// The user's tags.
    #[serde(default)]
    pub tagid_list: Vec<i64>,
    /// Where the user began to follow, like `ADD_SCENE_QR_CODE`.
    #[serde(default)]
    pub subscribe_scene: Option<String>,
    /// The number in the QR code that brought the user; 0 if none.
    #[serde(default)]
    pub qr_scene: Option<i64>,
    /// The text in the QR code that brought the user; empty if none.
    #[serde(default)]
    pub qr_scene_str: Option<String>,
}

impl User {
    /// Whether the user follows the account.
    pub const fn is_follower(&self) -> bool {
        self.subscribe != 0
    }
}

/// Asks for a page of followers, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Followers {
    /// The last one of the page before; `None` for the first page.
    pub next_openid: Option<OpenId>,
}

/// Asks for a page of followers who have a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FollowersWithTag {
    /// The tag.
    pub tagid: i64,
    /// The last one of the page before; `None` for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_openid: Option<OpenId>,
}

/// Asks for a page of the users whom the account has blocked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Blacklist {
    /// The last one of the page before; `None` for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begin_openid: Option<OpenId>,
}

/// A page of users.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Page {
    /// All there are; of a tag's the platform does not say.
    #[serde(default)]
    pub total: Option<i64>,
    /// Those on this page.
    #[serde(default)]
    pub count: i64,
    /// They. Missing where there are none.
    #[serde(default)]
    pub data: OpenIds,
    /// The last one of this page; empty, or missing, when there is no next page.
    #[serde(default)]
    pub next_openid: String,
}

/// A list of users.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct OpenIds {
    /// They.
    #[serde(default)]
    pub openid: Vec<OpenId>,
}

impl Page {
    /// From where the next page is asked for, if there is one.
    pub fn next(&self) -> Option<OpenId> {
        let has_more = !self.next_openid.is_empty() && !self.data.openid.is_empty();
        has_more.then(|| OpenId::new(&*self.next_openid))
    }
}

/// A list that comes in pages.
pub trait Paged: Endpoint<Response = Page> + Sized {
    /// The same list, from behind this user.
    fn behind(self, last: OpenId) -> Self;
}

impl Paged for Followers {
    fn behind(self, last: OpenId) -> Self {
        let next_openid = Some(last);
        Self { next_openid }
    }
}

impl Paged for FollowersWithTag {
    fn behind(self, last: OpenId) -> Self {
        let next_openid = Some(last);
        Self {
            next_openid,
            ..self
        }
    }
}

impl Paged for Blacklist {
    fn behind(self, last: OpenId) -> Self {
        let begin_openid = Some(last);
        Self { begin_openid }
    }
}

/// Sets the account's remark on a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetRemark {
    /// The user.
    pub openid: OpenId,
    /// The remark: at most [`MAX_REMARK_BYTES`]. An empty one takes the remark away.
    pub remark: String,
}

impl SetRemark {
    fn limits(&self) -> Result<(), RequestError> {
        request::given("openid", self.openid.as_str())?;
        match self.remark.as_str() {
            "" => Ok(()),
            remark => request::bytes("remark", remark, MAX_REMARK_BYTES),
        }
    }
}

/// Blocks users: what they write no longer arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockUsers {
    /// The users: at most [`MAX_BLOCKED`].
    pub openid_list: Vec<OpenId>,
}

/// Lets blocked users go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnblockUsers {
    /// The users: at most [`MAX_BLOCKED`].
    pub openid_list: Vec<OpenId>,
}

enum Step<P> {
    Ask(P),
    Last,
}

impl Api {
    /// All users of a list, page after page as they are wanted: memory holds one page. Ends after the
    /// first error. A platform that gives the same page forever is stopped after one repeat.
    pub fn users<P: Paged + Clone>(
        &self,
        account: &AppId,
        list: P,
    ) -> impl Stream<Item = Result<OpenId, CallError>> + Send {
        let (api, account) = (self.clone(), account.clone());
        let state = (VecDeque::new(), Step::Ask(list), None::<OpenId>);
        unfold(state, move |(mut page, mut step, mut behind)| {
            let (api, account) = (api.clone(), account.clone());
            async move {
                loop {
                    if let Some(user) = page.pop_front() {
                        return Some((Ok(user), (page, step, behind)));
                    }
                    let Step::Ask(list) = step else {
                        return None;
                    };
                    match api.call(&account, &list).await {
                        Err(error) => return Some((Err(error), (page, Step::Last, None))),
                        Ok(answer) => {
                            let next = answer.next().filter(|next| behind.as_ref() != Some(next));
                            step = match &next {
                                Some(last) => Step::Ask(list.behind(last.clone())),
                                None => Step::Last,
                            };
                            behind = next;
                            page = VecDeque::from(answer.data.openid);
                        }
                    }
                }
            }
        })
    }
}
