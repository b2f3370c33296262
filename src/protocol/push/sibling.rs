//! Events of sibling products, mini programs above all, that come to a server shared with them, or to a
//! third-party platform in their name.

use crate::protocol::push::element::record;
use crate::protocol::push::vocabulary::family;
use crate::protocol::push::{Flag, Id, Number};

record! {
    /// One thing for which a mini program was punished, and what was said against it.
    AppealMaterial {
        /// What was found.
        illegal_content: String = "illegal_material/content",
        /// Where it was found.
        illegal_content_url: String = "illegal_material/content_url",
        /// What the appeal says.
        appeal_reason: String = "appeal_material/reason",
        /// Its proofs, as material.
        proof_material_ids: Vec<String> = "appeal_material/proof_material_id",
    }
}

record! {
    /// One opinion on what was checked.
    MediaCheckDetail {
        /// Whose: `content_model`, `keyword` and others.
        strategy: String = "strategy",
        /// 0 if it has one.
        errcode: Number = "errcode",
        /// `risky`, `pass` or `review`.
        suggest: String = "suggest",
        /// What it was taken for; 100 for nothing bad.
        label: Number = "label",
        /// How sure it is, 0 to 100.
        prob: Option<Number> = "prob",
        /// The keyword that was found.
        keyword: Option<String> = "keyword",
    }
}

