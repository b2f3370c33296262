//! Drafts (草稿箱): articles before they are published or sent to many.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::{Done, endpoints};
use crate::api::lenient;
use crate::api::{RequestError, material, request};

/// Articles that one draft has at most.
pub const MAX_ARTICLES: usize = 8;

/// Pictures that one picture article (newspic) has at most.
pub const MAX_PICTURES: usize = 20;

endpoints! {
    AddDraft => AddedDraft {
        call: Post "/cgi-bin/draft/add",
        page: "新建草稿",
        send: json,
        check: AddDraft::limits,
        quota: "draft_add",
        repeat: Harmful,
        codes: [40007, 41039, 45166, 53404, 53405, 53406, 88000],
        limits: "1 to 8 articles; title 32, author 16, digest 128 characters; content below 20 000 characters and 1 MB; 20 pictures of a newspic",
    }
    GetDraft => Articles {
        call: Post "/cgi-bin/draft/get",
        page: "获取草稿详情",
        send: json,
        check: |request: &GetDraft| request::given("media_id", &request.media_id),
        quota: "draft_get",
        codes: [40007],
    }
    UpdateDraft => Done {
        call: Post "/cgi-bin/draft/update",
        page: "更新草稿",
        send: json,
        check: UpdateDraft::limits,
        quota: "draft_update",
        codes: [40007, 40114, 41039, 45166],
        limits: "as when a draft is made; index from 0",
    }
    DeleteDraft => Done {
        call: Post "/cgi-bin/draft/delete",
        page: "删除草稿",
        send: json,
        check: |request: &DeleteDraft| request::given("media_id", &request.media_id),
        quota: "draft_delete",
        codes: [40007],
    }
    ListDrafts => Drafts {
        call: Post "/cgi-bin/draft/batchget",
        page: "获取草稿列表",
        send: json,
        check: |request: &ListDrafts| material::page(request.count),
        quota: "draft_list",
        codes: [40007],
        limits: "count: 1 to 20",
    }
    CountDrafts => DraftCount {
        call: Get "/cgi-bin/draft/count",
        page: "获取草稿的总数",
        send: nothing,
        quota: "draft_count",
    }
    DraftSwitch => DraftSwitchState {
        call: Post "/cgi-bin/draft/switch",
        page: "草稿箱开关设置",
        send: query,
        limits: "cannot be switched off again",
    }
}

/// Makes a draft. Twice makes two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddDraft {
    /// The articles: at most [`MAX_ARTICLES`].
    pub articles: Vec<Article>,
}

impl AddDraft {
    fn limits(&self) -> Result<(), RequestError> {
        request::members("articles", self.articles.len(), 1, MAX_ARTICLES)?;
        self.articles.iter().try_for_each(Article::limits)
    }
}

/// An article as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Article {
    /// `news` (the usual one), or `newspic` for pictures with a few words.
    pub article_type: ArticleType,
    /// The title: at most 32 characters.
    pub title: String,
    /// The author: at most 16 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// What stands in the list: at most 128 characters. The platform takes the first words without it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// The text: HTML of an article, plain text of pictures. Pictures from elsewhere are not shown.
    pub content: String,
    /// Where "read more" (阅读原文) leads.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content_source_url: String,
    /// The cover of an article: a permanent picture.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub thumb_media_id: String,
    /// 1: readers may comment.
    #[serde(skip_serializing_if = "is_zero")]
    pub need_open_comment: u8,
    /// 1: only followers may.
    #[serde(skip_serializing_if = "is_zero")]
    pub only_fans_can_comment: u8,
    /// The pictures of a picture article.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_info: Option<ImageInfo>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// What an article is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArticleType {
    /// A text with pictures.
    #[default]
    News,
    /// Pictures with a few words.
    NewsPic,
}

/// The pictures of a picture article.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageInfo {
    /// They: at most [`MAX_PICTURES`]; the first is the cover.
    pub image_list: Vec<ArticleImage>,
}

/// A picture of a picture article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleImage {
    /// A permanent picture.
    pub image_media_id: String,
}

