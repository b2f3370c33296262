//! Users who come, go, scan, are somewhere, or take back what they allowed.

use crate::id::OpenId;
use crate::protocol::push::Decimal;
use crate::protocol::push::vocabulary::family;

family! {
    "account" "Account and user" / "账号与用户"

    event "subscribe" => Subscribe (Active, Follow, answered)
    "A user begins to follow, perhaps by scanning a code or after paying." / "用户关注，包括扫描带参数二维码关注、支付后关注。"
    {
        /// Where the user comes from, as it was sent. The platform also sends an empty one, which is none.
        event_key: Option<String> = "EventKey",
        /// The ticket of the scanned code.
        ticket: Option<String> = "Ticket",
    }

    event "unsubscribe" => Unsubscribe (Active, closed, unanswered)
    "A user ceases to follow, and cannot be messaged any more." / "用户取消关注，此后无法再向其发送消息。"
    /// What is stored about the user must be deleted.
    {}

    event "SCAN" => Scan (Active, Scan, answered)
    "A follower scans a code of the account (the others get `subscribe`)." / "已关注用户扫描带参数二维码（未关注者推送 subscribe）。"
    {
        /// The code's scene (`scene_id` or `scene_str`).
        scene: String = "EventKey",
        /// The code's ticket, for which its picture can be had.
        ticket: Option<String> = "Ticket",
    }

    event "LOCATION" => LocationReport (Active, closed, answered)
    "A user who allows it opens the chat, or every 5 seconds while it is open." / "用户同意上报位置后，进入会话时或会话中每 5 秒上报一次。"
    {
        /// Degrees north.
        latitude: Decimal = "Latitude",
        /// Degrees east.
        longitude: Decimal = "Longitude",
        /// How exact it is, in metres.
        precision: Decimal = "Precision",
    }

    event "ENTER" => Enter (Obsolete, closed, unanswered)
    "A user opens the chat; removed from the platform years ago." / "用户进入会话；多年前已下线。"
    {}

    event "user_info_modified" => UserInfoModified (Active, closed, unanswered)
    "The platform reset a user's profile, because it broke its rules." / "用户资料因违规被平台重置。"
    {
        /// The user. Users report pushes without.
        open_id: Option<OpenId> = "OpenID" | "openid",
        /// The account, mini program or app that is to delete its copy.
        app_id: String = "AppID" | "appid",
        /// What is concerned; mostly empty.
        revoke_info: Option<String> = "RevokeInfo" | "revoke_info",
        /// The user across the accounts of one owner.
        union_id: Option<String> = "UnionID" | "unionid",
    }

    event "user_authorization_revoke" => UserAuthorizationRevoke (Active, closed, unanswered)
    "A user takes back what was allowed to a page of the account." / "用户撤回对网页等的授权。"
    /// Those data must be deleted. The sender is the platform, not the user.
    {
        /// The user.
        open_id: Option<OpenId> = "OpenID" | "openid",
        /// The account, mini program or app that was allowed.
        app_id: String = "AppID" | "appid",
        /// What is taken back: [`UserAuthorizationRevoke::permission`].
        revoke_info: String = "RevokeInfo" | "revoke_info",
        /// The user across the accounts of one owner.
        union_id: Option<String> = "UnionID" | "unionid",
        /// Of mini programs: the plugin.
        plugin_id: Option<String> = "PluginID",
        /// Of mini programs: the user in that plugin.
        open_pid: Option<String> = "OpenPID",
    }

    event "user_authorization_cancellation" => UserAuthorizationCancellation (Active, closed, unanswered)
    "A user deletes the WeChat account." / "用户注销微信账号。"
    /// All data of the user must be deleted. The sender is the platform, not the user.
    {
        /// The user.
        open_id: Option<OpenId> = "OpenID" | "openid",
        /// The account, mini program or app that is to delete its data.
        app_id: String = "AppID" | "appid",
        /// Mostly absent.
        revoke_info: Option<String> = "RevokeInfo" | "revoke_info",
        /// The user across the accounts of one owner.
        union_id: Option<String> = "UnionID" | "unionid",
    }

    event "user_enter_tempsession" => UserEnterTempSession (Active, closed, unanswered)
    "A user opens the customer service of a mini program that shares this server." / "用户进入小程序客服会话（与小程序共用服务器时）。"
    {
        /// What the mini program's button says (`session-from`).
        session_from: String = "SessionFrom",
    }
}

impl Subscribe {
    /// The scene of the scanned code (带参数二维码): `EventKey` without its `qrscene_`. The scene itself may
    /// begin with that word too.
    pub fn scene(&self) -> Option<&str> {
        self.event_key.as_deref()?.strip_prefix("qrscene_")
    }

    /// The transaction of WeChat Pay after which the user followed.
    pub fn transaction(&self) -> Option<&str> {
        self.event_key.as_deref()?.strip_prefix("last_trade_no_")
    }

    /// The product on whose page the user followed: how it was scanned (`scanbarcode`, `scanimage`), its
    /// kind of code, the code, and what the link to the page added, joined by `|`.
    pub fn product(&self) -> Option<&str> {
        let key = self.event_key.as_deref()?;
        let scanned = key.starts_with("scanbarcode|") || key.starts_with("scanimage|");
        scanned.then_some(key)
    }
}

impl LocationReport {
    /// Degrees north and degrees east.
    pub fn coordinates(&self) -> Option<(f64, f64)> {
        self.latitude.value().zip(self.longitude.value())
    }
}

/// What a user had allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// 201: the address (地址).
    Address,
    /// 202: the invoice title (发票信息).
    Invoice,
    /// 203: cards (卡券信息).
    Card,
    /// 204: the microphone (麦克风).
    Microphone,
    /// 205: nickname and picture (昵称和头像).
    Profile,
    /// 206: the place (位置信息).
    Location,
    /// 207: the pictures and videos chosen (选中的图片或视频).
    Media,
    /// 301: everything, of a mobile app.
    Everything,
    /// Another one, mini programs' own numbers among them.
    Other(String),
}

impl UserAuthorizationRevoke {
    /// What `RevokeInfo` means.
    pub fn permission(&self) -> Permission {
        match self.revoke_info.as_str() {
            "201" => Permission::Address,
            "202" => Permission::Invoice,
            "203" => Permission::Card,
            "204" => Permission::Microphone,
            "205" => Permission::Profile,
            "206" => Permission::Location,
            "207" => Permission::Media,
            "301" => Permission::Everything,
            other => Permission::Other(other.to_owned()),
        }
    }
}
