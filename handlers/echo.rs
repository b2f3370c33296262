//! Everything else is said back.

use wxhook::{Content, without_links};

pub(crate) async fn echo(Content(text): Content) -> String {
    // What a user writes must not become a link in what the account says.
    format!("您说：{}", without_links(&text))
}
