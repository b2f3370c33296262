//! The account's own verification (微信认证). All times are Unix seconds; the sender is the platform.

use crate::protocol::push::vocabulary::family;
use crate::protocol::push::{Id, Number};

family! {
    "verification" "Verification" / "微信认证"

    event "qualification_verify_success" => QualificationVerifySuccess (Active, closed, unanswered)
    "The account's qualification was verified: it has its interfaces now." / "资质认证成功，此时立即获得接口权限。"
    {
        /// Until when it is valid.
        expired_time: Number = "ExpiredTime",
    }

    event "qualification_verify_fail" => QualificationVerifyFail (Active, closed, unanswered)
    "The account's qualification was not verified." / "资质认证失败。"
    {
        /// When.
        fail_time: Number = "FailTime",
        /// Why.
        fail_reason: String = "FailReason",
    }

    event "naming_verify_success" => NamingVerifySuccess (Active, closed, unanswered)
    "The account's name was verified." / "名称认证成功。"
    {
        /// Until when it is valid.
        expired_time: Number = "ExpiredTime",
    }

    event "naming_verify_fail" => NamingVerifyFail (Active, closed, unanswered)
    "The account's name was not verified; the qualification still is." / "名称认证失败（此时资质认证仍有效）。"
    {
        /// When.
        fail_time: Number = "FailTime",
        /// Why.
        fail_reason: String = "FailReason",
    }

    event "annual_renew" => AnnualRenew (Active, closed, unanswered)
    "The yearly verification is due." / "年审通知。"
    {
        /// Until when the present one is valid.
        expired_time: Number = "ExpiredTime",
    }

    event "verify_expired" => VerifyExpired (Active, closed, unanswered)
    "The verification has expired." / "认证过期失效通知。"
    {
        /// When.
        expired_time: Number = "ExpiredTime",
    }

    event "wx_verify_pay_succ" => WxVerifyPaySucc (Active, closed, unanswered)
    "The fee of a mini program's verification was paid." / "小程序认证支付成功。"
    {
        /// The order.
        order_id: Id = "OrderId" | "order_id",
    }

    event "wx_verify_dispatch" => WxVerifyDispatch (Active, closed, unanswered)
    "A mini program's verification was given to a reviewer." / "小程序认证派单。"
    {
        /// Who reviews.
        provider: String = "Provider" | "provider",
        /// How to reach them.
        contact: String = "Contact" | "contact",
        /// When.
        dispatch_time: Number = "DispatchTime" | "dispatch_time",
    }

    event "wx_verify_refill" => WxVerifyRefill (Active, closed, unanswered)
    "A mini program's verification needs more data." / "小程序认证需补充资料。"
    {
        /// When.
        refill_time: Number = "RefillTime" | "refill_time",
        /// Which, and why.
        refill_reason: String = "RefillReason" | "refill_reason",
    }

    event "wx_verify_fail" => WxVerifyFail (Active, closed, unanswered)
    "A mini program's verification failed." / "小程序认证失败。"
    {
        /// When.
        fail_time: Number = "FailTime" | "fail_time",
        /// Why.
        fail_reason: String = "FailReason" | "fail_reason",
    }
}
