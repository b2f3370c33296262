//! `wxhook media put|get`: files that messages carry (素材).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::door::{AccountArgs, Door, Incoming};
use super::output::{Failure, line};
use crate::api::media::MediaKind;
use crate::api::{Fetch, PutOrder, Upload};

mod kind;

use self::kind::{BEGINNING_BYTES, Format};

/// Upload and download files that messages carry (素材).
#[derive(Debug, Subcommand)]
pub(super) enum MediaCommand {
    /// Upload a file and print its media_id; it lives for 3 days, or with --permanent in the library
    Put(PutArgs),
    /// Download a file by its media_id, also one that a user sent
    Get(GetArgs),
}

/// Which file, and as what.
#[derive(Debug, Args)]
pub(super) struct PutArgs {
    /// The file: png, jpg, gif, bmp, amr, mp3, wma, wav or mp4
    file: PathBuf,
    /// What it is to WeChat; else what its content and its name say
    #[arg(long = "type", value_enum)]
    kind: Option<KindName>,
    /// Keep it in the library (永久素材), where it stays until it is deleted
    #[arg(long)]
    permanent: bool,
    /// What a video of the library is called
    #[arg(long, requires = "permanent")]
    title: Option<String>,
    /// A few words about a video of the library
    #[arg(long, requires = "title")]
    introduction: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

/// What, and where to.
#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// The file's name at WeChat
    media_id: String,
    /// The file to write; - prints it
    file: PathBuf,
    /// It is in the library (永久素材)
    #[arg(long)]
    permanent: bool,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// One JSON object, unless the file itself is printed
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindName {
    Image,
    Voice,
    Video,
    /// The small picture of a video or a piece of music: 64 KB, jpg
    Thumb,
}

impl KindName {
    const fn kind(self) -> MediaKind {
        match self {
            Self::Image => MediaKind::Image,
            Self::Voice => MediaKind::Voice,
            Self::Video => MediaKind::Video,
            Self::Thumb => MediaKind::Thumb,
        }
    }
}

pub(super) fn run(command: &MediaCommand, config: Option<&Path>) -> Result<ExitCode, Failure> {
    match command {
        MediaCommand::Put(args) => put(args, config)?,
        MediaCommand::Get(args) => {
            let wanted = Fetch::Media {
                media_id: args.media_id.clone(),
                permanent: args.permanent,
            };
            let target = Target::new(&args.file, args.force)?;
            let door = Door::open(config, &args.account)?;
            let file = door.fetch(&wanted)?;
            let content_type = file.content_type.clone();
            let bytes = target.fill(&door, file)?;
            let name = args.file.display().to_string();
            match (target.is_printed(), args.json) {
                (true, _) => {}
                (false, true) => line(json!({
                    "media_id": args.media_id, "file": name, "bytes": bytes,
                    "content_type": content_type,
                }))?,
                (false, false) => {
                    let content_type = content_type.unwrap_or_default();
                    line(format_args!("{name}: {bytes} bytes {content_type}"))?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn put(args: &PutArgs, config: Option<&Path>) -> Result<(), Failure> {
    let shown = args.file.display();
    let media = Upload::file(&args.file).map_err(Failure::wrong)?;
    let mut beginning = Vec::with_capacity(BEGINNING_BYTES);
    File::open(&args.file)
        .and_then(|file| {
            file.take(BEGINNING_BYTES as u64)
                .read_to_end(&mut beginning)
        })
        .map_err(|error| Failure::wrong(format!("{shown}: {error}")))?;
    let name = args.file.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or_default();
    let Some(format) = Format::of(&beginning).or_else(|| Format::named(name)) else {
        return Err(Failure::wrong(format!(
            "{shown}: is nothing that WeChat takes: png, jpg, gif, bmp, amr, mp3, wma, wav or mp4"
        )));
    };
    let order = PutOrder {
        kind: args.kind.map_or_else(|| format.kind(), KindName::kind),
        name: format.name_for(name),
        permanent: args.permanent,
        title: args.title.clone(),
        introduction: args.introduction.clone(),
    };
    let media = media.renamed(&*order.name);
    order
        .check(&media)
        .map_err(|error| Failure::wrong(format!("{shown}: {error}")))?;
    let answer = Door::open(config, &args.account)?.put(&order, &media)?;
    match (args.json, &answer) {
        (true, Value::Object(members)) => {
            let mut members = members.clone();
            members.insert("type".to_owned(), json!(order.kind));
            line(Value::Object(members))
        }
        _ => line(answer["media_id"].as_str().unwrap_or_default()),
    }
}

/// Where a downloaded file goes: to a file that was not there, or to standard output.
#[derive(Debug)]
pub(super) struct Target {
    file: Option<PathBuf>,
    force: bool,
}

impl Target {
    /// Looks before anything is called whether the file may be written.
    pub(super) fn new(file: &Path, force: bool) -> Result<Self, Failure> {
        let is_printed = file.to_str() == Some("-");
        let target = Self {
            file: (!is_printed).then(|| file.to_owned()),
            force,
        };
        target.check()?;
        Ok(target)
    }

    fn check(&self) -> Result<(), Failure> {
        match &self.file {
            Some(file) if !self.force && file.exists() => Err(Failure::wrong(format!(
                "{} is there already; add --force to write over it",
                file.display()
            ))),
            _ => Ok(()),
        }
    }

    pub(super) const fn is_printed(&self) -> bool {
        self.file.is_none()
    }

    /// Writes what comes. The file has its name only when it is whole: until then it ends in `.part`.
    pub(super) fn fill(&self, door: &Door, mut file: Incoming) -> Result<u64, Failure> {
        let Some(path) = &self.file else {
            return copy(door, &mut file, &mut io::stdout().lock());
        };
        let named = |error: io::Error| Failure::failed(format!("{}: {error}", path.display()));
        let mut part = OsString::from(path);
        part.push(".part");
        let mut out = File::create(&part).map_err(named)?;
        let copied = copy(door, &mut file, &mut out).and_then(|bytes| {
            self.check()?;
            fs::rename(&part, path).map_err(named)?;
            Ok(bytes)
        });
        if copied.is_err() {
            // What is not whole must not be taken for the file.
            drop(fs::remove_file(&part));
        }
        copied
    }
}

fn copy(door: &Door, file: &mut Incoming, out: &mut impl Write) -> Result<u64, Failure> {
    let mut bytes = 0;
    while let Some(chunk) = door.next(file) {
        let chunk =
            chunk.map_err(|error| Failure::failed(format!("after {bytes} bytes: {error}")))?;
        out.write_all(&chunk)?;
        bytes += chunk.len() as u64;
    }
    out.flush()?;
    Ok(bytes)
}
