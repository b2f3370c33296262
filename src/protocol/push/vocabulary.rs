//! Every kind of push that has a type: what it is called, when it is sent, what may be done with it.
//!
//! A kind is declared once, in its family's file, with its fields; here it becomes a variant. Forgetting one
//! of the two does not compile; forgetting its fixture, or a field in it, fails a test.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Serialize;

use crate::protocol::push::node::Node;
use crate::protocol::push::{
    Field, Fields, Kind, account, card, guide, invoice, job, menu, message, notice, service,
    sibling, store, verification,
};

/// Kinds of push that belong to one product of the platform.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Family {
    /// One word for it.
    pub name: &'static str,
    /// Its name.
    pub english: &'static str,
    /// Its name in Chinese.
    pub chinese: &'static str,
    /// Its kinds.
    pub entries: &'static [Entry],
}

/// A kind of push.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Entry {
    /// Message, event or notice.
    pub kind: Kind,
    /// Its `MsgType`, `Event` or `InfoType`, as the platform's documentation writes it. Compared without ASCII case.
    pub name: &'static str,
    /// Other names under which it was sent.
    pub aliases: &'static [&'static str],
    /// The Rust type.
    pub type_name: &'static str,
    /// Whether the platform still sends it.
    pub status: Status,
    /// Which sending window it opens for its user.
    pub window: Option<Window>,
    /// Whether the platform delivers a message that answers it passively, in the HTTP answer.
    pub answered: bool,
    /// When it is sent.
    pub english: &'static str,
    /// When it is sent, in Chinese.
    pub chinese: &'static str,
    /// Its fields, beside those that every push of its [`Kind`] has.
    pub fields: &'static [Field],
    pub(super) reader: fn(&Node<'_>) -> Typed,
}

/// Whether the platform still sends a kind of push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It does.
    Active,
    /// Its product is closed to new accounts; old ones may still get it.
    Legacy,
    /// Its product is gone.
    Obsolete,
}

/// What a user's act allows: some customer messages (客服消息) within some time.
///
/// Source: the page of custom/send for service accounts, figures in force since 2023-06-12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Window {
    /// The user sent a message.
    Message,
    /// The user tapped a menu button of type `click`, `scancode_push` or `scancode_waitmsg`, or an item of a
    /// menu message.
    Menu,
    /// The user began to follow.
    Follow,
    /// A follower scanned a code of the account.
    Scan,
}

impl Window {
    /// How many customer messages it allows.
    pub const fn messages(self) -> u32 {
        match self {
            Self::Message => 5,
            Self::Menu | Self::Follow | Self::Scan => 3,
        }
    }

    /// For how many seconds from the push's `CreateTime`.
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Message => 48 * 60 * 60,
            Self::Menu | Self::Follow | Self::Scan => 60,
        }
    }
}

/// Every family, in the order of the documents.
pub static FAMILIES: [Family; 12] = [
    message::FAMILY,
    account::FAMILY,
    menu::FAMILY,
    job::FAMILY,
    service::FAMILY,
    verification::FAMILY,
    card::FAMILY,
    store::FAMILY,
    invoice::FAMILY,
    guide::FAMILY,
    sibling::FAMILY,
    notice::FAMILY,
];

/// All kinds under all their names, in lower case.
static BY_NAME: LazyLock<HashMap<(Kind, String), &'static Entry>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    for entry in FAMILIES.iter().flat_map(|family| family.entries) {
        for name in entry.aliases.iter().chain([&entry.name]) {
            known.insert((entry.kind, name.to_ascii_lowercase()), entry);
        }
    }
    known
});

impl Entry {
    /// The kind with this name; none if this version does not know it.
    pub fn find(kind: Kind, name: &str) -> Option<&'static Self> {
        BY_NAME.get(&(kind, name.to_ascii_lowercase())).copied()
    }

    /// The push as its type. Total: what is absent, or not what it should be, is empty.
    pub(super) fn read(&self, fields: &Fields) -> Typed {
        (self.reader)(&fields.root())
    }
}

macro_rules! typed {
    ($($type:ident),* $(,)?) => {
        /// A push whose type this version knows. As JSON: the type's own fields, or `null`.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Typed {
            $(
                #[doc = concat!("See [`", stringify!($type), "`](crate::protocol::push::", stringify!($type), ").")]
                $type(crate::protocol::push::$type),
            )*
            /// Anything else: [`Push::fields`](crate::protocol::push::Push::fields) has it all.
            Other,
        }
    };
}

