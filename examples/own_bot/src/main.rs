//! A tea house: the program. Routes, a state, and one line that is the whole command line.

mod tea;

use wxhook::{Router, Subscribe};

fn routes() -> Router<tea::House> {
    Router::new()
        .on::<Subscribe, _>(tea::welcome)
        .text("茶单", tea::list)
        .fallback(tea::price)
}

fn main() -> std::process::ExitCode {
    wxhook::main(routes, tea::House::open)
}
