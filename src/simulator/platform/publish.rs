//! Publishing drafts: a job, an event, an article.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::draft;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::number;
use super::endpoint::post;
use super::endpoint::text;
use super::job::Ending;
use super::job::Happened;
use super::job::Job;
use super::job::OPERATOR;
use super::job::cdata;
use super::library::listed;
use super::library::page_of;
use super::quota::QuotaRow;
use crate::simulator::random::Random;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/freepublish/submit", submit).counted(QuotaRow::PublishSubmit),
    post("/cgi-bin/freepublish/get", status).counted(QuotaRow::PublishStatus),
    post("/cgi-bin/freepublish/delete", delete).counted(QuotaRow::PublishDelete),
    post("/cgi-bin/freepublish/getarticle", article).counted(QuotaRow::PublishArticle),
    post("/cgi-bin/freepublish/batchget", list).counted(QuotaRow::PublishList),
];

/// Publications kept for an account; the oldest go first.
const KEPT: usize = 10_000;

/// Ids begin here.
const FIRST_ID: i64 = 2_247_509_917;

const DONE: i64 = 0;
const RUNNING: i64 = 1;
const FAILED: i64 = 3;
const DELETED: i64 = 5;

#[derive(Debug)]
struct Publication {
    draft: String,
    status: i64,
    article_id: Option<String>,
    articles: Vec<Value>,
    published_seconds: i64,
}

/// What one account has published, by the id of the job.
#[derive(Debug, Default)]
pub(super) struct Publications {
    kept: BTreeMap<i64, Publication>,
    submitted: i64,
}

impl Publications {
    fn find(&mut self, article_id: &str) -> Option<&mut Publication> {
        let good = |publication: &&mut Publication| {
            publication.status == DONE && publication.article_id.as_deref() == Some(article_id)
        };
        self.kept.values_mut().find(good)
    }

    pub(super) fn has(&self, article_id: &str) -> bool {
        let mut good = self.kept.values().filter(|own| own.status == DONE);
        good.any(|own| own.article_id.as_deref() == Some(article_id))
    }

    pub(super) fn view(&self) -> Vec<Value> {
        let all = self.kept.iter().map(|(id, publication)| {
            json!({
                "publish_id": id.to_string(),
                "publish_status": publication.status,
                "article_id": publication.article_id,
                "articles": publication.articles.len(),
            })
        });
        all.collect()
    }
}

/// `POST /cgi-bin/freepublish/submit`
fn submit(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let draft = text(&request, "media_id").ok_or(Refusal::code(40007))?;
    if !visit.state.drafts.has(draft) {
        return Err(Refusal::code(40007));
    }
    let publications = &mut visit.state.publications;
    let publish_id = FIRST_ID + publications.submitted;
    publications.submitted += 1;
    let publication = Publication {
        draft: draft.to_owned(),
        status: RUNNING,
        article_id: None,
        articles: Vec::new(),
        published_seconds: 0,
    };
    publications.kept.insert(publish_id, publication);
    if publications.kept.len() > KEPT {
        publications.kept.pop_first();
    }
    let takes = visit.settings.jobs.publish;
    let job = Job::Publish { publish_id };
    visit.state.jobs.begin(visit.now, takes, job);
    Ok(Answer::done(json!({
        "publish_id": publish_id.to_string(),
        "msg_data_id": (publish_id + 1).to_string(),
    })))
}

/// The job's end: the draft has become an article, unless it is gone or the verdict is another.
pub(super) fn end(
    ending: &mut Ending<'_>,
    publish_id: i64,
    random: &mut Random,
) -> Option<Happened> {
    let ordered = ending.verdict.take().and_then(|status| status.parse().ok());
    let publication = ending.state.publications.kept.get_mut(&publish_id)?;
    let is_there = ending.state.drafts.has(&publication.draft);
    let status = ordered.unwrap_or(if is_there { DONE } else { FAILED });
    publication.status = status;
    let mut elements = format!(
        "<publish_id>{publish_id}</publish_id>\n<publish_status>{status}</publish_status>\n"
    );
    if status == DONE {
        let articles = ending.state.drafts.remove(&publication.draft);
        publish(publication, articles.unwrap_or_default(), random);
        publication.published_seconds = ending.at.seconds();
        let article_id = publication.article_id.as_deref().unwrap_or_default();
        elements.push_str(&format!("<article_id>{}</article_id>\n", cdata(article_id)));
        elements.push_str(&detail(publication));
    } else {
        elements.push_str("<fail_idx>1</fail_idx>\n");
    }
    Some(Happened {
        from_user: OPERATOR.to_owned(),
        event: "PUBLISHJOBFINISH",
        elements: format!("<PublishEventInfo>{elements}</PublishEventInfo>\n"),
    })
}

