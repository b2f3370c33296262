//! What the account can do.

pub(crate) async fn help() -> &'static str {
    "发送“查 1001”查询订单；发送“购买”下单；点击菜单“我的订单”看最近的一单；其他内容我会原样回复。"
}

#[cfg(test)]
mod tests {
    use crate::bot::Bot;
    use crate::routes;

    #[test]
    fn help_names_what_can_be_done() {
        let mut bot = routes().test_with(Bot::sample());
        let said = bot.text("oAlice", "帮助").texts();
        assert!(said[0].contains("查 1001"), "{said:?}");
    }
}
