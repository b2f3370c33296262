//! What the platform counts of an account's calls, how that is cleared, and what became of one call.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::api::endpoint::{Done, Outgoing, endpoints};
use crate::api::{RequestError, request};
use crate::id::AppId;
use crate::secret::AppSecret;

endpoints! {
    QuotaOf => QuotaReport {
        call: Post "/cgi-bin/openapi/quota/get",
        page: "查询API调用额度",
        send: json,
        check: |request: &QuotaOf| path(&request.cgi_path),
        codes: [76003, 76021, 76022],
        limits: "cgi_path from its slash; not /sns/",
    }
    ClearQuota => Done {
        call: Post "/cgi-bin/clear_quota",
        page: "重置API调用次数",
        send: json,
        quota: "clear_quota_total",
        repeat: Harmful,
        codes: [40013, 48006],
        limits: "10 a month, with clear_quota/v2 and the console",
    }
    ClearQuotaWithSecret => Done {
        call: Post "/cgi-bin/clear_quota/v2",
        page: "使用AppSecret重置API调用次数",
        send: (ClearQuotaWithSecret::outgoing),
        quota: "clear_quota_total",
        repeat: Harmful,
        token: false,
        codes: [40013, 40125, 41002, 41004, 48006],
        limits: "10 a month, with clear_quota and the console",
    }
    ClearQuotaOf => Done {
        call: Post "/cgi-bin/openapi/quota/clear",
        page: "重置指定API调用次数",
        send: json,
        check: |request: &ClearQuotaOf| path(&request.cgi_path),
        quota: "openapi_quota_clear",
        repeat: Harmful,
        codes: [44002, 50002, 76021, 76022],
        limits: "50 a month",
    }
    AskRid => RidReport {
        call: Post "/cgi-bin/openapi/rid/get",
        page: "查询rid信息",
        send: json,
        check: |request: &AskRid| request::given("rid", &request.rid),
        codes: [76001, 76002, 76003, 76004],
        limits: "for 7 days; not of /sns/",
    }
}

fn path(path: &str) -> Result<(), RequestError> {
    let is_path = path.starts_with('/') && !path.contains(['?', '#', ' ']);
    match is_path {
        true => Ok(()),
        false => Err(RequestError::new(
            "cgi_path",
            "must be a path from its slash, like /cgi-bin/message/custom/send",
        )),
    }
}

/// Asks what is left of the quota of one API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuotaOf {
    /// Its path.
    pub cgi_path: String,
}

/// What is left of a quota. Figures are up to 1 % off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct QuotaReport {
    /// The day.
    pub quota: DayQuota,
    /// The minute, where it is limited.
    #[serde(default)]
    rate_limit: Option<RateLimit>,
    /// The minute of third-party platforms, where it is limited.
    #[serde(default)]
    component_rate_limit: Option<RateLimit>,
}

impl QuotaReport {
    /// How many calls a time takes, where that is limited: beside the day's quota, or within it.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.rate_limit.or(self.quota.rate_limit)
    }

    /// The same of third-party platforms.
    pub fn component_rate_limit(&self) -> Option<RateLimit> {
        self.component_rate_limit
            .or(self.quota.component_rate_limit)
    }
}

/// What is left of a day's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct DayQuota {
    /// Calls a day. 0: no limit is set, not that it is used up.
    pub daily_limit: i64,
    /// Calls made today.
    pub used: i64,
    /// Calls left today.
    pub remain: i64,
    #[serde(default)]
    rate_limit: Option<RateLimit>,
    #[serde(default)]
    component_rate_limit: Option<RateLimit>,
}

/// How many calls a time takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct RateLimit {
    /// So many.
    pub call_count: i64,
    /// In so many seconds.
    pub refresh_second: i64,
}

/// Clears what was counted today, of all APIs: also of what other systems use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClearQuota {
    appid: String,
}

impl ClearQuota {
    /// Of this account, which must be the one in whose name it is called.
    pub fn new(account: &AppId) -> Self {
        let appid = account.as_str().to_owned();
        Self { appid }
    }
}

/// As [`ClearQuota`], with the AppSecret in place of a token: also when no token is to be had. The
/// secret goes in the body, so that no log of addresses shows it.
#[derive(Clone)]
pub struct ClearQuotaWithSecret {
    account: AppId,
    secret: AppSecret,
}

impl ClearQuotaWithSecret {
    /// Of this account.
    pub const fn new(account: AppId, secret: AppSecret) -> Self {
        Self { account, secret }
    }

    fn outgoing(&self) -> Result<Outgoing, RequestError> {
        #[derive(Serialize)]
        struct Body<'a> {
            appid: &'a str,
            appsecret: &'a str,
        }
        Outgoing::json(&Body {
            appid: self.account.as_str(),
            appsecret: self.secret.expose(),
        })
    }
}

impl fmt::Debug for ClearQuotaWithSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClearQuotaWithSecret")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Clears what was counted today of one API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClearQuotaOf {
    /// Its path.
    pub cgi_path: String,
}

/// Asks what became of a call, by the request id of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskRid {
    /// The request id: three groups of 8 hexadecimal digits.
    pub rid: String,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct RidReport {
    /// The call.
    pub request: CallReport,
}

/// A call as the platform saw it.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct CallReport {
    /// When, in Unix seconds.
    pub invoke_time: i64,
    /// How long it took there, in milliseconds.
    pub cost_in_ms: i64,
    /// Its query, which holds the access token.
    pub request_url: String,
    /// What was sent.
    pub request_body: String,
    /// What was answered.
    pub response_body: String,
    /// The address from which the platform saw it come.
    pub client_ip: String,
}

impl fmt::Debug for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallReport")
            .field("invoke_time", &self.invoke_time)
            .field("cost_in_ms", &self.cost_in_ms)
            .field("client_ip", &self.client_ip)
            .finish_non_exhaustive()
    }
}
