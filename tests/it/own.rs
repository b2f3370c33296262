//! Servers with routes that the shipped program does not have: this test binary, run as a process of its own.

use std::process::Command;

use wxhook::app::{Exit, Server, logging};
use wxhook::config::{self, Needs, Sources};
use wxhook::{Content, Router, Routes};

use crate::fairness::bad;
use crate::support::Program;
use crate::typing::slow;

/// Names the routes that a child serves.
const ROUTES: &str = "OWN_ROUTES";

/// Which routes a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// Echoes every text, rather twice than never.
    AtLeastOnce,
    /// Bad handlers beside one that tells how long its push has waited.
    Bad,
    /// Handlers that take a while over their answers.
    Slow,
}

const ALL: [Own; 3] = [Own::AtLeastOnce, Own::Bad, Own::Slow];

impl Own {
    /// Starts a server with these routes and nothing but these variables.
    pub(crate) fn start(self, environment: &[(&str, &str)]) -> Program {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "own::a_server_with_routes_of_its_own"])
            .args(["--ignored", "--nocapture"])
            .env_clear()
            .envs(environment.iter().copied())
            .env(ROUTES, format!("{self:?}"));
        Program::spawn(&mut command)
    }

    fn routes(self) -> Routes {
        match self {
            Self::AtLeastOnce => Router::<()>::new().fallback(echo).at_least_once(),
            Self::Bad => bad::routes(),
            Self::Slow => slow::routes(),
        }
        .with_state(())
        .unwrap()
    }
}

/// As the shipped program says it.
async fn echo(Content(text): Content) -> String {
    format!("您说：{text}")
}

/// A whole server, from its variables to its orderly end.
#[test]
#[ignore = "the process that other tests start"]
fn a_server_with_routes_of_its_own() {
    let sources = Sources::gather(None).unwrap();
    let name = sources.environment.get(ROUTES).unwrap();
    let own = ALL.into_iter().find(|own| format!("{own:?}") == *name);
    let config = config::load(&sources, Needs::Accounts).unwrap();
    println!();
    logging::start(&config.log_filter, config.log_format).unwrap();
    let server = Server::start(config, own.unwrap().routes()).unwrap();
    assert_eq!(server.run().unwrap(), Exit::Clean);
}
