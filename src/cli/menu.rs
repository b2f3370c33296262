//! `wxhook menu pull|plan|apply`: custom menus (自定义菜单) as a file.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::door::{AccountArgs, Door};
use super::output::{Failure, line};
use crate::api::{RawCall, Refusal};
use crate::menu::{Call, Current, Menu, Origin, Plan, plan};
use crate::platform::error::ErrorCode;
use crate::transport::Method;

/// Bytes of the longest menu file: every menu that the platform takes fits many times.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// `menu/get` of an account that has no menu made by the API.
const NO_MENU: ErrorCode = ErrorCode(46003);

/// Keep the account's custom menu (自定义菜单) as a file.
///
/// The file is TOML in WeChat's own words; docs/menus.md has all of it. Calls go through the running
/// server, or by the configured account where none runs.
#[derive(Debug, Subcommand)]
pub(super) enum MenuCommand {
    /// Write the account's menu to a file; also one made in the console, which vanishes once a server URL is switched on
    Pull(PullArgs),
    /// Show how the account differs from the file, and the calls that `apply` would make; exit 1 if it differs
    Plan(PlanArgs),
    /// Make the account as the file says: shows the plan, asks, and makes its calls
    Apply(ApplyArgs),
}

/// Where to.
#[derive(Debug, Args)]
pub(super) struct PullArgs {
    /// The file; - prints it
    #[arg(default_value = "menu.toml")]
    file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    account: AccountArgs,
}

/// Which file.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The file; - reads standard input
    #[arg(default_value = "menu.toml")]
    file: PathBuf,
    /// One JSON object: {"drift","differences","calls","notes"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

/// Which file, and whether to ask.
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(command: &MenuCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    match command {
        MenuCommand::Pull(args) => pull(args, config),
        MenuCommand::Plan(args) => {
            let (_, planned) = planned(args, config)?;
            show(&planned, args.json)?;
            Ok(match planned.is_empty() {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(1),
            })
        }
        MenuCommand::Apply(args) => apply(args, config),
    }
}

/// The file is read and checked before anybody is called.
fn planned(args: &PlanArgs, config: Option<&Path>) -> Result<(Door, Plan), Failure> {
    let name = args.file.display();
    let text = read(&args.file).map_err(|error| Failure::wrong(format!("{name}: {error}")))?;
    let wanted = Menu::parse(&text).map_err(|faults| {
        let told: Vec<String> = faults
            .0
            .iter()
            .map(|fault| format!("{name}: {fault}"))
            .collect();
        Failure::wrong(told.join("\n"))
    })?;
    let door = Door::open(config, &args.account)?;
    let planned = plan(&wanted, &current(&door)?);
    Ok((door, planned))
}

fn read(file: &Path) -> io::Result<String> {
    let from: Box<dyn io::Read> = match file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(fs::File::open(file)?),
    };
    let mut text = String::new();
    from.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("has more than 1 MiB: that is no menu"));
    }
    Ok(text)
}

