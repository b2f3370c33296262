//! Notices to a third-party platform (第三方平台): they have an `InfoType`, and no user.

use crate::protocol::push::element::record;
use crate::protocol::push::vocabulary::family;
use crate::protocol::push::{Id, Number};

record! {
    /// For whom a mini program was registered: a company's fields, or a person's.
    RegisteredOwner {
        /// The company's name.
        name: Option<String> = "name",
        /// The company's code.
        code: Option<String> = "code",
        /// What kind of code: 1 the unified social credit code, 2 the organization code, 3 the business licence.
        code_type: Option<Number> = "code_type",
        /// The legal person's WeChat name.
        legal_persona_wechat: Option<String> = "legal_persona_wechat",
        /// The legal person's name.
        legal_persona_name: Option<String> = "legal_persona_name",
        /// The third-party platform's telephone number.
        component_phone: Option<String> = "component_phone",
        /// The person's WeChat name.
        wxuser: Option<String> = "wxuser",
        /// The person's name.
        idname: Option<String> = "idname",
    }
}

record! {
    /// To whom a verification was given.
    Dispatch {
        /// Who reviews.
        provider: String = "provider",
        /// How to reach them.
        contact: String = "contact",
        /// When, in Unix seconds.
        dispatch_time: Number = "dispatch_time",
    }
}

record! {
    /// Whether the entry of one mini program's order centre could be applied for.
    OrderPathApply {
        /// The mini program.
        appid: String = "appid",
        /// 0 if it could.
        ret_code: Number = "ret_code",
    }
}

record! {
    /// How the review of one mini program's order centre ended.
    OrderPathAudit {
        /// The mini program.
        appid: String = "appid",
        /// The application.
        audit_id: Id = "audit_id",
        /// How it ended.
        status: Number = "status",
        /// When it was applied for, in Unix seconds.
        apply_time: Number = "apply_time",
        /// When it was reviewed, in Unix seconds.
        audit_time: Number = "audit_time",
        /// Why.
        reason: String = "reason",
    }
}

