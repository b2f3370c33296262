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
    /// Made once, when the server starts.
    pub(crate) fn open() -> Self {
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
