//! Everything else is said back.

use wxhook::{Content, without_links};

pub(crate) async fn echo(Content(text): Content) -> String {
    // What a user writes must not become a link in what the account says.
    format!("您说：{}", without_links(&text))
}

#[cfg(test)]
mod tests {
    use crate::bot::Bot;
    use crate::routes;

    #[test]
    fn a_text_is_said_back_without_links_and_a_picture_is_not() {
        let mut bot = routes().test_with(Bot::sample());
        bot.text("oAlice", "你好").says("您说：你好");
        bot.text("oAlice", r#"<a href="https://bad.example">看</a>"#);
        let said = bot.texts();
        assert!(!said[0].contains("<a "), "{said:?}");
        bot.image("oAlice", "MEDIA_ID").says_nothing();
    }
}