family! {
    "sibling" "Sibling products" / "小程序等关联产品"

    event "weapp_audit_success" => WeappAuditSuccess (Active, closed, unanswered)
    "A version of a mini program passed the review." / "小程序代码审核通过。"
    {
        /// When, in Unix seconds.
        succ_time: Number = "SuccTime",
    }

    event "weapp_audit_fail" => WeappAuditFail (Active, closed, unanswered)
    "A version of a mini program did not pass the review." / "小程序代码审核不通过。"
    {
        /// Why; has `<br>` in it.
        reason: String = "Reason",
        /// When, in Unix seconds.
        fail_time: Number = "FailTime",
        /// Pictures of it, as material: [`WeappAuditFail::screenshots`].
        screen_shot: Option<String> = "ScreenShot",
    }

    event "weapp_audit_delay" => WeappAuditDelay (Active, closed, unanswered)
    "The review of a mini program's version takes longer." / "小程序代码审核延后。"
    {
        /// Why.
        reason: String = "Reason",
        /// When, in Unix seconds.
        delay_time: Number = "DelayTime",
    }

    event "wxa_nickname_audit" => WxaNicknameAudit (Active, closed, unanswered)
    "A mini program's new name was reviewed." / "小程序名称审核结果。"
    {
        /// 2: refused, 3: passed.
        ret: Number = "ret",
        /// The name.
        nickname: String = "nickname",
        /// Why it was refused.
        reason: Option<String> = "reason",
    }

    event "wxa_illegal_record" => WxaIllegalRecord (Active, closed, unanswered)
    "A mini program broke the platform's rules." / "小程序违规记录。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "wxa_appeal_record" => WxaAppealRecord (Active, closed, unanswered)
    "An appeal against a mini program's punishment goes on." / "小程序申诉记录。"
    {
        /// The appeal.
        appeal_record_id: Id = "appeal_record_id",
        /// The mini program.
        appid: String = "appid",
        /// When it was made, in Unix seconds.
        appeal_time: Number = "appeal_time",
        /// The how manieth it is.
        appeal_count: Number = "appeal_count",
        /// Who made it.
        appeal_from: Number = "appeal_from",
        /// How it stands.
        appeal_status: Number = "appeal_status",
        /// The punishment.
        punish_description: Option<String> = "punish_description",
        /// What the reviewer says.
        audit_reason: Option<String> = "audit_reason",
        /// What it is about.
        materials: Vec<AppealMaterial> = "material",
    }

    event "wxa_privacy_apply" => WxaPrivacyApply (Active, closed, unanswered)
    "A mini program's application for an interface that touches privacy was reviewed." / "小程序隐私接口申请结果。"
    {
        /// The interface.
        api_name: String = "result_info/api_name",
        /// When it was applied for, in Unix seconds.
        apply_time: Number = "result_info/apply_time",
        /// The application.
        audit_id: Id = "result_info/audit_id",
        /// When it was reviewed, in Unix seconds.
        audit_time: Number = "result_info/audit_time",
        /// Why.
        reason: String = "result_info/reason",
        /// How it ended.
        status: Number = "result_info/status",
    }

    event "wxa_category_audit" => WxaCategoryAudit (Active, closed, unanswered)
    "A mini program's category was reviewed." / "小程序类目审核结果。"
    {
        /// 2: refused, 3: passed.
        ret: Number = "ret",
        /// The category.
        first: Id = "first",
        /// The category below it.
        second: Id = "second",
        /// Why it was refused.
        reason: Option<String> = "reason",
    }

    event "betaapp_authorization_apply_event" => BetaappAuthorizationApply (Active, closed, unanswered)
    "A trial mini program asks for authorization." / "试用小程序授权申请。"
    /// The element's name is misspelt by the platform.
    {
        /// The trial mini program.
        appid: String = "ApplyAuthorizationInfoNoitfy/appid",
        /// The account.
        mp_appid: String = "ApplyAuthorizationInfoNoitfy/mp_appid",
        /// How it stands.
        status: Number = "ApplyAuthorizationInfoNoitfy/status",
        /// When, in Unix seconds.
        operation_time: Number = "ApplyAuthorizationInfoNoitfy/operation_time",
        /// The platform's words.
        msg: Option<String> = "ApplyAuthorizationInfoNoitfy/msg",
        /// The ticket.
        ticket: Option<String> = "ApplyAuthorizationInfoNoitfy/ticket",
    }

    event "betaapp_verify_apply_event" => BetaappVerifyApply (Active, closed, unanswered)
    "A trial mini program asks to become a real one." / "试用小程序认证申请。"
    /// The element's name is misspelt by the platform.
    {
        /// The trial mini program.
        appid: String = "ApplyAuthorizationInfoNoitfy/appid",
        /// The account.
        mp_appid: String = "ApplyAuthorizationInfoNoitfy/mp_appid",
        /// How it stands.
        status: Number = "ApplyAuthorizationInfoNoitfy/status",
        /// When, in Unix seconds.
        operation_time: Number = "ApplyAuthorizationInfoNoitfy/operation_time",
        /// The platform's words.
        msg: Option<String> = "ApplyAuthorizationInfoNoitfy/msg",
        /// The ticket.
        ticket: Option<String> = "ApplyAuthorizationInfoNoitfy/ticket",
    }

    event "betaapp_verify_event" => BetaappVerify (Active, closed, unanswered)
    "A trial mini program became a real one, or not." / "试用小程序认证结果。"
    /// The element's name is misspelt by the platform.
    {
        /// The trial mini program.
        appid: String = "ApplyAuthorizationInfoNoitfy/appid",
        /// The account.
        mp_appid: String = "ApplyAuthorizationInfoNoitfy/mp_appid",
        /// How it stands.
        status: Number = "ApplyAuthorizationInfoNoitfy/status",
        /// When, in Unix seconds.
        operation_time: Number = "ApplyAuthorizationInfoNoitfy/operation_time",
        /// The platform's words.
        msg: Option<String> = "ApplyAuthorizationInfoNoitfy/msg",
        /// The ticket.
        ticket: Option<String> = "ApplyAuthorizationInfoNoitfy/ticket",
    }

    event "wxa_comment_bad_score" => WxaCommentBadScore (Active, closed, unanswered)
    "A user rates a mini program badly." / "小程序收到差评。"
    {
        /// The comment.
        comment_id: Id = "result/comment_id",
    }

    event "secbook_audit_event" => SecbookAudit (Active, closed, unanswered)
    "A book was reviewed." / "小说内容审核结果。"
    {
        /// How it ended.
        status: Number = "audit_event/audit_detail/status",
        /// When it was handed in, in Unix seconds.
        create_time: Number = "audit_event/audit_detail/create_time",
        /// When it was reviewed, in Unix seconds.
        audit_time: Number = "audit_event/audit_detail/audit_time",
    }

    event "secvod_audit_event" => SecvodAudit (Active, closed, unanswered)
    "A short drama was reviewed." / "短剧审核结果。"
    {
        /// How it ended.
        status: Number = "audit_event/audit_detail/status",
        /// When it was handed in, in Unix seconds.
        create_time: Number = "audit_event/audit_detail/create_time",
        /// When it was reviewed, in Unix seconds.
        audit_time: Number = "audit_event/audit_detail/audit_time",
    }

    event "secvod_upload_event" => SecvodUpload (Active, closed, unanswered)
    "A short drama was uploaded, or not." / "短剧媒资上传结果。"
    {
        /// The video.
        media_id: Id = "upload_event/media_id",
        /// What the upload said beside.
        source_context: String = "upload_event/source_context",
        /// 0 when it was uploaded.
        errcode: Number = "upload_event/errcode",
        /// Why not.
        errmsg: Option<String> = "upload_event/errmsg",
    }

    event "wxa_widget_data" => WxaWidgetData (Active, closed, unanswered)
    "The platform wants the data of a mini program's widget." / "小程序组件数据请求。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "wxa_media_check" => WxaMediaCheck (Active, closed, unanswered)
    "Pictures or sound that the account gave to the content check were checked; several a second." / "音视频图片内容安全异步检测结果；服务号同样会收到，每秒可有多条。"
    {
        /// The account or mini program.
        appid: String = "appid",
        /// The `trace_id` with which the check was answered.
        trace_id: String = "trace_id",
        /// 2 in the second version; absent in the first.
        version: Option<Number> = "version",
        /// Of the first version: whether it is risky.
        isrisky: Option<Flag> = "isrisky",
        /// Of the first version: more about it.
        extra_info_json: Option<String> = "extra_info_json",
        /// Of the first version: 0, or an error as an unsigned number: [`WxaMediaCheck::error_code`].
        status_code: Option<Number> = "status_code",
        /// Of the second version: 0 when it was checked.
        errcode: Option<Number> = "errcode",
        /// Of the second version: the same in words.
        errmsg: Option<String> = "errmsg",
        /// Of the second version: `risky`, `pass` or `review`.
        suggest: Option<String> = "result/suggest",
        /// Of the second version: what it was taken for; 100 for nothing bad.
        label: Option<Number> = "result/label",
        /// Of the second version: each opinion.
        details: Vec<MediaCheckDetail> = "detail",
    }

    event "trade_manage_remind_access_api" => TradeManageRemindAccessApi (Active, closed, unanswered)
    "A mini program is to use the interface for shipping." / "提醒接入发货信息管理服务。"
    {
        /// The platform's words.
        msg: Option<String> = "msg",
    }

    event "trade_manage_remind_shipping" => TradeManageRemindShipping (Active, closed, unanswered)
    "An order is to be shipped." / "提醒上传发货信息。"
    {
        /// The merchant of WeChat Pay.
        merchant_id: Id = "merchant_id",
        /// The merchant below it.
        sub_merchant_id: Option<Id> = "sub_merchant_id",
        /// The merchant's order.
        merchant_trade_no: String = "merchant_trade_no",
        /// WeChat Pay's order.
        transaction_id: Id = "transaction_id",
        /// When it was paid, in Unix seconds.
        pay_time: Number = "pay_time",
        /// The platform's words.
        msg: Option<String> = "msg",
    }

    event "trade_manage_order_settlement" => TradeManageOrderSettlement (Active, closed, unanswered)
    "An order will be, or was, settled." / "订单将要结算或已经结算。"
    {
        /// The merchant of WeChat Pay.
        merchant_id: Id = "merchant_id",
        /// The merchant below it.
        sub_merchant_id: Option<Id> = "sub_merchant_id",
        /// The merchant's order.
        merchant_trade_no: String = "merchant_trade_no",
        /// WeChat Pay's order.
        transaction_id: Id = "transaction_id",
        /// When it was paid, in Unix seconds.
        pay_time: Number = "pay_time",
        /// When it was shipped, in Unix seconds.
        shipped_time: Number = "shipped_time",
        /// When it should be settled, in Unix seconds.
        estimated_settlement_time: Option<Number> = "estimated_settlement_time",
        /// Who confirmed that it came: 1 the platform, 2 the user.
        confirm_receive_method: Option<Number> = "confirm_receive_method",
        /// When, in Unix seconds.
        confirm_receive_time: Option<Number> = "confirm_receive_time",
        /// When it was settled, in Unix seconds.
        settlement_time: Option<Number> = "settlement_time",
    }

    event "add_express_path" => AddExpressPath (Active, closed, unanswered)
    "A parcel is on its way." / "运单轨迹更新。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "open_product_order_pay" => OpenProductOrderPay (Active, closed, unanswered)
    "An order of the shop component was paid." / "交易组件订单支付成功。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "funds_order_pay" => FundsOrderPay (Active, closed, unanswered)
    "An order of managed payment was paid." / "支付管理订单支付成功。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "minigame_coin_deliver_completed" => MinigameCoinDeliverCompleted (Active, closed, unanswered)
    "The coins of a mini game were delivered." / "小游戏代币发放完成。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "complaint_callback" => ComplaintCallback (Active, closed, unanswered)
    "A user complains about an order." / "用户投诉通知。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "charge_service_quota_notify" => ChargeServiceQuotaNotify (Active, closed, unanswered)
    "Little is left of a service that is paid for." / "付费服务额度提醒。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "retail_refund_notify" => RetailRefundNotify (Active, closed, unanswered)
    "Money of a B2b order went back." / "B2b 订单退款通知。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "xpay_goods_deliver_notify" => XpayGoodsDeliverNotify (Active, closed, unanswered)
    "Virtual goods were paid for and are to be delivered." / "虚拟支付道具发货通知。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "xpay_coin_pay_notify" => XpayCoinPayNotify (Active, closed, unanswered)
    "Virtual coins were paid for." / "虚拟支付代币支付通知。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "xpay_refund_notify" => XpayRefundNotify (Active, closed, unanswered)
    "Money of a virtual payment went back." / "虚拟支付退款通知。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "debug_demo" => DebugDemo (Active, closed, unanswered)
    "Somebody tries the push in the platform's console." / "控制台的消息推送测试。"
    {
        /// The text that was entered.
        debug_str: String = "debug_str",
    }
}

impl WeappAuditFail {
    /// Pictures of what was found, as material.
    pub fn screenshots(&self) -> impl Iterator<Item = &str> {
        let all = self.screen_shot.as_deref().unwrap_or_default();
        all.split('|').filter(|one| !one.is_empty())
    }
}

impl WxaMediaCheck {
    /// The error for which it could not be checked, in either version: 0 for none. The first version sends
    /// negative ones as unsigned numbers of 32 bits.
    pub fn error_code(&self) -> Option<i64> {
        let code = self.errcode.as_ref().or(self.status_code.as_ref())?;
        let code = code.value()?;
        Some(match u32::try_from(code) {
            Ok(wrapped) => i64::from(wrapped.cast_signed()),
            Err(_) => code,
        })
    }

    /// Whether the platform takes it for risky, in either version.
    pub fn is_risky(&self) -> bool {
        let suggests = self.suggest.as_deref() == Some("risky");
        suggests || self.isrisky.as_ref().is_some_and(Flag::is_set)
    }
}
