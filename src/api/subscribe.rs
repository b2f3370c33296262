//! Subscribe notices (订阅通知), which a user has asked for, and their templates; and the one-time
//! subscription (一次性订阅消息) of the time before.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::{Done, endpoints};
use crate::api::template::{MiniProgram, Values, values};
use crate::api::{RequestError, lenient, request};
use crate::id::OpenId;

endpoints! {
    SendNotice => Done {
        call: Post "/cgi-bin/message/subscribe/bizsend",
        page: "发送订阅通知",
        send: json,
        check: SendNotice::limits,
        repeat: Harmful,
        codes: [40003, 40037, 41030, 43101, 43107, 43108, 47003],
        limits: "the user must have asked for it (else 43101); values as of template messages",
    }
    SendOnce => Done {
        call: Post "/cgi-bin/message/template/subscribe",
        page: "一次性订阅消息",
        send: json,
        check: SendOnce::limits,
        repeat: Harmful,
        codes: [40003, 40037, 40062, 43101],
        limits: "title: 15 characters; content: 200 characters",
    }
    AddNoticeTemplate => NoticeTemplateId {
        call: Post "/wxaapi/newtmpl/addtemplate",
        page: "选用订阅通知模板",
        send: json,
        check: |request: &AddNoticeTemplate| request::given("tid", &request.tid),
        repeat: Harmful,
        codes: [200001, 200002, 200011, 200012, 200013, 200014, 200020, 200021, 200022],
    }
    ListNoticeTemplates => NoticeTemplates {
        call: Get "/wxaapi/newtmpl/gettemplate",
        page: "获取已选用的订阅通知模板",
        send: nothing,
    }
    DeleteNoticeTemplate => Done {
        call: Post "/wxaapi/newtmpl/deltemplate",
        page: "删除订阅通知模板",
        send: json,
        check: |request: &DeleteNoticeTemplate| request::given("priTmplId", &request.template_id),
        codes: [200001, 200002, 200014],
    }
    NoticeCategories => Categories {
        call: Get "/wxaapi/newtmpl/getcategory",
        page: "获取订阅通知类目",
        send: nothing,
        codes: [200100],
    }
    NoticeTitles => Titles {
        call: Get "/wxaapi/newtmpl/getpubtemplatetitles",
        page: "获取类目下的公共模板",
        send: query,
        check: |request: &NoticeTitles| request::between("limit", i64::from(request.limit), 1, 30),
        codes: [200016, 200017, 200018, 200019],
        limits: "limit: 1 to 30",
    }
    NoticeKeywords => Keywords {
        call: Get "/wxaapi/newtmpl/getpubtemplatekeywords",
        page: "获取公共模板下的关键词列表",
        send: query,
        check: |request: &NoticeKeywords| request::given("tid", &request.tid),
        codes: [200014],
    }
}

/// Sends a notice that the user has asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendNotice {
    /// To whom.
    pub touser: OpenId,
    /// The template.
    pub template_id: String,
    /// Where it leads: either this or a mini program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The mini program that it opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniprogram: Option<MiniProgram>,
    /// The values.
    pub data: Values,
    /// A name of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<String>,
}

impl SendNotice {
    fn limits(&self) -> Result<(), RequestError> {
        request::given("touser", self.touser.as_str())?;
        request::given("template_id", &self.template_id)?;
        values(&self.data)
    }
}

/// Sends the one message that a user has allowed on the page of a one-time subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendOnce {
    /// To whom.
    pub touser: OpenId,
    /// The template.
    pub template_id: String,
    /// Where it leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The mini program that it opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniprogram: Option<MiniProgram>,
    /// The number that the page was opened with.
    pub scene: String,
    /// The title: at most 15 characters.
    pub title: String,
    /// The text.
    pub data: OnceData,
}

/// The text of a one-time message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnceData {
    /// It.
    pub content: OnceContent,
}

/// The text of a one-time message, and its colour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnceContent {
    /// The text: at most 200 characters.
    pub value: String,
    /// A colour like `#173177`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

impl SendOnce {
    fn limits(&self) -> Result<(), RequestError> {
        request::given("touser", self.touser.as_str())?;
        request::given("template_id", &self.template_id)?;
        request::characters("title", &self.title, 15)?;
        request::characters("data.content.value", &self.data.content.value, 200)
    }
}

/// Takes a template of the library for the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddNoticeTemplate {
    /// Its number in the library.
    pub tid: String,
    /// The numbers of the keywords that are wanted, in their order.
    #[serde(rename = "kidList")]
    pub keywords: Vec<i64>,
    /// What it is for, for the platform's review.
    #[serde(rename = "sceneDesc")]
    pub scene: String,
}

/// The name of a template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct NoticeTemplateId {
    /// It.
    #[serde(rename = "priTmplId")]
    pub template_id: String,
}

/// Asks for the account's templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListNoticeTemplates;

/// The account's templates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct NoticeTemplates {
    /// They.
    #[serde(default)]
    pub data: Vec<NoticeTemplate>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct NoticeTemplate {
    /// Its name.
    #[serde(rename = "priTmplId")]
    pub template_id: String,
    /// Its title.
    pub title: String,
    /// Its text, with `{{NAME.DATA}}` where values come.
    pub content: String,
    /// The same with values.
    #[serde(default)]
    pub example: String,
    /// 2: may be sent once for each asking; 3: for a long time.
    #[serde(rename = "type")]
    pub kind: i64,
}

/// Takes a template away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteNoticeTemplate {
    /// Its name.
    #[serde(rename = "priTmplId")]
    pub template_id: String,
}

/// Asks for the account's service categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeCategories;

/// The account's service categories.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Categories {
    /// They.
    #[serde(default)]
    pub data: Vec<Category>,
}

/// A service category.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Category {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// Asks for templates of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeTitles {
    /// The numbers of the categories, with commas between them.
    pub ids: String,
    /// How many are passed over.
    pub start: u32,
    /// How many are wanted: at most 30.
    pub limit: u32,
}

/// Templates of the library.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Titles {
    /// How many there are in all.
    #[serde(default)]
    pub count: i64,
    /// They.
    #[serde(default)]
    pub data: Vec<Title>,
}

/// A template of the library.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Title {
    /// Its number.
    #[serde(deserialize_with = "lenient::text")]
    pub tid: String,
    /// Its title.
    pub title: String,
    /// 2: may be sent once for each asking; 3: for a long time.
    #[serde(rename = "type")]
    pub kind: i64,
    /// The category.
    #[serde(rename = "categoryId", deserialize_with = "lenient::text")]
    pub category: String,
}

/// Asks for the keywords of a template of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeKeywords {
    /// Its number.
    pub tid: String,
}

/// The keywords of a template of the library.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Keywords {
    /// How many there are.
    #[serde(default)]
    pub count: i64,
    /// They.
    #[serde(default)]
    pub data: Vec<Keyword>,
}

/// A keyword.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Keyword {
    /// Its number.
    pub kid: i64,
    /// Its name.
    pub name: String,
    /// An example of a value.
    #[serde(default)]
    pub example: String,
    /// The kind of its values, like `thing`.
    #[serde(default)]
    pub rule: String,
}
