//! Drafts: articles before they are published or sent.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::get;
use super::endpoint::number;
use super::endpoint::post;
use super::endpoint::text;
use super::existing;
use super::library::listed;
use super::library::page_of;
use super::media;
use super::quota::QuotaRow;
use crate::clock::Timestamp;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/draft/add", add).counted(QuotaRow::DraftAdd),
    post("/cgi-bin/draft/get", show).counted(QuotaRow::DraftGet),
    post("/cgi-bin/draft/update", update).counted(QuotaRow::DraftUpdate),
    post("/cgi-bin/draft/delete", delete).counted(QuotaRow::DraftDelete),
    post("/cgi-bin/draft/batchget", list).counted(QuotaRow::DraftList),
    get("/cgi-bin/draft/count", count).counted(QuotaRow::DraftCount),
    post("/cgi-bin/draft/switch", switch),
    post("/cgi-bin/media/uploadnews", upload_news).counted(QuotaRow::NewsUpload),
];

/// Articles of a draft.
pub const MAX_ARTICLES: usize = 8;
/// Characters of an article's title.
pub const MAX_TITLE: usize = 32;
/// Characters of an author's name.
pub const MAX_AUTHOR: usize = 16;
/// Characters of a digest.
pub const MAX_DIGEST: usize = 128;
/// Characters of an article: fewer than this.
pub const MAX_CONTENT: usize = 20_000;
/// Pictures of an article that consists of pictures.
pub const MAX_PICTURES: usize = 20;

/// Drafts kept for an account. The platform says 100,000 for news of all sorts.
const MAX_DRAFTS: usize = 10_000;

#[derive(Debug)]
struct Draft {
    articles: Vec<Value>,
    updated_seconds: i64,
    place: u64,
}

/// The drafts of one account, by id.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    kept: BTreeMap<String, Draft>,
    added: u64,
}

impl Drafts {
    fn keep(&mut self, now: Timestamp, id: String, articles: Vec<Value>) {
        self.added += 1;
        let draft = Draft {
            articles,
            updated_seconds: now.seconds(),
            place: self.added,
        };
        self.kept.insert(id, draft);
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.kept.contains_key(id)
    }

