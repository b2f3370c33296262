//! Someone follows the account.

use wxhook::Subscribe;

pub(crate) async fn welcome(follow: Subscribe) -> String {
    match follow.scene() {
        Some(scene) => format!("欢迎！您扫描的是 {scene}。发送“帮助”看看我能做什么。"),
        None => "欢迎！发送“帮助”看看我能做什么。".to_owned(),
    }
}
