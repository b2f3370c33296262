//! Everything else is said back.

use wxhook::Content;

pub(crate) async fn echo(Content(text): Content) -> String {
    format!("您说：{text}")
}