    /// How many articles a draft has; 0 when there is no such draft.
    pub(super) fn articles(&self, id: &str) -> usize {
        self.kept.get(id).map_or(0, |draft| draft.articles.len())
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Vec<Value>> {
        self.kept.remove(id).map(|draft| draft.articles)
    }

    fn newest_first(&self) -> Vec<(&String, &Draft)> {
        let mut all: Vec<_> = self.kept.iter().collect();
        all.sort_unstable_by_key(|(_, draft)| std::cmp::Reverse(draft.place));
        all
    }

    pub(super) fn view(&self) -> Vec<Value> {
        let all = self.newest_first().into_iter();
        all.map(|(id, draft)| json!({ "media_id": id, "news_item": draft.articles }))
            .collect()
    }
}

fn characters(article: &Value, name: &str) -> usize {
    text(article, name).map_or(0, |text| text.chars().count())
}

/// One article, checked; what the platform adds to it stands beside what was given.
fn check(visit: &Visit<'_>, article: &Value) -> Result<Value, Refusal> {
    if text(article, "title").is_none() || characters(article, "title") > MAX_TITLE {
        return Err(Refusal::code(45003));
    }
    if characters(article, "author") > MAX_AUTHOR {
        return Err(Refusal::code(40192));
    }
    if characters(article, "digest") > MAX_DIGEST {
        return Err(Refusal::code(45004));
    }
    if text(article, "content").is_none() {
        return Err(Refusal::code(45166));
    }
    if characters(article, "content") >= MAX_CONTENT {
        return Err(Refusal::code(45002));
    }
    let source = text(article, "content_source_url");
    let is_address = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    if source.is_some_and(|url| !is_address(url)) {
        return Err(Refusal::code(41039));
    }
    match text(article, "article_type").unwrap_or("news") {
        "news" => {
            let thumb = text(article, "thumb_media_id").ok_or(Refusal::code(40007))?;
            existing::permanent(visit, thumb)?;
        }
        "newspic" => check_pictures(visit, &article["image_info"]["image_list"])?,
        _ => return Err(Refusal::code(40008)),
    }
    Ok(article.clone())
}

fn check_pictures(visit: &Visit<'_>, pictures: &Value) -> Result<(), Refusal> {
    let pictures = pictures.as_array().ok_or(Refusal::code(40215))?;
    if !(1..=MAX_PICTURES).contains(&pictures.len()) {
        return Err(Refusal::code(40215));
    }
    for picture in pictures {
        let id = text(picture, "image_media_id").ok_or(Refusal::code(40007))?;
        existing::permanent(visit, id)?;
    }
    Ok(())
}

fn articles_in(visit: &Visit<'_>) -> Result<Vec<Value>, Refusal> {
    let request = visit.text_json()?;
    let articles = request["articles"].as_array().ok_or(Refusal::code(44003))?;
    if articles.is_empty() {
        return Err(Refusal::code(44003));
    }
    if articles.len() > MAX_ARTICLES {
        return Err(Refusal::code(45008));
    }
    articles
        .iter()
        .map(|article| check(visit, article))
        .collect()
}

fn keep_new(visit: &mut Visit<'_>) -> Result<String, Refusal> {
    let articles = articles_in(visit)?;
    if visit.state.drafts.kept.len() >= MAX_DRAFTS {
        return Err(Refusal::code(45074));
    }
    let id = media::made_up_id(visit);
    visit.state.drafts.keep(visit.now, id.clone(), articles);
    Ok(id)
}

/// `POST /cgi-bin/draft/add`
fn add(visit: &mut Visit<'_>) -> Handled {
    let id = keep_new(visit)?;
    Ok(Answer::json(json!({ "media_id": id }).to_string()))
}

/// `POST /cgi-bin/media/uploadnews`: what drafts have replaced.
fn upload_news(visit: &mut Visit<'_>) -> Handled {
    let id = keep_new(visit)?;
    let made = json!({ "type": "news", "media_id": id, "created_at": visit.now.seconds() });
    Ok(Answer::json(made.to_string()))
}

fn draft_in<'a>(visit: &'a mut Visit<'_>, request: &Value) -> Result<&'a mut Draft, Refusal> {
    let id = text(request, "media_id").ok_or(Refusal::code(40007))?;
    let draft = visit.state.drafts.kept.get_mut(id);
    draft.ok_or(Refusal::code(40007))
}

/// `POST /cgi-bin/draft/get`
fn show(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let draft = draft_in(visit, &request)?;
    let shown = json!({ "news_item": draft.articles });
    Ok(Answer::json(shown.to_string()))
}

/// `POST /cgi-bin/draft/update`: one article, which stands in `articles` by itself, not in a list.
fn update(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    if !request["articles"].is_object() {
        return Err(Refusal::code(47001));
    }
    let article = check(visit, &request["articles"])?;
    let now_seconds = visit.now.seconds();
    let draft = draft_in(visit, &request)?;
    let index = number(&request, "index").and_then(|index| usize::try_from(index).ok());
    let place = index.and_then(|index| draft.articles.get_mut(index));
    *place.ok_or(Refusal::code(40114))? = article;
    draft.updated_seconds = now_seconds;
    Ok(Answer::ok())
}

/// `POST /cgi-bin/draft/delete`
fn delete(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let id = text(&request, "media_id").ok_or(Refusal::code(40007))?;
    match visit.state.drafts.remove(id) {
        Some(_) => Ok(Answer::ok()),
        None => Err(Refusal::code(40007)),
    }
}

/// An entry of a list of articles, without their contents when that was asked for.
pub(super) fn item(
    request: &Value,
    (name, id): (&str, &str),
    articles: &[Value],
    updated_seconds: i64,
) -> Value {
    let mut item = json!({ name: id, "update_time": updated_seconds });
    let mut articles = articles.to_vec();
    if number(request, "no_content") == Some(1) {
        for article in articles.iter_mut().filter_map(Value::as_object_mut) {
            article.remove("content");
        }
    }
    item["content"] = json!({ "news_item": articles, "update_time": updated_seconds });
    item
}

/// `POST /cgi-bin/draft/batchget`
fn list(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let drafts = visit.state.drafts.newest_first();
    let total = drafts.len();
    let page = page_of(&request, drafts.into_iter())?;
    let items = page
        .into_iter()
        .map(|(id, draft)| {
            let named = ("media_id", id.as_str());
            item(&request, named, &draft.articles, draft.updated_seconds)
        })
        .collect();
    Ok(listed(total, items))
}

/// `GET /cgi-bin/draft/count`
fn count(visit: &mut Visit<'_>) -> Handled {
    let total = visit.state.drafts.kept.len();
    Ok(Answer::json(json!({ "total_count": total }).to_string()))
}

/// `POST /cgi-bin/draft/switch`: drafts are on for every account by now, and cannot be switched off.
fn switch(_: &mut Visit<'_>) -> Handled {
    Ok(Answer::done(json!({ "is_open": 1 })))
}