/// What the account has.
fn current(door: &Door) -> Result<Current, Failure> {
    match door.get("/cgi-bin/menu/get") {
        Ok(answer) => Current::from_menu_get(&answer).map_err(Failure::failed),
        Err(refusal) if refusal.code() == Some(NO_MENU) => {
            let answer = door.get("/cgi-bin/get_current_selfmenu_info")?;
            Current::from_selfmenu(&answer).map_err(Failure::failed)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

fn show(planned: &Plan, as_json: bool) -> Result<(), Failure> {
    match as_json {
        true => line(planned.to_json()),
        false => line(planned),
    }
}

fn apply(args: &ApplyArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let json = args.plan.json;
    if !args.yes && (json || !io::stdin().is_terminal() || args.plan.file.to_str() == Some("-")) {
        return Err(Failure::wrong(
            "nobody can be asked here: look at `wxhook menu plan`, then add --yes",
        ));
    }
    let (door, planned) = planned(&args.plan, config)?;
    show(&planned, json)?;
    if planned.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !agreed()? {
        return Err(Failure::failed("nothing was called"));
    }
    for (index, call) in planned.calls.iter().enumerate() {
        let outcome = door.call(raw(call));
        if json {
            let refusal = outcome.as_ref().err();
            line(json!({ "call": index + 1, "done": outcome.is_ok(), "refusal": refusal }))?;
        }
        outcome.map_err(|refusal| broken_off(&planned, index, &refusal))?;
        if !json {
            line(format_args!("done {}: {call}", index + 1))?;
        }
    }
    if !json {
        line(
            "the menu is as the file says; users see it within 5 minutes, or when they follow anew",
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn raw(call: &Call) -> RawCall {
    let method = match call.method() {
        "GET" => Method::Get,
        _ => Method::Post,
    };
    RawCall {
        method,
        body: call.body(),
        ..RawCall::get(call.path())
    }
}

fn broken_off(planned: &Plan, index: usize, refusal: &Refusal) -> Failure {
    let left = planned.calls.len() - index - 1;
    let executed = if refusal.surely_not_executed {
        ""
    } else {
        " It may have been executed."
    };
    Failure::failed(format!(
        "call {}: {refusal}.{executed}\n{left} further calls were not made; `wxhook menu plan` shows what is left",
        index + 1
    ))
}

fn agreed() -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    write!(out, "make these calls? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn pull(args: &PullArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let name = args.file.display();
    let is_printed = args.file.to_str() == Some("-");
    // Looked at before the call, and made sure of when it is written.
    if !is_printed && !args.force && args.file.exists() {
        return Err(Failure::wrong(format!(
            "{name} is there already; add --force to write over it"
        )));
    }
    let door = Door::open(config, &args.account)?;
    let current = current(&door)?;
    if current.origin == Origin::Nowhere {
        return Err(Failure::failed(
            "the account has no menu; write a file and `wxhook menu apply` it",
        ));
    }
    let (menu, mut notes) = kept(&current);
    if current.origin == Origin::Console {
        notes.insert(0, "this menu was made in the console: it vanishes as soon as a server URL is switched on there, and `wxhook menu apply` brings it back".to_owned());
    }
    let comments: String = notes
        .iter()
        .map(|note| format!("# {}\n", note.replace(char::is_control, " ")))
        .collect();
    let text = format!("{comments}{}", menu.to_file());
    if is_printed {
        line(text.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    write(&args.file, &text, args.force)
        .map_err(|error| Failure::failed(format!("{name}: {error}")))?;
    for note in &notes {
        line(format_args!("note: {note}"))?;
    }
    line(format_args!(
        "{name}: {} buttons, {} conditional menus",
        menu.button.len(),
        menu.conditionalmenu.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// What a file keeps of the account's menus, and what it does not.
fn kept(current: &Current) -> (Menu, Vec<String>) {
    let mut notes = current.notes.clone();
    let conditional = |found: &crate::menu::Found| {
        let is_kept = found.foreign.is_empty() || found.menu.matchrule.has_a_member();
        if !is_kept {
            notes.push(format!(
                "conditional menu {}: left out, for nothing of its rule is in use any more",
                found.menuid
            ));
        }
        is_kept.then(|| found.menu.clone())
    };
    let conditionalmenu = current
        .conditionalmenu
        .iter()
        .filter_map(conditional)
        .collect();
    let menu = Menu {
        button: current.button.clone(),
        conditionalmenu,
    };
    if let Err(faults) = Menu::parse(&menu.to_file()) {
        let told = faults.0.iter().map(|fault| {
            let (place, problem) = (&fault.place, &fault.problem);
            format!("{place} must be mended before the file can be applied: {problem}")
        });
        notes.extend(told);
    }
    (menu, notes)
}

fn write(file: &Path, text: &str, force: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(!force);
    if force {
        options.create(true).truncate(true);
    }
    options.open(file)?.write_all(text.as_bytes())
}
