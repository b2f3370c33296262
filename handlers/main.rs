//! The program: your routes, and one line that hands them to wxhook. Add a file for each feature.

mod assistant;
mod bot;
mod echo;
mod help;
mod order;
mod purchase;
mod welcome;

use crate::bot::Bot;
use wxhook::{Router, Subscribe, pattern};

/// Words that work in the middle of every conversation: its steps let them pass.
const ALWAYS: [&str; 3] = ["帮助", "购买", "取消"];

fn routes() -> Router<Bot> {
    Router::new()
        .on::<Subscribe, _>(welcome::welcome)
        .text("帮助", help::help)
        .text(pattern(r"^查\s*(?<number>\d+)$"), order::track)
        .click("ORDER", order::newest)
        .merge(purchase::routes())
        .fallback(assistant::answer)
}

fn main() -> std::process::ExitCode {
    wxhook::main(routes, Bot::open)
}
