//! Shop guides (对话能力, 导购).

use crate::id::OpenId;
use crate::protocol::push::Number;
use crate::protocol::push::vocabulary::family;

family! {
    "guide" "Guides" / "对话能力（导购）"

    event "guide_qrcode_scan_event" => GuideQrcodeScan (Legacy, closed, unanswered)
    "A user scans a guide's code." / "用户扫描顾问二维码。"
    {
        /// The guide, by WeChat name.
        qrcode_guide_account: String = "GuideScanEvent/qrcode_guide_account",
        /// The guide, by OpenID.
        qrcode_guide_openid: Option<OpenId> = "GuideScanEvent/qrcode_guide_openid",
        /// The user.
        openid: OpenId = "GuideScanEvent/openid",
        /// What was done.
        action: Number = "GuideScanEvent/action",
        /// What the code says beside.
        qrcode_info: Option<String> = "GuideScanEvent/qrcode_info",
    }

    event "guide_invite_result_event" => GuideInviteResult (Legacy, closed, unanswered)
    "Somebody who was invited as a guide answers." / "顾问邀请结果。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "add_guide_buyer_relation_event" => AddGuideBuyerRelation (Legacy, closed, unanswered)
    "A buyer is given to a guide." / "为顾问分配客户。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}
}
