//! Customer service (客服): the accounts of people who answer, their sessions with users, and records.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::{Done, Outgoing, endpoints};
use crate::api::{RequestError, Upload, request};
use crate::id::OpenId;

/// Rows that one call of [`Records`] brings at most.
pub const MAX_RECORDS: u32 = 10_000;

/// Seconds that one call of [`Records`] spans at most.
pub const MAX_RECORDS_SECONDS: i64 = 24 * 60 * 60;

endpoints! {
    ListAccounts => Accounts {
        call: Get "/cgi-bin/customservice/getkflist",
        page: "获取客服列表",
        send: nothing,
        codes: [65400],
    }
    OnlineAccounts => Online {
        call: Get "/cgi-bin/customservice/getonlinekflist",
        page: "获取在线客服列表",
        send: nothing,
        codes: [65400],
    }
    AddAccount => Done {
        call: Post "/customservice/kfaccount/add",
        page: "添加客服账号",
        send: json,
        check: |request: &AddAccount| account(&request.kf_account, Some(&request.nickname)),
        repeat: Harmful,
        codes: [65400, 65403, 65404, 65405, 65406],
        limits: "100 accounts; nickname: 16 characters",
    }
    RenameAccount => Done {
        call: Post "/customservice/kfaccount/update",
        page: "修改客服账号",
        send: json,
        check: |request: &RenameAccount| account(&request.kf_account, Some(&request.nickname)),
        codes: [65400, 65401, 65403],
        limits: "nickname: 16 characters",
    }
    DeleteAccount => Done {
        call: Get "/customservice/kfaccount/del",
        page: "删除客服账号",
        send: query,
        check: |request: &DeleteAccount| account(&request.kf_account, None),
        codes: [65400, 65401],
    }
    InviteWorker => Done {
        call: Post "/customservice/kfaccount/inviteworker",
        page: "邀请绑定客服账号",
        send: json,
        check: |request: &InviteWorker| account(&request.kf_account, None),
        repeat: Harmful,
        codes: [65400, 65401, 65407, 65408, 65409, 65410, 65411, 65412],
    }
    UploadHeadImage => Done {
        call: Post "/customservice/kfaccount/uploadheadimg",
        page: "设置客服头像",
        send: (UploadHeadImage::outgoing),
        check: UploadHeadImage::limits,
        moves_a_file: true,
        codes: [61457, 65400, 65401],
        limits: "jpg; 640 × 640 is best",
    }
    CreateSession => Done {
        call: Post "/customservice/kfsession/create",
        page: "创建会话",
        send: json,
        check: |request: &CreateSession| account(&request.kf_account, None),
        codes: [65400, 65401, 65402, 65413, 65414, 65415],
        limits: "the person must be online",
    }
    CloseSession => Done {
        call: Post "/customservice/kfsession/close",
        page: "关闭会话",
        send: json,
        check: |request: &CloseSession| account(&request.kf_account, None),
        codes: [65400, 65401, 65402, 65413, 65414],
    }
    SessionOfUser => Session {
        call: Get "/customservice/kfsession/getsession",
        page: "获取客户会话状态",
        send: query,
        check: |request: &SessionOfUser| request::given("openid", request.openid.as_str()),
        codes: [40003, 65400],
    }
    SessionsOfAccount => Sessions {
        call: Get "/customservice/kfsession/getsessionlist",
        page: "获取客服会话列表",
        send: query,
        check: |request: &SessionsOfAccount| account(&request.kf_account, None),
        codes: [65400, 65401],
    }
    WaitingUsers => Waiting {
        call: Get "/customservice/kfsession/getwaitcase",
        page: "获取未接入会话列表",
        send: nothing,
        codes: [65400],
        limits: "100 users",
    }
    Records => RecordPage {
        call: Post "/customservice/msgrecord/getmsglist",
        page: "获取聊天记录",
        send: json,
        check: Records::limits,
        codes: [65400, 65416, 65417],
        limits: "24 h; 10 000 rows",
    }
}

fn account(kf_account: &str, nickname: Option<&str>) -> Result<(), RequestError> {
    request::given("kf_account", kf_account)?;
    if !kf_account.contains('@') {
        let fault = "must be NAME@the account's WeChat name (微信号)";
        return Err(RequestError::new("kf_account", fault));
    }
    nickname.map_or(Ok(()), |nickname| {
        request::characters("nickname", nickname, 16)
    })
}

/// Asks for all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListAccounts;

/// All accounts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Accounts {
    /// They.
    pub kf_list: Vec<Account>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Account {
    /// Its name, `NAME@the account's WeChat name`.
    pub kf_account: String,
    /// Its number.
    pub kf_id: serde_json::Value,
    /// What users see.
    pub kf_nick: String,
    /// The address of its picture.
    #[serde(default)]
    pub kf_headimgurl: String,
    /// The WeChat name of the person, once bound.
    #[serde(default)]
    pub kf_wx: Option<String>,
    /// The WeChat name of a person who is invited.
    #[serde(default)]
    pub invite_wx: Option<String>,
    /// `waiting`, `rejected` or `expired`.
    #[serde(default)]
    pub invite_status: Option<String>,
}

