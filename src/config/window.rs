//! The section `[windows]`, and what an account says instead: which sending windows are counted with.

use super::raw::Reader;
use super::rooms::count;
use super::value::unless_empty;
use super::value::{self, Problem};
use crate::quota::window::{Buckets, Figure, FigureError, Settings};

/// Reads the section. `None` means that at least one fault was noted.
pub(super) fn read(reader: &mut Reader) -> Option<Settings> {
    let check = reader.flag("windows.check");
    let message = reader.text("windows.message", figure);
    let menu = reader.text("windows.menu", figure);
    let follow = reader.text("windows.follow", figure);
    let scan = reader.text("windows.scan", figure);
    let buckets = reader.text("windows.buckets", buckets);
    let users = count(reader, "windows.users", 1_000, 100_000_000);
    Some(Settings {
        check: check?,
        message: message?,
        menu: menu?,
        follow: follow?,
        scan: scan?,
        buckets: buckets?,
        users: users?,
    })
}

/// The fields of an account's own windows.
pub(super) const OWN: [&str; 5] = ["message", "menu", "follow", "scan", "buckets"];

/// Reads what an account says instead of `[windows]`: nothing, if it says nothing.
pub(super) fn own(reader: &mut Reader, name: &str, all: &Settings) -> Option<Option<Settings>> {
    let [message, menu, follow, scan, buckets] =
        OWN.map(|field| format!("accounts.{name}.windows.{field}"));
    let message = reader.text(&message, unless_empty(figure));
    let menu = reader.text(&menu, unless_empty(figure));
    let follow = reader.text(&follow, unless_empty(figure));
    let scan = reader.text(&scan, unless_empty(figure));
    let buckets = reader.text(&buckets, unless_empty(self::buckets));
    let own = Settings {
        message: message?.unwrap_or(all.message),
        menu: menu?.unwrap_or(all.menu),
        follow: follow?.unwrap_or(all.follow),
        scan: scan?.unwrap_or(all.scan),
        buckets: buckets?.unwrap_or(all.buckets),
        ..all.clone()
    };
    Some((own != *all).then_some(own))
}

/// `5 in 48h`.
fn figure(text: &str) -> Result<Figure, Problem> {
    let form = || {
        Problem::new(
            "is not a number of messages and a time",
            "write it like \"5 in 48h\"",
        )
    };
    let (messages, lasts) = text.split_once(" in ").ok_or_else(form)?;
    let messages = messages.trim().parse().map_err(|_| form())?;
    let lasts = value::duration(lasts)?;
    Figure::new(messages, lasts).map_err(|error: FigureError| {
        Problem::new(
            format!("is out of range: {error}"),
            "write it like \"5 in 48h\"",
        )
    })
}

fn buckets(text: &str) -> Result<Buckets, Problem> {
    match text.trim() {
        "separate" => Ok(Buckets::Separate),
        "shared" => Ok(Buckets::Shared),
        _ => Err(Problem::new(
            "is not a way to count",
            "use \"separate\" or \"shared\"",
        )),
    }
}
