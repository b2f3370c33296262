//! The object beside `msgtype` that is named like it: what the platform demands of each type.

use serde_json::Map;
use serde_json::Value;

use super::MAX_TEXT_BYTES;
use crate::simulator::platform::Refusal;

/// Items of a menu message. The service account's page gives no figure; that of 微信客服 gives this one.
const MAX_MENU_ITEMS: usize = 10;

/// Bytes of a menu item's text, from the same page.
const MAX_MENU_ITEM_BYTES: usize = 128;

const INVALID_MEDIA_ID: i64 = 40007;
const INVALID_TYPE: i64 = 40008;
const INVALID_PAGE_PATH: i64 = 40165;
const INVALID_MINI_PROGRAM: i64 = 40166;
const EMPTY_NEWS: i64 = 44003;
const EMPTY_CONTENT: i64 = 44004;
const TEXT_SIZE: i64 = 45002;
const ARTICLE_COUNT: i64 = 45008;
const MENU_LIST_SIZE: i64 = 45098;
const MENU_ITEM_SIZE: i64 = 45099;
const NO_JSON_OF_OURS: i64 = 47001;
const INVALID_ARTICLE: i64 = 53600;

type Object = Map<String, Value>;

/// Checks the branch of this type; what the user reads of it, if it holds words. `None` for a type that
/// `custom/send` does not know.
pub(super) fn check(
    message_type: &str,
    branch: Option<&Value>,
) -> Option<Result<Option<String>, Refusal>> {
    let rule: fn(&Object) -> Result<Option<String>, i64> = match message_type {
        "text" => text,
        "image" | "voice" | "mpnews" => media,
        "video" => video,
        "music" => music,
        "news" => news,
        "mpnewsarticle" => published_article,
        "msgmenu" => menu,
        "wxcard" => card,
        "miniprogrampage" => mini_program_page,
        _ => return None,
    };
    let missing = match message_type {
        "text" => EMPTY_CONTENT,
        _ => INVALID_TYPE,
    };
    let checked = branch
        .and_then(Value::as_object)
        .ok_or(missing)
        .and_then(rule);
    Some(checked.map_err(Refusal::code))
}

/// A member that must be a text and not empty.
fn must<'a>(object: &'a Object, name: &str, missing: i64) -> Result<&'a str, i64> {
    match object.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(Value::String(_)) | None => Err(missing),
        Some(_) => Err(NO_JSON_OF_OURS),
    }
}

/// A member that may be missing or empty, but is a text if it is there.
fn may<'a>(object: &'a Object, name: &str) -> Result<Option<&'a str>, i64> {
    match object.get(name) {
        Some(Value::String(text)) => Ok(Some(text)),
        None => Ok(None),
        Some(_) => Err(NO_JSON_OF_OURS),
    }
}

fn text(branch: &Object) -> Result<Option<String>, i64> {
    let content = must(branch, "content", EMPTY_CONTENT)?;
    match content.len() {
        0..=MAX_TEXT_BYTES => Ok(Some(content.to_owned())),
        _ => Err(TEXT_SIZE),
    }
}

fn media(branch: &Object) -> Result<Option<String>, i64> {
    must(branch, "media_id", INVALID_MEDIA_ID)?;
    Ok(None)
}

fn video(branch: &Object) -> Result<Option<String>, i64> {
    must(branch, "media_id", INVALID_MEDIA_ID)?;
    must(branch, "thumb_media_id", INVALID_MEDIA_ID)?;
    may(branch, "description")?;
    Ok(may(branch, "title")?.map(str::to_owned))
}

/// The platform's table marks the title and the description as required, too.
fn music(branch: &Object) -> Result<Option<String>, i64> {
    must(branch, "thumb_media_id", INVALID_MEDIA_ID)?;
    must(branch, "musicurl", EMPTY_CONTENT)?;
    must(branch, "description", EMPTY_CONTENT)?;
    may(branch, "hqmusicurl")?;
    Ok(Some(must(branch, "title", EMPTY_CONTENT)?.to_owned()))
}

/// A news message carries exactly one article since 2018-10-12. All its four members must be there; only
/// description and picture may be empty.
fn news(branch: &Object) -> Result<Option<String>, i64> {
    let articles = branch.get("articles").ok_or(EMPTY_NEWS)?;
    let [article] = articles.as_array().ok_or(NO_JSON_OF_OURS)?.as_slice() else {
        return Err(ARTICLE_COUNT);
    };
    let article = article.as_object().ok_or(NO_JSON_OF_OURS)?;
    must(article, "url", EMPTY_NEWS)?;
    for name in ["description", "picurl"] {
        may(article, name)?.ok_or(EMPTY_NEWS)?;
    }
    Ok(Some(must(article, "title", EMPTY_NEWS)?.to_owned()))
}

fn published_article(branch: &Object) -> Result<Option<String>, i64> {
    must(branch, "article_id", INVALID_ARTICLE)?;
    Ok(None)
}

/// The user reads head, items and tail below each other.
fn menu(branch: &Object) -> Result<Option<String>, i64> {
    let items = branch.get("list").ok_or(MENU_LIST_SIZE)?;
    let items = items.as_array().ok_or(NO_JSON_OF_OURS)?;
    if !(1..=MAX_MENU_ITEMS).contains(&items.len()) {
        return Err(MENU_LIST_SIZE);
    }
    let mut lines: Vec<&str> = Vec::new();
    lines.extend(may(branch, "head_content")?);
    for item in items {
        let item = item.as_object().ok_or(NO_JSON_OF_OURS)?;
        must(item, "id", MENU_ITEM_SIZE)?;
        let content = must(item, "content", MENU_ITEM_SIZE)?;
        if content.len() > MAX_MENU_ITEM_BYTES {
            return Err(MENU_ITEM_SIZE);
        }
        lines.push(content);
    }
    lines.extend(may(branch, "tail_content")?);
    Ok(Some(lines.join("\n")))
}

fn card(branch: &Object) -> Result<Option<String>, i64> {
    must(branch, "card_id", EMPTY_CONTENT)?;
    Ok(None)
}

fn mini_program_page(branch: &Object) -> Result<Option<String>, i64> {
    must(branch, "appid", INVALID_MINI_PROGRAM)?;
    must(branch, "pagepath", INVALID_PAGE_PATH)?;
    must(branch, "thumb_media_id", INVALID_MEDIA_ID)?;
    Ok(Some(must(branch, "title", EMPTY_CONTENT)?.to_owned()))
}
