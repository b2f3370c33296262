//! Publishing (发布能力): a draft becomes a page that everyone with its address can read. Nobody is told.

use serde::{Deserialize, Serialize};

use crate::api::draft::Articles;
use crate::api::endpoint::{Done, endpoints};
use crate::api::lenient;
use crate::api::{material, request};

endpoints! {
    Publish => Publishing {
        call: Post "/cgi-bin/freepublish/submit",
        page: "发布草稿",
        send: json,
        check: |request: &Publish| request::given("media_id", &request.media_id),
        quota: "publish_submit",
        repeat: Harmful,
        codes: [40007, 48001, 53503, 53504, 53505],
        limits: "the verdict comes as the event PUBLISHJOBFINISH",
    }
    PublishStatus => PublishReport {
        call: Post "/cgi-bin/freepublish/get",
        page: "发布状态轮询接口",
        send: json,
        check: |request: &PublishStatus| request::given("publish_id", &request.publish_id),
        quota: "publish_status",
        codes: [40002, 48001],
    }
    DeletePublished => Done {
        call: Post "/cgi-bin/freepublish/delete",
        page: "删除发布文章",
        send: json,
        check: |request: &DeletePublished| request::given("article_id", &request.article_id),
        quota: "publish_delete",
        codes: [48001, 53600],
        limits: "cannot be undone",
    }
    GetPublished => Articles {
        call: Post "/cgi-bin/freepublish/getarticle",
        page: "获取已发布图文信息",
        send: json,
        check: |request: &GetPublished| request::given("article_id", &request.article_id),
        quota: "publish_article",
        codes: [48001, 53600],
    }
    ListPublished => PublishedPage {
        call: Post "/cgi-bin/freepublish/batchget",
        page: "获取已发布的消息列表",
        send: json,
        check: |request: &ListPublished| material::page(request.count),
        quota: "publish_list",
        codes: [48001],
        limits: "count: 1 to 20",
    }
}

/// Publishes a draft, which is then no draft any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Publish {
    /// The draft.
    pub media_id: String,
}

/// What is being published.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Publishing {
    /// The name of the job.
    #[serde(deserialize_with = "lenient::text")]
    pub publish_id: String,
    /// The name of the message in statistics.
    #[serde(default, deserialize_with = "lenient::some_number")]
    pub msg_data_id: Option<i64>,
}

/// Asks how a job of publishing goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishStatus {
    /// Its name.
    pub publish_id: String,
}

/// How a job of publishing goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct PublishReport {
    /// Its name.
    #[serde(deserialize_with = "lenient::text")]
    pub publish_id: String,
    /// 0 published, 1 under way, 2 refused for its originality, 3 failed, 4 refused by the review,
    /// 5 all articles deleted by the account, 6 all of them banned.
    pub publish_status: i64,
    /// The name of what was published: what `mpnewsarticle` messages want.
    #[serde(default)]
    pub article_id: Option<String>,
    /// Its pages.
    #[serde(default)]
    pub article_detail: Option<ArticleDetail>,
    /// Which articles failed, from 1.
    #[serde(default)]
    pub fail_idx: Vec<i64>,
}

/// Pages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ArticleDetail {
    /// How many.
    pub count: i64,
    /// They.
    #[serde(default)]
    pub item: Vec<ArticlePage>,
}

/// The page of one article.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ArticlePage {
    /// Which article, from 1.
    pub idx: i64,
    /// Its address.
    pub article_url: String,
}

/// Takes something published away, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeletePublished {
    /// Its name.
    pub article_id: String,
    /// Which article, from 1; `None` for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

/// Asks for something published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetPublished {
    /// Its name.
    pub article_id: String,
}

/// Asks for a page of what is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListPublished {
    /// How many are passed over.
    pub offset: u32,
    /// How many are wanted: at most 20.
    pub count: u32,
    /// 1: without their texts.
    pub no_content: u8,
}

/// A page of what is published.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct PublishedPage {
    /// How many there are in all.
    pub total_count: i64,
    /// How many are on this page.
    pub item_count: i64,
    /// They.
    #[serde(default)]
    pub item: Vec<Published>,
}

/// Something published.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Published {
    /// Its name.
    pub article_id: String,
    /// Its articles.
    #[serde(default)]
    pub content: Articles,
    /// When it changed, in Unix seconds.
    #[serde(default)]
    pub update_time: i64,
}