impl Article {
    fn limits(&self) -> Result<(), RequestError> {
        request::characters("title", &self.title, 32)?;
        if !self.author.is_empty() {
            request::characters("author", &self.author, 16)?;
        }
        if !self.digest.is_empty() {
            request::characters("digest", &self.digest, 128)?;
        }
        if !self.content.is_empty() {
            request::characters("content", &self.content, 19_999)?;
            request::bytes("content", &self.content, 1024 * 1024 - 1)?;
        }
        match self.article_type {
            ArticleType::News => {
                request::given("content", &self.content)?;
                request::given("thumb_media_id", &self.thumb_media_id)
            }
            ArticleType::NewsPic => {
                let pictures = self.image_info.as_ref().map(|info| info.image_list.len());
                let found = pictures.unwrap_or_default();
                request::members("image_list", found, 1, MAX_PICTURES)
            }
        }
    }
}

/// The name of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct AddedDraft {
    /// It. Publishing the draft, or sending it to many, ends it.
    pub media_id: String,
}

/// Asks for a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetDraft {
    /// Its name.
    pub media_id: String,
}

/// Articles as the platform keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
pub struct Articles {
    /// They.
    #[serde(default)]
    pub news_item: Vec<NewsItem>,
}

/// An article as the platform keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct NewsItem {
    /// The title.
    pub title: String,
    /// The author.
    pub author: String,
    /// What stands in the list.
    pub digest: String,
    /// The text; not in lists that were asked for without it.
    pub content: String,
    /// Where "read more" leads.
    pub content_source_url: String,
    /// The cover.
    pub thumb_media_id: String,
    /// The cover's address.
    pub thumb_url: String,
    /// Where the article can be read; of a draft for a while only.
    pub url: String,
    /// 1: readers may comment.
    pub need_open_comment: u8,
    /// 1: only followers may.
    pub only_fans_can_comment: u8,
    /// Of a published one: whether it was taken away.
    pub is_deleted: bool,
    /// What it is; `None` of an answer that does not say, which means news.
    pub article_type: Option<ArticleType>,
    /// The pictures of a picture article.
    pub image_info: Option<ImageInfo>,
}

/// Writes one article of a draft anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpdateDraft {
    /// The draft.
    pub media_id: String,
    /// Which of its articles, from 0.
    pub index: u32,
    /// The article. (The platform's name for the one is in the plural.)
    #[serde(rename = "articles")]
    pub article: Article,
}

impl UpdateDraft {
    fn limits(&self) -> Result<(), RequestError> {
        request::given("media_id", &self.media_id)?;
        self.article.limits()
    }
}

/// Takes a draft away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteDraft {
    /// Its name.
    pub media_id: String,
}

/// Asks for a page of drafts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListDrafts {
    /// How many are passed over.
    pub offset: u32,
    /// How many are wanted: at most 20.
    pub count: u32,
    /// 1: without their texts.
    pub no_content: u8,
}

/// A page of drafts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Drafts {
    /// How many there are in all.
    pub total_count: i64,
    /// How many are on this page.
    pub item_count: i64,
    /// They.
    #[serde(default)]
    pub item: Vec<Draft>,
}

/// A draft.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Draft {
    /// Its name.
    pub media_id: String,
    /// Its articles.
    #[serde(default)]
    pub content: Articles,
    /// When it changed, in Unix seconds.
    #[serde(default)]
    pub update_time: i64,
}

/// Asks how many drafts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountDrafts;

/// How many drafts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct DraftCount {
    /// So many.
    pub total_count: i64,
}

/// Switches drafts and publishing on for the account, for ever; or asks whether they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DraftSwitch {
    /// `Some(1)`: only ask.
    pub checkonly: Option<u8>,
}

impl DraftSwitch {
    /// Only asks.
    pub const fn ask() -> Self {
        Self { checkonly: Some(1) }
    }

    /// Switches on. Nothing switches off again.
    pub const fn on_for_ever() -> Self {
        Self { checkonly: None }
    }
}

/// Whether drafts and publishing are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct DraftSwitchState {
    /// 1 if they are.
    #[serde(default, deserialize_with = "lenient::number")]
    pub is_open: i64,
}