/// Asks who is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnlineAccounts;

/// Who is online.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Online {
    /// They.
    pub kf_online_list: Vec<OnlineAccount>,
}

/// One who is online.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct OnlineAccount {
    /// The account's name.
    pub kf_account: String,
    /// 1: on the web.
    pub status: i64,
    /// The account's number.
    pub kf_id: serde_json::Value,
    /// Sessions at this moment.
    pub accepted_case: i64,
}

/// Makes an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddAccount {
    /// Its name, `NAME@the account's WeChat name`.
    pub kf_account: String,
    /// What users see: at most 16 characters.
    pub nickname: String,
}

/// Gives an account another nickname.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RenameAccount {
    /// Its name.
    pub kf_account: String,
    /// What users see: at most 16 characters.
    pub nickname: String,
}

/// Takes an account away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteAccount {
    /// Its name.
    pub kf_account: String,
}

/// Asks a person to answer under an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InviteWorker {
    /// Its name.
    pub kf_account: String,
    /// The person's WeChat name (微信号).
    pub invite_wx: String,
}

/// Gives an account a picture.
#[derive(Debug, Clone)]
pub struct UploadHeadImage {
    /// Its name.
    pub kf_account: String,
    /// The picture.
    pub media: Upload,
}

impl UploadHeadImage {
    fn limits(&self) -> Result<(), RequestError> {
        account(&self.kf_account, None)?;
        self.media.check(5 * 1024 * 1024, &["jpg", "jpeg"])
    }

    fn outgoing(&self) -> Result<Outgoing, RequestError> {
        let mut outgoing = self.media.outgoing(None)?;
        outgoing.query = vec![("kf_account".into(), self.kf_account.clone())];
        Ok(outgoing)
    }
}

/// Gives a user to one who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreateSession {
    /// The account of the one who answers.
    pub kf_account: String,
    /// The user.
    pub openid: OpenId,
}

/// Ends a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CloseSession {
    /// The account of the one who answers.
    pub kf_account: String,
    /// The user.
    pub openid: OpenId,
}

/// Asks who answers a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionOfUser {
    /// The user.
    pub openid: OpenId,
}

/// Who answers a user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Session {
    /// The account; empty when nobody does.
    #[serde(default)]
    pub kf_account: String,
    /// Since when, in Unix seconds.
    #[serde(default)]
    pub createtime: i64,
}

/// Asks whom one answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionsOfAccount {
    /// The account.
    pub kf_account: String,
}

/// Whom one answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Sessions {
    /// They.
    pub sessionlist: Vec<UserSession>,
}

/// A session with a user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct UserSession {
    /// The user.
    pub openid: OpenId,
    /// Since when, in Unix seconds.
    pub createtime: i64,
}

/// Asks which users nobody answers yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingUsers;

/// The users whom nobody answers yet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Waiting {
    /// How many there are; the list has 100 of them at most.
    pub count: i64,
    /// They, those who wait longest first.
    #[serde(default)]
    pub waitcaselist: Vec<WaitingUser>,
}

/// A user whom nobody answers yet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct WaitingUser {
    /// The user.
    pub openid: OpenId,
    /// The time of the user's last message, in Unix seconds.
    pub latest_time: i64,
}

/// Asks what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Records {
    /// From when, in Unix seconds.
    pub starttime: i64,
    /// Until when: at most [`MAX_RECORDS_SECONDS`] later.
    pub endtime: i64,
    /// From behind this row; 1 at first, then what the last page said.
    pub msgid: i64,
    /// How many rows are wanted: at most [`MAX_RECORDS`].
    pub number: u32,
}

impl Records {
    fn limits(&self) -> Result<(), RequestError> {
        let seconds = self.endtime.saturating_sub(self.starttime);
        if !(0..=MAX_RECORDS_SECONDS).contains(&seconds) {
            let fault = format!("is {seconds} s after starttime; at most 24 h are allowed");
            return Err(RequestError::new("endtime", fault));
        }
        request::between("number", i64::from(self.number), 1, i64::from(MAX_RECORDS))
    }
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct RecordPage {
    /// The rows.
    #[serde(default)]
    pub recordlist: Vec<Record>,
    /// How many there are.
    pub number: i64,
    /// Where the next page begins.
    pub msgid: i64,
}

/// A row of what was said.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Record {
    /// The user.
    pub openid: OpenId,
    /// 2002: the one who answers said it; 2003: the user did.
    pub opercode: i64,
    /// What was said.
    pub text: String,
    /// When, in Unix seconds.
    pub time: i64,
    /// The account of the one who answers.
    pub worker: String,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("opercode", &self.opercode)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}
