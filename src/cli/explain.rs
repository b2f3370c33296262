//! `wxhook explain`: which handler or rule a push goes to, and why. Runs nothing; of files it reads only
//! the configuration, the rules and the templates.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::bundle;
use super::decode::{read_body, text_message};
use super::output::{Failure, line};
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::config::Config;
use crate::dispatch::{AccountFacts, Explanation, Facts, Router, Rule};
use crate::protocol::push::Push;

/// Say which handler a push goes to.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A text message instead of an inner document on standard input
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// The configured account that receives it; else the only one, if there is only one
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// When it is handled, such as 2026-10-01T09:30:00+08:00; else now
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// Print JSON: the winner and the others, with their places and reasons
    #[arg(long)]
    json: bool,
}

pub(super) fn run<S>(
    args: &ExplainArgs,
    config: Option<&Path>,
    routes: fn() -> Router<S>,
) -> Result<ExitCode, Failure> {
    let config = super::load_for_reading(config)?;
    let (account, facts) = circumstances(args, &config)?;
    let body = match &args.text {
        Some(text) => text_message(text),
        None => read_body()?,
    };
    let push = Push::parse(&account.app_id, &body)
        .map_err(|malformed| Failure::failed(format!("the push cannot be read: {malformed}")))?;
    let code = routes().explain(&push, &facts).map_err(Failure::wrong)?;
    let bundle = bundle::read(&config, false)?;
    let found = bundle.rules().find(&push, &account, facts.now);
    let rule = found.map(|found| Fitting::new(found.rule, &code));
    let explained = Explained { code, rule };
    match args.json {
        true => line(serde_json::to_string(&explained).map_err(Failure::failed)?)?,
        false => line(&explained)?,
    }
    Ok(match explained.is_taken() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// What the routes in code and the rules say.
#[derive(Debug, Serialize)]
struct Explained {
    #[serde(flatten)]
    code: Explanation,
    /// The rule that fits, if one does.
    rule: Option<Fitting>,
}

/// A rule that fits.
#[derive(Debug, Serialize)]
struct Fitting {
    name: String,
    /// Its line in the file of rules.
    line: usize,
    wins: bool,
    why: &'static str,
}

impl Fitting {
    fn new(rule: &Rule, code: &Explanation) -> Self {
        let winner = code.winner.as_ref().map(|winner| winner.specificity);
        let (wins, why) = match winner {
            None => (true, "it wins: no route in code takes it"),
            Some(winner) if winner.takes_any_kind() => (
                true,
                "it wins: rules come before `unknown` and `fallback`, after all other routes",
            ),
            Some(_) => (false, "code comes before rules"),
        };
        Self {
            name: rule.name().to_owned(),
            line: rule.line(),
            wins,
            why,
        }
    }
}

impl Explained {
    fn is_taken(&self) -> bool {
        self.code.winner.is_some() || self.rule.is_some()
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Fitting {
            name,
            line,
            wins,
            why,
        }) = &self.rule
        else {
            return self.code.fmt(f);
        };
        match wins {
            true => write!(
                f,
                "rule {name:?}, line {line}: {why}\nwithout it:\n{}",
                self.code
            ),
            false => write!(f, "{}\nrule {name:?}, line {line}: {why}", self.code),
        }
    }
}

/// Whose push it is, and what else routes go by.
fn circumstances(args: &ExplainArgs, config: &Config) -> Result<(AccountFacts, Facts), Failure> {
    let now = match args.at {
        Some(at) => Timestamp::from_milliseconds(at.as_millisecond()),
        None => SystemClock::start().now(),
    };
    let account = bundle::named_account(config, args.account.as_deref())?;
    let facts = Facts::new(account.app_id.clone(), now).named(account.name.as_str());
    Ok((account, facts))
}
