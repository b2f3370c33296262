//! Electronic invoices (电子发票).

use crate::protocol::push::vocabulary::family;
use crate::protocol::push::{Id, Number};

family! {
    "invoice" "Invoices" / "电子发票"

    event "user_authorize_invoice" => UserAuthorizeInvoice (Legacy, closed, unanswered)
    "A user asks for the invoice of an order." / "用户完成发票授权。"
    {
        /// The order, if it can be invoiced.
        succ_order_id: Option<Id> = "SuccOrderId",
        /// The order, if it cannot.
        fail_order_id: Option<Id> = "FailOrderId",
        /// The account whose page asked; older pushes call it `AppId`.
        authorize_app_id: Option<String> = "AuthorizeAppId" | "AppId",
        /// Where the page was: `web`, `app`, `wxa`, `wap`.
        source: Option<String> = "Source" | "source",
    }

    event "update_invoice_status" => UpdateInvoiceStatus (Legacy, closed, unanswered)
    "An invoice is reimbursed, or no more." / "发票状态变更。"
    {
        /// `INVOICE_REIMBURSE_INIT`, `…_LOCK`, `…_CLOSURE` or `…_CANCEL`.
        status: String = "Status",
        /// The invoice's card.
        card_id: String = "CardId",
        /// This copy of it.
        code: String = "Code",
    }

    event "submit_invoice_title" => SubmitInvoiceTitle (Legacy, closed, unanswered)
    "A user hands over an invoice title." / "用户提交发票抬头。"
    {
        /// The name.
        title: String = "title",
        /// The telephone number.
        phone: String = "phone",
        /// The tax number.
        tax_no: String = "tax_no",
        /// The address.
        addr: String = "addr",
        /// The bank.
        bank_type: String = "bank_type",
        /// The number of the account at the bank.
        bank_no: String = "bank_no",
        /// What the merchant's link added.
        attach: String = "attach",
        /// `InvoiceUserTitlePersonType` or `InvoiceUserTitleBusinessType`.
        title_type: String = "title_type",
        /// Mostly absent.
        event_key: Option<String> = "EventKey",
    }

    event "cloud_invoice_invoiceresult_event" => CloudInvoiceResult (Active, closed, unanswered)
    "An invoice was issued, or not." / "开票结果。"
    {
        /// The request's serial number (发票请求流水号).
        fpqqlsh: String = "fpqqlsh",
        /// The issuer's tax number (纳税人识别码).
        nsrsbh: String = "nsrsbh",
        /// How it ended.
        status: Number = "status",
    }
}

impl UserAuthorizeInvoice {
    /// Whether the order can be invoiced.
    pub fn succeeded(&self) -> bool {
        self.succ_order_id.is_some()
    }
}
