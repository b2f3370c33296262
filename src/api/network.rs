//! The platform's addresses, and how it reaches this server.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::endpoints;

endpoints! {
    ServerIps => IpList {
        call: Get "/cgi-bin/get_api_domain_ip",
        page: "获取微信API服务器IP",
        send: nothing,
        codes: [40013],
        limits: "ask once a day; the addresses change",
    }
    CallbackIps => IpList {
        call: Get "/cgi-bin/getcallbackip",
        page: "获取微信推送服务器IP",
        send: nothing,
        codes: [40013],
        limits: "ask once a day; the addresses change",
    }
    CheckCallback => CallbackReport {
        call: Post "/cgi-bin/callback/check",
        page: "网络通信检测",
        send: json,
        codes: [40201, 40202, 40203],
        limits: "the URL of the console is checked, with one ping",
    }
}

/// Asks for the addresses behind the API's host names: for a firewall's rules, not for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerIps;

/// Asks for the addresses from which pushes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackIps;

/// Addresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct IpList {
    /// Addresses, or ranges like `203.0.113.0/24`.
    pub ip_list: Vec<String>,
}

/// Has the platform look up and ping the server URL that the console names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CheckCallback {
    /// What is looked at.
    pub action: CallbackCheck,
    /// From which network.
    pub check_operator: Operator,
}

/// What [`CheckCallback`] looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallbackCheck {
    /// The name.
    Dns,
    /// The way.
    Ping,
    /// Both.
    #[default]
    All,
}

/// The carrier from whose network [`CheckCallback`] looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operator {
    /// China Telecom (电信).
    ChinaNet,
    /// China Unicom (联通).
    Unicom,
    /// Tencent's own.
    Cap,
    /// The one that the platform thinks nearest.
    #[default]
    Default,
}

/// How the platform reaches the server URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct CallbackReport {
    /// The addresses of the name. Empty: it was not found, or not looked up.
    #[serde(default)]
    pub dns: Vec<Resolved>,
    /// How each address answered.
    #[serde(default)]
    pub ping: Vec<Ping>,
}

/// An address of the server URL's name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Resolved {
    /// It.
    pub ip: String,
    /// The carrier it belongs to.
    pub real_operator: String,
}

/// How one address answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Ping {
    /// The address.
    pub ip: String,
    /// The carrier from which it was pinged.
    pub from_operator: String,
    /// `0%` or `100%`: one packet is sent. Firewalls that drop pings lose it, too.
    pub package_loss: String,
    /// How long it took, like `18.402ms`.
    pub time: String,
}
