//! Customer service (客服): agents who speak with users in the account's name.

use crate::id::OpenId;
use crate::protocol::push::vocabulary::family;

family! {
    "service" "Customer service" / "客服"

    event "kf_create_session" => KfCreateSession (Legacy, closed, unanswered)
    "An agent takes over a user's conversation." / "客服接入会话。"
    {
        /// The agent, as `name@account`.
        kf_account: String = "KfAccount",
        /// The user, where it is not the sender.
        open_id: Option<OpenId> = "OpenId" | "OpenID",
    }

    event "kf_close_session" => KfCloseSession (Legacy, closed, unanswered)
    "An agent's conversation with a user ends." / "客服会话关闭。"
    {
        /// The agent, as `name@account`.
        kf_account: String = "KfAccount",
        /// Why.
        close_type: Option<String> = "CloseType",
    }

    event "kf_switch_session" => KfSwitchSession (Legacy, closed, unanswered)
    "A user's conversation goes from one agent to another." / "客服会话转接。"
    {
        /// Whose it was, as `name@account`.
        from_kf_account: String = "FromKfAccount",
        /// Whose it is, as `name@account`.
        to_kf_account: String = "ToKfAccount",
    }
}
