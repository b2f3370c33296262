//! Someone follows the account.

use wxhook::Subscribe;

pub(crate) async fn welcome(follow: Subscribe) -> String {
    match follow.scene() {
        Some(scene) => format!("欢迎！您扫描的是 {scene}。发送“帮助”看看我能做什么。"),
        None => "欢迎！发送“帮助”看看我能做什么。".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::bot::Bot;
    use crate::routes;

    #[test]
    fn who_scans_a_code_is_told_which() {
        let mut bot = routes().test_with(Bot::sample());
        bot.follow("oAlice")
            .says("欢迎！发送“帮助”看看我能做什么。");
        bot.follow_by_scan("oBob", "shop-7")
            .says("欢迎！您扫描的是 shop-7。发送“帮助”看看我能做什么。");
    }
}
