//! `wxhook qr`: a QR code that tells from which of them a user came (带参数的二维码).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, value_parser};
use serde_json::json;

use super::door::{AccountArgs, Door};
use super::media::Target;
use super::output::{Failure, line};
use crate::api::endpoint::Endpoint as _;
use crate::api::qr::{CreateQr, MAX_EXPIRE_SECONDS, QrCode, Scene};
use crate::api::{Fetch, RawCall};

const SECONDS_OF_A_DAY: u32 = 24 * 60 * 60;

/// Make a QR code that tells from which of them a user came (带参数的二维码).
///
/// Who scans it comes with the event `SCAN`, or `subscribe` if they did not follow yet; the scene is in
/// it. The same permanent scene has the same code, and an account has 100,000 of them.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["scene", "scene_id"]))]
#[command(group = clap::ArgGroup::new("life").required(true).args(["days", "permanent"]))]
pub(super) struct QrArgs {
    /// Write the picture, a JPEG, to this file; - prints it
    file: Option<PathBuf>,
    /// What the code tells (scene_str): 1 to 64 characters
    #[arg(long, value_name = "TEXT")]
    scene: Option<String>,
    /// What the code tells, as a number (scene_id): at most 100000 if it is permanent
    #[arg(long, value_name = "NUMBER")]
    scene_id: Option<u32>,
    /// It lives for so many days: 1 to 30
    #[arg(long, value_parser = value_parser!(u32).range(1..=i64::from(MAX_EXPIRE_SECONDS / SECONDS_OF_A_DAY)))]
    days: Option<u32>,
    /// It lives for ever
    #[arg(long)]
    permanent: bool,
    /// Write over a file that is there
    #[arg(long, requires = "file")]
    force: bool,
    /// One JSON object: {"ticket","url","expire_seconds","file"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

impl QrArgs {
    fn request(&self) -> Result<CreateQr, Failure> {
        let scene = match (&self.scene, self.scene_id) {
            (Some(text), _) => Scene::from(text.clone()),
            (None, Some(number)) => Scene::from(number),
            (None, None) => return Err(Failure::wrong("no scene")),
        };
        let request = match self.days {
            Some(days) => CreateQr::temporary(scene, days.saturating_mul(SECONDS_OF_A_DAY)),
            None => CreateQr::permanent(scene),
        };
        request.check().map_err(Failure::wrong)?;
        Ok(request)
    }
}

pub(super) fn run(args: &QrArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let request = args.request()?;
    let target = args.file.as_deref();
    let target = target
        .map(|file| Target::new(file, args.force))
        .transpose()?;
    let is_printed = target.as_ref().is_some_and(Target::is_printed);
    if is_printed && args.json {
        return Err(Failure::wrong(
            "the picture and --json cannot both be printed: name a file",
        ));
    }
    let door = Door::open(config, &args.account)?;
    let body = serde_json::to_value(&request).map_err(Failure::failed)?;
    let answer = door.call(RawCall::post(CreateQr::SPEC.path, body))?;
    let code: QrCode = serde_json::from_value(answer).map_err(Failure::failed)?;
    let file = args.file.as_ref().map(|file| file.display().to_string());
    if let Some(target) = &target {
        let ticket = code.ticket.clone();
        let picture = door.fetch(&Fetch::Qr { ticket });
        // The code is made: without its picture, too, it can be used.
        let filled = picture
            .map_err(Failure::from)
            .and_then(|picture| target.fill(&door, picture));
        if let Err(failure) = filled {
            if !is_printed {
                told(args, &code, None)?;
            }
            return Err(failure);
        }
    }
    if !is_printed {
        told(args, &code, file.as_deref())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn told(args: &QrArgs, code: &QrCode, file: Option<&str>) -> Result<(), Failure> {
    if args.json {
        return line(json!({
            "ticket": code.ticket, "url": code.url, "expire_seconds": code.expire_seconds,
            "file": file,
        }));
    }
    line(format_args!("url: {}", code.url))?;
    line(format_args!("ticket: {}", code.ticket))?;
    match code.expire_seconds {
        Some(seconds) => line(format_args!("lives for {seconds} s"))?,
        None => line("lives for ever")?,
    }
    match file {
        Some(file) => line(format_args!("picture: {file}")),
        None => Ok(()),
    }
}
