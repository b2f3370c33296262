//! Orders: a slow look-up with captures, a menu key, and state that handlers share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use wxhook::{Captures, Context, FromPush, Rejection, Text};

use crate::bot::Bot;

/// What `(?<number>\d+)` caught.
#[derive(Deserialize)]
pub(crate) struct Query {
    number: u64,
}

/// The shop's order book. A real one would hold a connection pool.
#[derive(Clone)]
pub(crate) struct Shop {
    orders: Arc<BTreeMap<u64, &'static str>>,
}

/// The warehouse's old system takes its time: longer than WeChat waits for an answer.
const WAREHOUSE_TAKES: Duration = Duration::from_secs(8);

impl Shop {
    /// A shop with a few orders.
    pub(crate) fn sample() -> Self {
        let orders = BTreeMap::from([(1001, "已发货，明天送达"), (1002, "正在打包")]);
        Self {
            orders: Arc::new(orders),
        }
    }

    async fn find(&self, number: u64) -> Option<&'static str> {
        tokio::time::sleep(WAREHOUSE_TAKES).await;
        self.orders.get(&number).copied()
    }
}

/// Handlers of orders take the shop alone, not everything that the bot has.
impl FromPush<Bot> for Shop {
    fn from_push(_context: &Context, bot: &Bot) -> Result<Self, Rejection> {
        Ok(bot.shop.clone())
    }
}

pub(crate) async fn track(Captures(query): Captures<Query>, shop: Shop) -> Text {
    let number = query.number;
    match shop.find(number).await {
        Some(status) => Text::new(format!("订单 {number}：{status}。")),
        None => Text::new(format!("没有找到订单 {number}。")),
    }
}

pub(crate) async fn newest(shop: Shop) -> String {
    match shop.orders.last_key_value() {
        Some((number, status)) => format!("您最近的订单 {number}：{status}。"),
        None => "您还没有订单。".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wxhook::testing::Fate;

    use crate::bot::Bot;
    use crate::routes;

    #[test]
    fn an_order_is_found_however_its_number_is_written() {
        let mut bot = routes().test_with(Bot::sample());
        for text in ["查1001", "查 1001", "查　1001"] {
            bot.text("oAlice", text)
                .says("订单 1001：已发货，明天送达。");
        }
        bot.text("oAlice", "查 7").says("没有找到订单 7。");
    }

    #[test]
    fn the_warehouse_takes_its_time_and_the_answer_comes_all_the_same() {
        let mut bot = routes().test_with(Bot::sample());
        let asked_at = bot.now();
        bot.text("oAlice", "查 1002").says("订单 1002：正在打包。");
        // The test has not waited: its time is not the real one.
        assert!(bot.now().since(asked_at) >= Duration::from_secs(8));
    }

    #[test]
    fn the_menu_shows_the_newest_order() {
        let mut bot = routes().test_with(Bot::sample());
        bot.click("oAlice", "ORDER")
            .says("您最近的订单 1002：正在打包。");
    }

    #[test]
    fn an_answer_that_the_platform_refuses_is_not_tried_again() {
        let mut bot = routes().test_with(Bot::sample());
        bot.platform_says(45015).click("oAlice", "ORDER");
        let said = bot.replies();
        assert!(matches!(
            said[0].fate,
            Fate::Refused {
                code: Some(45015),
                ..
            }
        ));
    }
}
