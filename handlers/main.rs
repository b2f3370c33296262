//! The program: your routes, and one line that hands them to wxhook. Add a file for each feature.

mod echo;
mod help;
mod order;
mod welcome;

use wxhook::{Router, Subscribe, pattern};

fn routes() -> Router<order::Shop> {
    Router::new()
        .on::<Subscribe, _>(welcome::welcome)
        .text("帮助", help::help)
        .text(pattern(r"^查\s*(?<number>\d+)$"), order::track)
        .click("ORDER", order::newest)
        .fallback(echo::echo)
}

fn main() -> std::process::ExitCode {
    wxhook::main(routes, order::Shop::open)
}
