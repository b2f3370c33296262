//! How far a batch came, as the data directory keeps it: what may have left is written and synced before
//! it leaves, so that a kill at any moment repeats nothing.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The folder in the data directory.
const FOLDER: &str = "jobs";

/// Characters of the longest name.
const MAX_NAME: usize = 64;

/// A name of a job: also of its file.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let good = (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(is_plain)
        && !text.starts_with('.');
    match good {
        true => Ok(text.to_owned()),
        false => {
            Err("write 1 to 64 letters, digits, '-', '_' and '.', not beginning with '.'".into())
        }
    }
}

/// The first entry: what the job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The form of the journal.
    pub(super) version: u32,
    /// The SHA-256 of the file.
    pub(super) file_sha256: String,
    /// Its messages.
    pub(super) messages: u32,
    /// Whether they were taken for subscribe notices.
    pub(super) subscribe: bool,
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The platform took it.
    Sent,
    /// The platform answered that it does not deliver it.
    Refused {
        /// Its code.
        errcode: Option<i64>,
    },
    /// It left, and its answer was not seen.
    Unknown,
    /// It surely did not leave: it is to be sent.
    NotSent,
}

/// An entry after the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    /// These are about to leave, at this time in Unix milliseconds.
    Sending { lines: Vec<u32>, at: i64 },
    /// This became of one.
    Line { line: u32, outcome: Outcome },
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// The platform took it.
    Sent,
    /// The platform does not deliver it.
    Refused(Option<i64>),
    /// It may have been delivered; it left at this time, in Unix milliseconds.
    Unknown(i64),
}

/// The journal of one job, held by one process.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Lines that have left; the others wait.
    pub(super) standings: BTreeMap<u32, Standing>,
}

impl Journal {
    /// The file of a job.
    pub(super) fn path(data_dir: &Path, job: &str) -> PathBuf {
        data_dir.join(FOLDER).join(format!("{job}.jsonl"))
    }

    /// Begins a job.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`]: one of that name has begun before.
    pub(super) fn begin(path: &Path, head: &Head) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(path);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        lock(&file)?;
        if has_begun(&mut file)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        file.set_len(0)?;
        let mut journal = Self {
            file,
            standings: BTreeMap::new(),
        };
        journal.write(head)?;
        journal.file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(journal)
    }

    /// Goes on with a job.
    pub(super) fn resume(path: &Path) -> io::Result<(Head, Self)> {
        let file = OpenOptions::new().read(true).append(true).open(path)?;
        lock(&file)?;
        let mut journal = Self {
            file,
            standings: BTreeMap::new(),
        };
        let head = journal.read()?;
        Ok((head, journal))
    }

    /// Reads what is there. A last entry that was cut off never counted, and is taken away.
    fn read(&mut self) -> io::Result<Head> {
        let broken = |at: usize, error: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("entry {at}: {error}"))
        };
        let mut reader = BufReader::new(&self.file);
        let (mut text, mut whole, mut head) = (String::new(), 0u64, None);
        for at in 1.. {
            text.clear();
            let length = reader.read_line(&mut text)?;
            if length == 0 || !text.ends_with('\n') {
                break;
            }
            whole += length as u64;
            if head.is_none() {
                head = Some(serde_json::from_str(&text).map_err(|error| broken(at, &error))?);
                continue;
            }
            let entry = serde_json::from_str(&text).map_err(|error| broken(at, &error))?;
            stand(&mut self.standings, entry);
        }
        self.file.set_len(whole)?;
        self.file.seek(io::SeekFrom::End(0))?;
        let head: Head = head.ok_or_else(|| broken(1, &"it is empty; delete it"))?;
        match head.version {
            VERSION => Ok(head),
            version => Err(broken(1, &format!("version {version} is not known here"))),
        }
    }

    /// These lines are about to leave. They are *unknown* until their outcome is written.
    pub(super) fn sending(&mut self, lines: Vec<u32>, at: i64) -> io::Result<()> {
        let entry = Entry::Sending { lines, at };
        self.write(&entry)?;
        self.file.sync_data()?;
        stand(&mut self.standings, entry);
        Ok(())
    }

    /// This became of a line. Not synced: what a power cut takes of it is unknown again.
    pub(super) fn outcome(&mut self, line: u32, outcome: Outcome) -> io::Result<()> {
        let entry = Entry::Line { line, outcome };
        self.write(&entry)?;
        stand(&mut self.standings, entry);
        Ok(())
    }

    fn write(&mut self, entry: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(entry)?;
        text.push(b'\n');
        self.file.write_all(&text)
    }
}

