//! What the tea house says.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use wxhook::{Content, Error, State, Subscribe};

/// The tea house: what there is, and how often it was asked for. Cheap to clone, as a state should be.
#[derive(Clone, Default)]
pub(crate) struct House {
    /// Tea and its price in yuan; 0 is what has just run out.
    prices: Arc<BTreeMap<&'static str, u32>>,
    questions: Arc<Mutex<u32>>,
}

impl House {
    /// Made once, when the server starts.
    pub(crate) fn open() -> Result<Self, Infallible> {
        let prices = BTreeMap::from([("龙井", 38), ("普洱", 26), ("大红袍", 0)]);
        Ok(Self {
            prices: Arc::new(prices),
            ..Self::default()
        })
    }
}

pub(crate) async fn welcome(_: Subscribe) -> &'static str {
    "欢迎光临！发送“茶单”看看今天有什么。"
}

pub(crate) async fn list(State(house): State<House>) -> String {
    let names: Vec<_> = house.prices.keys().copied().collect();
    names.join("、")
}

/// A failure is tried again, unless it says that this is useless.
pub(crate) async fn price(
    Content(tea): Content,
    State(house): State<House>,
) -> Result<String, Error> {
    if let Ok(mut questions) = house.questions.lock() {
        *questions += 1;
    }
    match house.prices.get(tea.trim()) {
        Some(0) => Err(Error::new("the kitchen has not answered yet")),
        Some(yuan) => Ok(format!("{}：{yuan} 元。", tea.trim())),
        None => Err(Error::new("there is no such tea").give_up()),
    }
}

#[cfg(test)]
mod tests {
    use wxhook::testing::TestBot;

    use super::House;
    use crate::routes;

    fn bot() -> TestBot {
        let Ok(house) = House::open();
        routes().test_with(house)
    }

    #[test]
    fn a_new_follower_learns_what_to_write() {
        bot()
            .follow("oAlice")
            .says("欢迎光临！发送“茶单”看看今天有什么。")
            .text("oAlice", "茶单")
            .says("大红袍、普洱、龙井");
    }

    #[test]
    fn a_price_is_told_and_what_there_is_not_is_given_up() {
        let mut bot = bot();
        bot.text("oAlice", " 龙井 ").says("龙井：38 元。");
        bot.text("oAlice", "咖啡").fails("there is no such tea");
        bot.says_nothing();
    }

    #[test]
    fn what_failed_is_asked_again_four_times_and_then_given_up() {
        let Ok(house) = House::open();
        let mut bot = routes().test_with(house.clone());
        bot.text("oAlice", "大红袍").says_nothing();
        bot.next_try().next_try().next_try();
        bot.fails("the kitchen has not answered yet");
        assert_eq!(bot.attempts().len(), 4);
        assert_eq!(*house.questions.lock().unwrap(), 4);
    }

    #[test]
    fn a_repeat_of_wechats_is_not_a_second_question() {
        let Ok(house) = House::open();
        let mut bot = routes().test_with(house.clone());
        bot.text("oAlice", "普洱").says("普洱：26 元。");
        bot.again().says_nothing();
        assert_eq!(*house.questions.lock().unwrap(), 1);
    }
}
