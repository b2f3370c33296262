//! A purchase in two questions: what was asked is remembered until the user answers.

use serde::{Deserialize, Serialize};
use wxhook::{Content, Conversation, Error};

/// What the user is asked, and what was answered before.
#[derive(Serialize, Deserialize)]
pub(crate) enum Purchase {
    AskedSize,
    Confirm { size: String },
}

const SIZES: [&str; 3] = ["S", "M", "L"];

pub(crate) async fn begin(purchase: Conversation<Purchase>) -> Result<&'static str, Error> {
    purchase.set(Purchase::AskedSize)?;
    Ok("请回复尺码：S、M 或 L。回复“取消”可随时放弃。")
}

pub(crate) async fn size(
    Content(text): Content,
    purchase: Conversation<Purchase>,
) -> Result<String, Error> {
    let size = text.trim().to_uppercase();
    if !SIZES.contains(&size.as_str()) {
        return Ok("没有这个尺码，请回复 S、M 或 L。".to_owned());
    }
    let question = format!("{size} 码，确认请回复“是”。");
    purchase.set(Purchase::Confirm { size })?;
    Ok(question)
}

pub(crate) async fn confirm(Content(text): Content, purchase: Conversation<Purchase>) -> String {
    match purchase.get() {
        Some(Purchase::Confirm { size }) if text.trim() == "是" => {
            purchase.clear();
            format!("已下单：{size} 码。")
        }
        _ => "确认请回复“是”，放弃请回复“取消”。".to_owned(),
    }
}

pub(crate) async fn cancel(purchase: Conversation<Purchase>) -> &'static str {
    purchase.clear();
    "已取消。"
}
