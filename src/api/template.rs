//! Template messages (模板消息): for service accounts, without any window. At most 25 templates of an
//! account, and 100 000 messages a day; more for accounts with many followers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::endpoint::{Done, endpoints};
use crate::api::{RequestError, lenient, request};
use crate::id::OpenId;

endpoints! {
    SendTemplate => TemplateJob {
        call: Post "/cgi-bin/message/template/send",
        page: "发送模板消息",
        send: json,
        check: SendTemplate::limits,
        quota: "template_send",
        repeat: Harmful,
        codes: [40003, 40008, 40036, 40037, 40039, 40165, 40166, 40249, 43004, 43116, 47003],
        limits: "100 000 a day; values by their kind: thing 20, number 32, letter 32, symbol 5, character_string 32, phone_number 17, car_number 8 characters",
    }
    SetIndustry => Done {
        call: Post "/cgi-bin/template/api_set_industry",
        page: "设置所属行业",
        send: json,
        quota: "set_industry",
        repeat: Harmful,
        codes: [43100],
        limits: "once a month; takes all templates away",
    }
    GetIndustry => Industries {
        call: Get "/cgi-bin/template/get_industry",
        page: "获取行业信息",
        send: nothing,
    }
    AddTemplate => TemplateId {
        call: Post "/cgi-bin/template/api_add_template",
        page: "选用模板",
        send: json,
        check: |request: &AddTemplate| request::given("template_id_short", &request.template_id_short),
        repeat: Harmful,
        codes: [40246, 40247, 45026, 45027],
        limits: "25 templates of an account",
    }
    ListTemplates => Templates {
        call: Get "/cgi-bin/template/get_all_private_template",
        page: "获取已选用模板列表",
        send: nothing,
    }
    DeleteTemplate => Done {
        call: Post "/cgi-bin/template/del_private_template",
        page: "删除模板",
        send: json,
        check: |request: &DeleteTemplate| request::given("template_id", &request.template_id),
        codes: [40037],
    }
    BlockedTemplates => BlockedTemplateMessages {
        call: Post "/wxa/sec/queryblocktmplmsg",
        page: "查询拦截的模板消息",
        send: json,
    }
}

/// The values of a template, by the names of its keywords.
pub type Values = BTreeMap<String, Value>;

/// One value of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// It.
    pub value: String,
}

impl<T: Into<String>> From<T> for Value {
    fn from(value: T) -> Self {
        Self {
            value: value.into(),
        }
    }
}

/// A page of a mini program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MiniProgram {
    /// The mini program, which must be linked with the account.
    pub appid: String,
    /// The page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pagepath: Option<String>,
}

/// Characters that a value of a kind has at most. The kind is the beginning of a keyword's name.
///
/// Source: the official page "模板消息参数值内容限制说明", read 2026-11.
const VALUE_LIMITS: [(&str, usize); 7] = [
    ("thing", 20),
    ("number", 32),
    ("letter", 32),
    ("symbol", 5),
    ("character_string", 32),
    ("phone_number", 17),
    ("car_number", 8),
];

/// Refuses values that are longer than their kind allows. (Kinds that are not listed are the
/// platform's to judge.)
pub(super) fn values(values: &Values) -> Result<(), RequestError> {
    for (name, value) in values {
        let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let limit = VALUE_LIMITS.iter().find(|(known, _)| *known == kind);
        let found = value.value.chars().count();
        if let Some((_, most)) = limit.filter(|(_, most)| found > *most) {
            let fault = format!("has {found} characters; at most {most} are allowed");
            return Err(RequestError::new(format!("data.{name}.value"), fault));
        }
    }
    Ok(())
}

/// Sends a template message. How it ended comes as the event `TEMPLATESENDJOBFINISH`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendTemplate {
    /// To whom.
    pub touser: OpenId,
    /// The template.
    pub template_id: String,
    /// Where it leads. With a mini program beside it, that comes first; with neither it leads nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The mini program that it opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniprogram: Option<MiniProgram>,
    /// The values.
    pub data: Values,
    /// A name of one's own: the same again within 10 minutes sends nothing to the same user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<String>,
}

impl SendTemplate {
    fn limits(&self) -> Result<(), RequestError> {
        request::given("touser", self.touser.as_str())?;
        request::given("template_id", &self.template_id)?;
        values(&self.data)
    }
}

/// A template message that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct TemplateJob {
    /// Its number.
    #[serde(deserialize_with = "lenient::number")]
    pub msgid: i64,
}

/// Sets the account's two industries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetIndustry {
    /// The number of the first.
    pub industry_id1: String,
    /// The number of the second.
    pub industry_id2: String,
}

/// Asks for the account's industries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetIndustry;

/// The account's industries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Industries {
    /// The first.
    #[serde(default)]
    pub primary_industry: Option<Industry>,
    /// The second.
    #[serde(default)]
    pub secondary_industry: Option<Industry>,
}

/// An industry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Industry {
    /// The wider class.
    pub first_class: String,
    /// The narrower class.
    pub second_class: String,
}

/// Takes a template of the library for the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddTemplate {
    /// Its number in the library.
    pub template_id_short: String,
    /// The keywords that are wanted, in their order, where the template has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keyword_name_list: Vec<String>,
}

/// The name of a template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct TemplateId {
    /// It.
    pub template_id: String,
}

/// Asks for the account's templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListTemplates;

/// The account's templates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Templates {
    /// They.
    pub template_list: Vec<Template>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Template {
    /// Its name.
    pub template_id: String,
    /// Its title.
    pub title: String,
    /// The wider class of its industry.
    #[serde(default)]
    pub primary_industry: String,
    /// The narrower class.
    #[serde(default)]
    pub deputy_industry: String,
    /// Its text, with `{{NAME.DATA}}` where values come.
    pub content: String,
    /// The same with values.
    #[serde(default)]
    pub example: String,
}

/// Takes a template away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteTemplate {
    /// Its name.
    pub template_id: String,
}

/// Asks for template messages that the platform held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockedTemplates {
    /// The number of one message.
    pub tmpl_msg_id: String,
    /// From behind this one.
    pub largest_id: i64,
    /// How many are wanted.
    pub limit: u32,
}

/// Template messages that the platform held back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct BlockedTemplateMessages {
    /// They, as the platform tells them.
    #[serde(default)]
    pub msginfo: Vec<serde_json::Value>,
}
