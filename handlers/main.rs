//! The program: your routes, and one line that hands them to wxhook. Add a file for each feature.

mod assistant;
mod bot;
mod echo;
mod help;
mod order;
mod purchase;
mod welcome;

use crate::bot::Bot;
use crate::purchase::Purchase;
use wxhook::{Router, Subscribe, pattern, step};

fn routes() -> Router<Bot> {
    Router::new()
        .on::<Subscribe, _>(welcome::welcome)
        .text("帮助", help::help)
        .text(pattern(r"^查\s*(?<number>\d+)$"), order::track)
        .click("ORDER", order::newest)
        .text("购买", purchase::begin)
        .step(step!(Purchase::AskedSize).except(["取消"]), purchase::size)
        .step(
            step!(Purchase::Confirm { .. }).except(["取消"]),
            purchase::confirm,
        )
        .text("取消", purchase::cancel)
        .fallback(assistant::answer)
}

fn main() -> std::process::ExitCode {
    wxhook::main(routes, Bot::open)
}
