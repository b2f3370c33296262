//! A purchase in two questions: what was asked is remembered until the user answers.

use serde::{Deserialize, Serialize};
use wxhook::{Content, Conversation, Error, Router, step};

use crate::ALWAYS;
use crate::bot::Bot;

/// What the user is asked, and what was answered before.
#[derive(Serialize, Deserialize)]
enum Purchase {
    AskedSize,
    Confirm { size: String },
}

const SIZES: [&str; 3] = ["S", "M", "L"];

/// The routes of this feature: `main.rs` merges them into the bot's.
pub(crate) fn routes() -> Router<Bot> {
    Router::new()
        .text("购买", begin)
        .step(step!(Purchase::AskedSize).except(ALWAYS), size)
        .step(step!(Purchase::Confirm { .. }).except(ALWAYS), confirm)
        .text("取消", cancel)
}

async fn begin(purchase: Conversation<Purchase>) -> Result<&'static str, Error> {
    purchase.set(Purchase::AskedSize)?;
    Ok("请回复尺码：S、M 或 L。回复“取消”可随时放弃。")
}

async fn size(Content(text): Content, purchase: Conversation<Purchase>) -> Result<String, Error> {
    let size = text.trim().to_uppercase();
    if !SIZES.contains(&size.as_str()) {
        return Ok("没有这个尺码，请回复 S、M 或 L。".to_owned());
    }
    let question = format!("{size} 码，确认请回复“是”。");
    purchase.set(Purchase::Confirm { size })?;
    Ok(question)
}

async fn confirm(Content(text): Content, purchase: Conversation<Purchase>) -> String {
    match purchase.get() {
        Some(Purchase::Confirm { size }) if text.trim() == "是" => {
            purchase.clear();
            format!("已下单：{size} 码。")
        }
        _ => "确认请回复“是”，放弃请回复“取消”。".to_owned(),
    }
}

async fn cancel(purchase: Conversation<Purchase>) -> &'static str {
    purchase.clear();
    "已取消。"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Purchase;
    use crate::bot::Bot;
    use crate::routes;

    const ASKED: &str = "请回复尺码：S、M 或 L。回复“取消”可随时放弃。";

    #[test]
    fn a_purchase_is_made_in_two_questions() {
        let mut bot = routes().test_with(Bot::sample());
        bot.text("oAlice", "购买").says(ASKED);
        bot.text("oAlice", "xl")
            .says("没有这个尺码，请回复 S、M 或 L。");
        bot.text("oAlice", "l").says("L 码，确认请回复“是”。");
        let Some(Purchase::Confirm { size }) = bot.conversation("oAlice") else {
            panic!("the size is not remembered");
        };
        assert_eq!(size, "L");
        // Somebody else's words are no answer to what Alice was asked.
        bot.text("oBob", "是").says("您说：是");
        bot.text("oAlice", "是").says("已下单：L 码。");
        assert!(bot.conversation::<Purchase>("oAlice").is_none());
    }

    #[test]
    fn a_purchase_can_be_given_up_at_any_question() {
        let mut bot = routes().test_with(Bot::sample());
        bot.text("oAlice", "购买").says(ASKED);
        bot.text("oAlice", "取消").says("已取消。");
        bot.text("oAlice", "M").says("您说：M");
    }

    #[test]
    fn a_question_that_nobody_answers_is_forgotten_after_half_an_hour() {
        let mut bot = routes().test_with(Bot::sample());
        bot.text("oAlice", "购买").says(ASKED);
        bot.pass(Duration::from_secs(31 * 60));
        bot.text("oAlice", "M").says("您说：M");
    }
}