fn publish(publication: &mut Publication, mut articles: Vec<Value>, random: &mut Random) {
    for article in &mut articles {
        article["url"] = format!("http://mp.weixin.qq.com/s/{}", random.letters(22)).into();
        article["is_deleted"] = false.into();
    }
    publication.article_id = Some(random.letters(43));
    publication.articles = articles;
}

fn detail(publication: &Publication) -> String {
    let items = publication.articles.iter().enumerate();
    let items: String = items
        .map(|(index, article)| {
            let url = cdata(text(article, "url").unwrap_or_default());
            let index = index + 1;
            format!("<item><idx>{index}</idx><article_url>{url}</article_url></item>")
        })
        .collect();
    let count = publication.articles.len();
    format!("<article_detail><count>{count}</count>{items}</article_detail>\n")
}

/// `POST /cgi-bin/freepublish/get`
fn status(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let publish_id = number(&request, "publish_id").ok_or(Refusal::code(40002))?;
    let publication = visit.state.publications.kept.get(&publish_id);
    let publication = publication.ok_or(Refusal::code(40002))?;
    let mut told = json!({
        "publish_id": publish_id.to_string(),
        "publish_status": publication.status,
        "fail_idx": [],
    });
    if let Some(article_id) = &publication.article_id {
        let items = publication.articles.iter().enumerate();
        let items: Vec<Value> = items
            .map(|(index, article)| json!({ "idx": index + 1, "article_url": article["url"] }))
            .collect();
        told["article_id"] = article_id.as_str().into();
        told["article_detail"] = json!({ "count": items.len(), "item": items });
    }
    if !matches!(publication.status, DONE | RUNNING | DELETED) {
        told["fail_idx"] = json!([1]);
    }
    Ok(Answer::json(told.to_string()))
}

fn published<'a>(
    visit: &'a mut Visit<'_>,
    request: &Value,
) -> Result<&'a mut Publication, Refusal> {
    let article_id = text(request, "article_id").ok_or(Refusal::code(53600))?;
    let found = visit.state.publications.find(article_id);
    found.ok_or(Refusal::code(53600))
}

/// `POST /cgi-bin/freepublish/delete`: one article, counted from 1, or all of them.
fn delete(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let publication = published(visit, &request)?;
    let index = number(&request, "index").unwrap_or(0);
    match usize::try_from(index) {
        Ok(0) => publication.articles.clear(),
        Ok(index) => {
            let article = publication.articles.get_mut(index - 1);
            article.ok_or(Refusal::code(40114))?["is_deleted"] = true.into();
        }
        Err(_) => return Err(Refusal::code(40114)),
    }
    let is_left = |article: &Value| article["is_deleted"] == false;
    if !publication.articles.iter().any(is_left) {
        publication.status = DELETED;
    }
    Ok(Answer::ok())
}

/// `POST /cgi-bin/freepublish/getarticle`
fn article(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let publication = published(visit, &request)?;
    let shown = json!({ "news_item": publication.articles });
    Ok(Answer::json(shown.to_string()))
}

/// `POST /cgi-bin/freepublish/batchget`
fn list(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let all = visit.state.publications.kept.values().rev();
    let done: Vec<&Publication> = all.filter(|own| own.status == DONE).collect();
    let total = done.len();
    let page = page_of(&request, done.into_iter())?;
    let items = page
        .into_iter()
        .map(|own| {
            let named = ("article_id", own.article_id.as_deref().unwrap_or_default());
            draft::item(&request, named, &own.articles, own.published_seconds)
        })
        .collect();
    Ok(listed(total, items))
}