/// The form of the journal that is written here.
pub(super) const VERSION: u32 = 1;

fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another process is at this job")),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn stand(standings: &mut BTreeMap<u32, Standing>, entry: Entry) {
    match entry {
        Entry::Sending { lines, at } => {
            for line in lines {
                // The first time counts: it is what the platform may still recognise.
                standings.entry(line).or_insert(Standing::Unknown(at));
            }
        }
        Entry::Line { line, outcome } => match outcome {
            Outcome::Sent => drop(standings.insert(line, Standing::Sent)),
            Outcome::Refused { errcode } => {
                standings.insert(line, Standing::Refused(errcode));
            }
            // It stays what it was since it left.
            Outcome::Unknown => {}
            Outcome::NotSent => drop(standings.remove(&line)),
        },
    }
}

/// Whether the first entry is there. A kill may have left a file without it, of which nothing left.
fn has_begun(file: &mut File) -> io::Result<bool> {
    file.rewind()?;
    let mut first = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut first)?;
    Ok(first.ends_with(b"\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn head() -> Head {
        Head {
            version: VERSION,
            file_sha256: "ab".to_owned(),
            messages: 9,
            subscribe: false,
        }
    }

    #[test]
    fn whatever_is_cut_off_a_journal_nothing_that_left_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = Journal::path(directory.path(), "spring");
        let mut journal = Journal::begin(&path, &head()).unwrap();
        assert!(
            Journal::begin(&path, &head()).is_err(),
            "it is there already"
        );
        assert!(Journal::resume(&path).is_err(), "it is held");
        journal.sending(vec![1, 2, 3, 4], 77).unwrap();
        let left = fs::metadata(&path).unwrap().len();
        journal.outcome(1, Outcome::Sent).unwrap();
        journal
            .outcome(
                2,
                Outcome::Refused {
                    errcode: Some(45015),
                },
            )
            .unwrap();
        journal.outcome(3, Outcome::NotSent).unwrap();
        journal.outcome(4, Outcome::Unknown).unwrap();
        let expected = BTreeMap::from([
            (1, Standing::Sent),
            (2, Standing::Refused(Some(45015))),
            (4, Standing::Unknown(77)),
        ]);
        assert_eq!(journal.standings, expected);
        drop(journal);
        let (found, journal) = Journal::resume(&path).unwrap();
        assert_eq!((found, &journal.standings), (head(), &expected));
        drop(journal);

        let whole = fs::read(&path).unwrap();
        for length in (left..=whole.len() as u64).rev() {
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(length).unwrap();
            let (_, journal) = Journal::resume(&path).unwrap();
            // Every line that left stands somewhere; only a line that surely did not leave is gone.
            let lines: Vec<u32> = journal.standings.keys().copied().collect();
            assert!(lines == [1, 2, 3, 4] || lines == [1, 2, 4], "{lines:?}");
        }
        // What was cut off is gone, and what follows is read again.
        let (_, mut journal) = Journal::resume(&path).unwrap();
        journal.sending(vec![5], 78).unwrap();
        drop(journal);
        let (_, journal) = Journal::resume(&path).unwrap();
        assert_eq!(journal.standings.get(&5), Some(&Standing::Unknown(78)));
    }

    #[test]
    fn a_journal_that_is_no_journal_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.jsonl");
        for text in [
            "",
            "{}\n",
            "half",
            "{\"version\":9,\"file_sha256\":\"\",\"messages\":1,\"subscribe\":false}\n",
        ] {
            fs::write(&path, text).unwrap();
            assert!(Journal::resume(&path).is_err(), "{text}");
        }
        for (text, is_good) in [
            ("spring-1", true),
            ("", false),
            ("../x", false),
            (".x", false),
            ("a b", false),
        ] {
            assert_eq!(name(text).is_ok(), is_good, "{text}");
        }
    }
}