typed! {
    // Messages.
    Text, Image, Voice, Video, ShortVideo, Location, Link, File, MiniProgramPage, DeviceText, DeviceEvent,
    // Account and user.
    Subscribe, Unsubscribe, Scan, LocationReport, Enter, UserInfoModified, UserAuthorizationRevoke,
    UserAuthorizationCancellation, UserEnterTempSession,
    // Custom menu.
    Click, View, ViewMiniProgram, ScanCodePush, ScanCodeWaitMsg, PicSysPhoto, PicPhotoOrAlbum, PicWeixin,
    LocationSelect,
    // Results of sending.
    TemplateSendJobFinish, MassSendJobFinish, PublishJobFinish, SubscribeMsgPopup, SubscribeMsgChange,
    SubscribeMsgSent,
    // Customer service.
    KfCreateSession, KfCloseSession, KfSwitchSession,
    // Verification.
    QualificationVerifySuccess, QualificationVerifyFail, NamingVerifySuccess, NamingVerifyFail, AnnualRenew,
    VerifyExpired, WxVerifyPaySucc, WxVerifyDispatch, WxVerifyRefill, WxVerifyFail,
    // Cards.
    CardPassCheck, CardNotPassCheck, UserGetCard, UserGiftingCard, UserDelCard, UserConsumeCard,
    UserPayFromPayCell, UserViewCard, UserEnterSessionFromCard, UpdateMemberCard, CardSkuRemind, CardPayOrder,
    SubmitMembercardUserInfo, GiftcardPayDone, GiftcardSendToFriend, GiftcardUserAccept,
    CardMerchantCheckResult,
    // Stores and products.
    PoiCheckNotify, ApplyMerchantAuditInfo, CreateMapPoiAuditInfo, AddStoreAuditInfo, ModifyStoreAuditInfo,
    AddNearbyPoiAuditInfo, NearbyCategoryAuditInfo, ShakearoundUserShake, ShakearoundLotteryBind,
    WifiConnected, MerchantOrder, UserScanProduct, UserScanProductEnterSession, UserScanProductAsync,
    UserScanProductVerifyAction,
    // Invoices.
    UserAuthorizeInvoice, UpdateInvoiceStatus, SubmitInvoiceTitle, CloudInvoiceResult,
    // Guides.
    GuideQrcodeScan, GuideInviteResult, AddGuideBuyerRelation,
    // Sibling products.
    WeappAuditSuccess, WeappAuditFail, WeappAuditDelay, WxaNicknameAudit, WxaIllegalRecord, WxaAppealRecord,
    WxaPrivacyApply, WxaCategoryAudit, BetaappAuthorizationApply, BetaappVerifyApply, BetaappVerify,
    WxaCommentBadScore, SecbookAudit, SecvodAudit, SecvodUpload, WxaWidgetData, WxaMediaCheck,
    TradeManageRemindAccessApi, TradeManageRemindShipping, TradeManageOrderSettlement, AddExpressPath,
    OpenProductOrderPay, FundsOrderPay, MinigameCoinDeliverCompleted, ComplaintCallback,
    ChargeServiceQuotaNotify, RetailRefundNotify, XpayGoodsDeliverNotify, XpayCoinPayNotify,
    XpayRefundNotify, DebugDemo,
    // Notices to third-party platforms.
    ComponentVerifyTicket, Authorized, UpdateAuthorized, Unauthorized, FastRegister, FastRegisterBetaapp,
    FastVerifyBetaapp, ThirdWxaAuth, ThirdWxaWxverify, ThirdWxaAuthAndIcp, IcpFilingVerifyResult,
    IcpFilingApplyResult, OrderPathApplyResult, OrderPathAuditResult,
}

/// A family and its kinds, each with name, type, what is known about it, and fields:
///
/// ```text
/// event "VIEW" | "OTHER_NAME" => View (Active, Menu, answered)
/// "When it is sent." / "何时推送。"
/// More for the documentation, as doc comments.
/// { field: Type = "Path/To/Element" | "OtherSpelling", }
/// ```
macro_rules! family {
    (
        $word:literal $family:literal / $family_chinese:literal
        $(
            $kind:ident $name:literal $(| $alias:literal)* => $type:ident ($status:ident, $window:ident, $answer:ident)
            $english:literal / $chinese:literal
            $(#[doc = $more:expr])*
            { $($fields:tt)* }
        )*
    ) => {
        $(
            $crate::protocol::push::element::record! {
                #[doc = concat!($english, " (", $chinese, ")")]
                #[doc = ""]
                $(#[doc = $more])*
                $type { $($fields)* }
            }

            impl $crate::protocol::push::PushType for $type {
                const NAME: &'static str = $name;

                fn of(push: &$crate::protocol::push::Push) -> Option<&Self> {
                    match push.typed() {
                        $crate::protocol::push::Typed::$type(typed) => Some(typed),
                        _ => None,
                    }
                }
            }
        )*

        pub(super) const FAMILY: $crate::protocol::push::Family = {
            use $crate::protocol::push::element::Element;
            use $crate::protocol::push::vocabulary::{answered, kind, window};
            use $crate::protocol::push::{Entry, Family, Status, Typed};

            Family {
                name: $word,
                english: $family,
                chinese: $family_chinese,
                entries: &[$(Entry {
                    kind: kind!($kind),
                    name: $name,
                    aliases: &[$($alias),*],
                    type_name: stringify!($type),
                    status: Status::$status,
                    window: window!($window),
                    answered: answered!($answer),
                    english: $english,
                    chinese: $chinese,
                    fields: <$type as Element>::FIELDS,
                    reader: |node| {
                        Typed::$type(<$type as Element>::of(node).unwrap_or_else(<$type as Element>::absent))
                    },
                },)*],
            }
        };
    };
}

macro_rules! kind {
    (message) => {
        $crate::protocol::push::Kind::Message
    };
    (event) => {
        $crate::protocol::push::Kind::Event
    };
    (notice) => {
        $crate::protocol::push::Kind::Notice
    };
}

macro_rules! window {
    (closed) => {
        None
    };
    ($window:ident) => {
        Some($crate::protocol::push::Window::$window)
    };
}

macro_rules! answered {
    (answered) => {
        true
    };
    (unanswered) => {
        false
    };
}

pub(super) use {answered, family, kind, window};
