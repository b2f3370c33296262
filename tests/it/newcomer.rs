//! A price list and an order in two questions, as somebody wrote them who had only the guide at hand.
//!
//! It compiled and was green at the first run; it stays, so that it will.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wxhook::testing::TestBot;
use wxhook::{Content, Conversation, Error, Router, step};

/// What the user is asked, and what was answered before.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shirt {
    AskedSize,
    Confirm { size: String },
}

const SHIRTS: [(&str, u32); 3] = [("纯棉短袖", 59), ("亚麻衬衫", 129), ("牛津纺衬衫", 159)];
const SIZES: [&str; 3] = ["S", "M", "L"];
const ASK_SIZE: &str = "要什么尺码？请回复 S、M 或 L。";

/// Words that work in the middle of an order, too.
const ALWAYS: [&str; 3] = ["价格", "取消", "帮助"];

/// A question that nobody answers for so long is forgotten, with what was answered before.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

fn routes() -> Router<()> {
    Router::new()
        .text("价格", list)
        .step(step!(Shirt::AskedSize).except(ALWAYS), size)
        .step(step!(Shirt::Confirm { .. }).except(ALWAYS), confirm)
}

async fn list(shirt: Conversation<Shirt>) -> Result<(String, &'static str), Error> {
    shirt.set_for(Shirt::AskedSize, REMEMBERED)?;
    let prices = SHIRTS.map(|(name, yuan)| format!("{name}：{yuan} 元"));
    Ok((prices.join("\n"), ASK_SIZE))
}

async fn size(Content(text): Content, shirt: Conversation<Shirt>) -> Result<String, Error> {
    let size = text.trim().to_uppercase();
    if !SIZES.contains(&size.as_str()) {
        return Ok(format!("没有这个尺码。{ASK_SIZE}"));
    }
    let question = format!("{size} 码，确认下单吗？请回复“是”或“否”。");
    shirt.set_for(Shirt::Confirm { size }, REMEMBERED)?;
    Ok(question)
}

async fn confirm(Content(text): Content, shirt: Conversation<Shirt>) -> String {
    match (text.trim(), shirt.get()) {
        ("是", Some(Shirt::Confirm { size })) => {
            shirt.clear();
            format!("已下单：{size}")
        }
        ("否", _) => {
            shirt.clear();
            "好的，没有下单。".to_owned()
        }
        _ => "请回复“是”或“否”。".to_owned(),
    }
}

async fn cancel(shirt: Conversation<Shirt>) -> &'static str {
    shirt.clear();
    "已取消。"
}

/// The bot into which it was merged.
fn bot() -> Router<()> {
    Router::new()
        .merge(routes())
        .text("取消", cancel)
        .fallback(async |Content(text): Content| format!("您说：{text}"))
}

const LIST: &str = "纯棉短袖：59 元\n亚麻衬衫：129 元\n牛津纺衬衫：159 元";
const CONFIRM_M: &str = "M 码，确认下单吗？请回复“是”或“否”。";

/// Alice has seen the prices and is asked for her size.
fn asked() -> TestBot {
    let mut bot = bot().test();
    bot.text("oAlice", "价格").says(LIST).says(ASK_SIZE);
    bot
}

#[test]
fn a_shirt_is_ordered_in_the_size_that_was_said() {
    let mut bot = asked();
    assert_eq!(bot.conversation("oAlice"), Some(Shirt::AskedSize));
    bot.text("oAlice", " m ").says(CONFIRM_M);
    let size = "M".to_owned();
    assert_eq!(bot.conversation("oAlice"), Some(Shirt::Confirm { size }));
    // Somebody else was asked nothing.
    bot.text("oBob", "是").says("您说：是");
    bot.text("oAlice", "是").says("已下单：M");
    assert_eq!(bot.conversation::<Shirt>("oAlice"), None);
    bot.text("oAlice", "是").says("您说：是");
}

#[test]
fn a_wrong_size_is_asked_again() {
    let mut bot = asked();
    for wrong in ["XL", "是", "一件 M"] {
        bot.text("oAlice", wrong)
            .says("没有这个尺码。要什么尺码？请回复 S、M 或 L。");
    }
    bot.text("oAlice", "M").says(CONFIRM_M);
}

#[test]
fn no_forgets_and_anything_else_is_asked_again() {
    let mut bot = asked();
    bot.text("oAlice", "M").says(CONFIRM_M);
    bot.text("oAlice", "也许").says("请回复“是”或“否”。");
    bot.text("oAlice", "否").says("好的，没有下单。");
    assert_eq!(bot.conversation::<Shirt>("oAlice"), None);
    bot.text("oAlice", "是").says("您说：是");
}

#[test]
fn the_size_question_is_forgotten_after_ten_minutes() {
    let mut bot = asked();
    bot.pass(Duration::from_secs(10 * 60 - 1));
    assert_eq!(bot.conversation("oAlice"), Some(Shirt::AskedSize));
    bot.pass(Duration::from_secs(2));
    assert_eq!(bot.conversation::<Shirt>("oAlice"), None);
    bot.text("oAlice", "M").says("您说：M");
}

#[test]
fn the_size_is_forgotten_after_ten_minutes() {
    let mut bot = asked();
    bot.text("oAlice", "M").says(CONFIRM_M);
    bot.pass(Duration::from_secs(10 * 60 + 1));
    bot.text("oAlice", "是").says("您说：是");
}

#[test]
fn the_words_of_the_account_work_in_the_middle_of_an_order() {
    let mut bot = asked();
    bot.text("oAlice", "M").says(CONFIRM_M);
    bot.text("oAlice", "价格").says(LIST).says(ASK_SIZE);
    assert_eq!(bot.conversation("oAlice"), Some(Shirt::AskedSize));
    bot.text("oAlice", "取消").says("已取消。");
    bot.text("oAlice", "M").says("您说：M");
}