family! {
    "notice" "Notices to third-party platforms" / "第三方平台通知"

    notice "component_verify_ticket" => ComponentVerifyTicket (Active, closed, unanswered)
    "Every ten minutes or so, once the third-party platform is approved. Valid for 12 hours." / "第三方平台通过审核后约每 10 分钟推送一次；有效期 12 小时。"
    /// Keep the one with the newest `CreateTime` for each component.
    {
        /// The component.
        component_app_id: String = "AppId",
        /// For getting the component's access token. A secret.
        ticket: String = "ComponentVerifyTicket",
    }

    notice "authorized" => Authorized (Active, closed, unanswered)
    "An account authorizes the third-party platform." / "账号授权成功。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The account.
        authorizer_app_id: String = "AuthorizerAppid",
        /// For getting the account's tokens; the browser's redirect has one, too.
        authorization_code: String = "AuthorizationCode",
        /// Until when: [`Authorized::code_expires_at`].
        authorization_code_expired_time: Number = "AuthorizationCodeExpiredTime",
        /// The code with which the page was made.
        pre_auth_code: String = "PreAuthCode",
    }

    notice "updateauthorized" => UpdateAuthorized (Active, closed, unanswered)
    "An account changes what it authorizes the third-party platform to do." / "账号更新授权。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The account.
        authorizer_app_id: String = "AuthorizerAppid",
        /// For getting the account's tokens; the browser's redirect has one, too.
        authorization_code: String = "AuthorizationCode",
        /// Until when: [`UpdateAuthorized::code_expires_at`].
        authorization_code_expired_time: Number = "AuthorizationCodeExpiredTime",
        /// The code with which the page was made.
        pre_auth_code: String = "PreAuthCode",
    }

    notice "unauthorized" => Unauthorized (Active, closed, unanswered)
    "An account takes its authorization back." / "账号取消授权。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The account.
        authorizer_app_id: String = "AuthorizerAppid",
    }

    notice "notify_third_fasteregister" => FastRegister (Active, closed, unanswered)
    "A mini program was registered through the third-party platform, or not." / "快速注册小程序结果。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The mini program; none when it failed.
        appid: Option<String> = "appid",
        /// 0, or the error's code.
        status: Number = "status",
        /// For getting the mini program's tokens; none when it failed.
        auth_code: Option<String> = "auth_code",
        /// The same in words.
        msg: String = "msg",
        /// For whom.
        info: Option<RegisteredOwner> = "info",
    }

    notice "notify_third_fastregisterbetaapp" => FastRegisterBetaapp (Active, closed, unanswered)
    "A trial mini program was registered, or not." / "创建试用小程序结果。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The mini program; none when it failed.
        appid: Option<String> = "appid",
        /// 0, or the error's code.
        status: Number = "status",
        /// The same in words.
        msg: String = "msg",
        /// The id with which it was asked for.
        unique_id: Option<String> = "info/unique_id",
        /// The mini program's name.
        name: Option<String> = "info/name",
    }

    notice "notify_third_fastverifybetaapp" => FastVerifyBetaapp (Active, closed, unanswered)
    "A trial mini program became a real one, or not." / "试用小程序快速认证结果。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The mini program.
        appid: Option<String> = "appid",
        /// 0, or the error's code.
        status: Number = "status",
        /// The same in words.
        msg: String = "msg",
        /// The company's name.
        name: Option<String> = "info/name",
        /// The company's code.
        code: Option<String> = "info/code",
        /// What kind of code: 1 the unified social credit code, 2 the organization code, 3 the business licence.
        code_type: Option<Number> = "info/code_type",
        /// The legal person's WeChat name.
        legal_persona_wechat: Option<String> = "info/legal_persona_wechat",
        /// The legal person's name.
        legal_persona_name: Option<String> = "info/legal_persona_name",
        /// The third-party platform's telephone number.
        component_phone: Option<String> = "info/component_phone",
    }

    notice "notify_3rd_wxa_auth" => ThirdWxaAuth (Active, closed, unanswered)
    "A mini program's verification went on." / "小程序认证进度。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The mini program.
        appid: String = "appid",
        /// The verification.
        taskid: String = "taskid",
        /// Where it stands; sent at 0, 6, 9 and 12.
        task_status: Number = "task_status",
        /// Where the review stands; sent at 2 to 5.
        apply_status: Number = "apply_status",
        /// The platform's words.
        message: Option<String> = "message",
        /// Who reviews it.
        dispatch: Option<Dispatch> = "dispatch_info",
    }

    notice "notify_3rd_wxa_wxverify" => ThirdWxaWxverify (Active, closed, unanswered)
    "A mini program's yearly verification is due." / "小程序年审提醒。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The mini program.
        appid: String = "appid",
        /// Until when the present one is valid, in Unix seconds.
        expired: Number = "expired",
        /// The platform's words, in several lines.
        message: Option<String> = "message",
    }

    notice "notify_3rd_wxa_auth_and_icp" => ThirdWxaAuthAndIcp (Active, closed, unanswered)
    "A mini program's verification together with its ICP filing went on." / "小程序认证及备案进度。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The procedure.
        procedure_id: Id = "procedure_id",
        /// Where it stands.
        procedure_status: Number = "procedure_status",
    }

    notice "notify_icpfiling_verify_result" => IcpFilingVerifyResult (Active, closed, unanswered)
    "The face check of an ICP filing ended." / "备案人脸核验结果。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The check.
        task_id: Id = "task_id",
        /// The mini program.
        verify_appid: String = "verify_appid",
        /// 2: failed, 3: passed.
        result: Number = "result",
        /// How the verification that ran along with it ended.
        along_with_auth_result: Number = "along_with_auth_result",
    }

    notice "notify_apply_icpfiling_result" => IcpFilingApplyResult (Active, closed, unanswered)
    "A mini program's ICP filing was reviewed." / "备案审核结果。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// The mini program.
        authorizer_app_id: String = "authorizer_appid",
        /// Where the filing stands.
        beian_status: Number = "beian_status",
    }

    notice "order_path_apply_result_notify" => OrderPathApplyResult (Active, closed, unanswered)
    "The entry of mini programs' order centres was applied for." / "订单中心入口申请结果。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// Each mini program.
        list: Vec<OrderPathApply> = "list/item" | "list",
    }

    notice "order_path_audit_result_notify" => OrderPathAuditResult (Active, closed, unanswered)
    "The entry of mini programs' order centres was reviewed." / "订单中心入口审核结果。"
    {
        /// The component.
        component_app_id: String = "AppId",
        /// Each mini program.
        list: Vec<OrderPathAudit> = "list/item" | "list",
    }
}

/// Below this it is a number of seconds, from here it is a time: the documentation says seconds, and sends times.
const FIRST_TIME: i64 = 100_000_000;

fn code_expires_at(time: &Number, create_time: i64) -> Option<i64> {
    match time.value()? {
        seconds if seconds < FIRST_TIME => create_time.checked_add(seconds),
        time => Some(time),
    }
}

impl Authorized {
    /// Until when the code is valid, in Unix seconds, of a push of this `CreateTime`.
    pub fn code_expires_at(&self, create_time: i64) -> Option<i64> {
        code_expires_at(&self.authorization_code_expired_time, create_time)
    }
}

impl UpdateAuthorized {
    /// Until when the code is valid, in Unix seconds, of a push of this `CreateTime`.
    pub fn code_expires_at(&self, create_time: i64) -> Option<i64> {
        code_expires_at(&self.authorization_code_expired_time, create_time)
    }
}
