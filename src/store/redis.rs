//! Tokens in Redis, for any number of processes.
//!
//! The layout, for an AppID `wx1` and a kind `stable`; all keys of an account lie in one slot of a
//! cluster:
//!
//! | key | what | ends |
//! |---|---|---|
//! | `wxhook:{wx1}:stable` | hash: `token`, `generation`, `obtained_at_ms`, `confirmed_at_ms`, `expires_at_ms`, `obtained_by` | a day after the token |
//! | `wxhook:{wx1}:stable:right` | `FENCE:OWNER` of the right to ask | with the right |
//! | `wxhook:{wx1}:stable:fence` | the newest fence | never |
//! | `wxhook:{wx1}:stable:notes` | list of the newest notes, as JSON | never |
//! | `wxhook:{wx1}:clients` | hash: of each client reads, time of the last, reports, time and code of the last | never |
//!
//! The token stands there in clear: whoever may read this Redis may act as the account.
//!
//! Counts of calls lie beside them: [`RedisCounters`].
//!
//! `rediss://` speaks TLS and always verifies: the certificate must come from one of the system's
//! authorities, or from the one that the address names as `?ssl-ca=FILE` (PEM), which then is the only one.

use std::fmt;
use std::time::Duration;

use ::redis::{Script, ScriptInvocation};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::AccessToken;
use crate::store::tokens::{
    LONGEST_RIGHT, NOTES_KEPT, NewToken, Note, Owner, Promise, PutBack, Right, Saved, TokenKey,
    TokenRecord, Tokens, TokensError,
};

mod copies;
mod counters;
mod link;
mod usage;

pub use self::copies::{CopiesError, RedisCopies};
pub use self::counters::RedisCounters;
pub use self::link::{ANSWER_LIMIT, AddressError};
use self::link::{Link, within_limit};

/// How long a record is kept after its end: its generation still counts.
pub const KEPT_AFTER_END: Duration = Duration::from_secs(24 * 60 * 60);

/// Lifetimes above this are not believed, so that no record stays for ever.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Tries of a step that others keep getting in the way of. Two would do: the right is one process's.
const STEPS: usize = 16;

/// KEYS: right, fence. ARGV: owner, milliseconds, the longest right. Gives the fence, or nothing.
const ACQUIRE: &str = r"
local left = redis.call('PTTL', KEYS[1])
if left ~= -2 and left >= 0 and left <= tonumber(ARGV[3]) then return false end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = string.format('%.0f', math.max(last + 1, now))
redis.call('SET', KEYS[2], fence)
redis.call('SET', KEYS[1], fence .. ':' .. ARGV[1], 'PX', ARGV[2])
return fence
";

/// KEYS: right. ARGV: the right, milliseconds.
const HOLDS: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
";

/// KEYS: record, right. ARGV: the right or '', the generation and token expected, milliseconds to
/// keep it, then the record's fields and values. Gives 'fenced', 'changed' or 'stored'.
const WRITE: &str = r"
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'fenced' end
local stored = redis.call('HMGET', KEYS[1], 'generation', 'token')
if (stored[1] or '') ~= ARGV[2] or (stored[2] or '') ~= ARGV[3] then return 'changed' end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'stored'
";

/// KEYS: right. ARGV: the owner.
const RELEASE: &str = r"
local right = redis.call('GET', KEYS[1])
if right and string.match(right, ':(.*)$') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
";

/// KEYS: notes. ARGV: the note, how many to keep.
const NOTE: &str = r"
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1)
return 1
";

/// Tokens in one Redis server, or what speaks like one.
pub struct RedisTokens {
    link: Link,
    acquire: Script,
    holds: Script,
    write: Script,
    release: Script,
    note: Script,
    usage: Script,
}

/// A note as it is stored.
#[derive(Serialize, Deserialize)]
struct NoteForm {
    at_ms: i64,
    who: String,
    what: String,
}

impl fmt::Debug for RedisTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTokens").finish_non_exhaustive()
    }
}

impl RedisTokens {
    /// Takes the address; opens no connection yet, so a server that is away stops nobody from starting.
    ///
    /// # Errors
    /// [`AddressError`] when it is no address of a Redis server, or its authority cannot be used.
    pub fn open(url: &str) -> Result<Self, AddressError> {
        Ok(Self {
            link: Link::to(url)?,
            acquire: Script::new(ACQUIRE),
            holds: Script::new(HOLDS),
            write: Script::new(WRITE),
            release: Script::new(RELEASE),
            note: Script::new(NOTE),
            usage: usage::script(),
        })
    }

    async fn read(&self, key: &TokenKey) -> Result<Option<TokenRecord>, TokensError> {
        let mut command = ::redis::cmd("HMGET");
        command.arg(record_name(key)).arg(&FIELDS);
        let fields: Vec<Option<String>> = self
            .link
            .ask(async |connection| command.query_async(connection).await)
            .await?;
        record_of(fields)
    }

    /// Writes what `becomes` of the stored record, which it may leave as it is by giving `Err`.
    async fn write<T>(
        &self,
        key: &TokenKey,
        right: Option<&Right>,
        becomes: impl Fn(Option<TokenRecord>) -> Result<TokenRecord, T>,
    ) -> Result<Written<T>, TokensError> {
        for _ in 0..STEPS {
            let stored = self.read(key).await?;
            let (generation, token) = stored.as_ref().map_or_else(Default::default, |stored| {
                (
                    stored.generation.to_string(),
                    stored.token.expose().to_owned(),
                )
            });
            let record = match becomes(stored) {
                Ok(record) => record,
                Err(kept) => return Ok(Written::Kept(kept)),
            };
            let mut call = self.write.prepare_invoke();
            call.key(record_name(key)).key(name(key, ":right"));
            call.arg(right.map(right_text).unwrap_or_default());
            call.arg(generation)
                .arg(token)
                .arg(milliseconds(kept_for(&record)));
            add_fields(&mut call, &record);
            let outcome: String = self.link.run(&call).await?;
            match outcome.as_str() {
                "stored" => return Ok(Written::Stored(record)),
                "fenced" => return Ok(Written::Fenced),
                _ => {}
            }
        }
        Err(TokensError::away("others keep changing the record"))
    }
}

/// What became of a record to be written.
enum Written<T> {
    Stored(TokenRecord),
    Fenced,
    Kept(T),
}

impl Tokens for RedisTokens {
    fn durability(&self) -> &'static str {
        "tokens are in Redis, shared by all processes; as durable as it is told to be, and a token that \
         it loses is put back by those who hold it"
    }

    fn load<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Option<TokenRecord>> {
        Box::pin(within_limit(self.read(key)))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a TokenKey,
        owner: &'a Owner,
        lasting: Duration,
    ) -> Promise<'a, Option<Right>> {
        Box::pin(within_limit(async move {
            let mut call = self.acquire.key(name(key, ":right"));
            call.key(name(key, ":fence"))
                .arg(owner.as_str())
                .arg(milliseconds(lasting))
                .arg(milliseconds(LONGEST_RIGHT));
            let fence: Option<u64> = self.link.run(&call).await?;
            Ok(fence.map(|fence| Right {
                key: key.clone(),
                owner: owner.clone(),
                fence,
            }))
        }))
    }

    fn holds<'a>(&'a self, right: &'a Right, lasting: Duration) -> Promise<'a, bool> {
        Box::pin(within_limit(async move {
            let mut call = self.holds.key(name(&right.key, ":right"));
            call.arg(right_text(right)).arg(milliseconds(lasting));
            self.link.run(&call).await
        }))
    }

    fn save<'a>(&'a self, right: &'a Right, new: NewToken) -> Promise<'a, Saved> {
        Box::pin(within_limit(async move {
            let beside =
                |stored: Option<TokenRecord>| Ok::<_, Saved>(new.clone().beside(stored.as_ref()));
            match self.write(&right.key, Some(right), beside).await? {
                Written::Stored(record) => Ok(Saved::Stored(record)),
                Written::Fenced => Ok(Saved::Fenced),
                Written::Kept(saved) => Ok(saved),
            }
        }))
    }

    fn put_back<'a>(&'a self, key: &'a TokenKey, record: &'a TokenRecord) -> Promise<'a, PutBack> {
        Box::pin(within_limit(async move {
            let newer = |stored: Option<TokenRecord>| match stored {
                Some(stored) if stored.generation >= record.generation => {
                    Err(PutBack::Newer(stored))
                }
                _ => Ok(record.clone()),
            };
            match self.write(key, None, newer).await? {
                Written::Stored(_) | Written::Fenced => Ok(PutBack::Stored),
                Written::Kept(newer) => Ok(newer),
            }
        }))
    }

    fn release<'a>(&'a self, key: &'a TokenKey, owner: &'a Owner) -> Promise<'a, ()> {
        Box::pin(within_limit(async move {
            let mut call = self.release.key(name(key, ":right"));
            call.arg(owner.as_str());
            self.link.run(&call).await
        }))
    }

    fn note<'a>(&'a self, key: &'a TokenKey, note: Note) -> Promise<'a, ()> {
        Box::pin(within_limit(async move {
            let note = note.cut();
            let form = NoteForm {
                at_ms: note.at.milliseconds(),
                who: note.who,
                what: note.what,
            };
            let text = serde_json::to_string(&form).map_err(TokensError::unreadable)?;
            let mut call = self.note.key(name(key, ":notes"));
            call.arg(text).arg(NOTES_KEPT);
            self.link.run(&call).await
        }))
    }

    fn notes<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Vec<Note>> {
        Box::pin(within_limit(async move {
            let mut command = ::redis::cmd("LRANGE");
            command.arg(name(key, ":notes")).arg(0).arg(-1);
            let texts: Vec<String> = self
                .link
                .ask(async |connection| command.query_async(connection).await)
                .await?;
            texts.iter().map(|text| note_of(text)).collect()
        }))
    }
}

const FIELDS: [&str; 6] = [
    "token",
    "generation",
    "obtained_at_ms",
    "confirmed_at_ms",
    "expires_at_ms",
    "obtained_by",
];

fn add_fields(call: &mut ScriptInvocation<'_>, record: &TokenRecord) {
    let values = [
        record.token.expose().to_owned(),
        record.generation.to_string(),
        record.obtained_at.milliseconds().to_string(),
        record.confirmed_at.milliseconds().to_string(),
        record.expires_at.milliseconds().to_string(),
        record.obtained_by.clone(),
    ];
    for (field, value) in FIELDS.iter().zip(values) {
        call.arg(*field).arg(value);
    }
}

fn record_of(fields: Vec<Option<String>>) -> Result<Option<TokenRecord>, TokensError> {
    if fields.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut fields = FIELDS.iter().zip(fields).map(|(field, value)| {
        value.ok_or_else(|| TokensError::unreadable(format_args!("a record has no {field}")))
    });
    let mut next = || fields.next().unwrap_or_else(|| Ok(String::new()));
    Ok(Some(TokenRecord {
        token: AccessToken::new(next()?),
        generation: number(&next()?)?,
        obtained_at: Timestamp::from_milliseconds(number(&next()?)?),
        confirmed_at: Timestamp::from_milliseconds(number(&next()?)?),
        expires_at: Timestamp::from_milliseconds(number(&next()?)?),
        obtained_by: next()?,
    }))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, TokensError> {
    text.parse()
        .map_err(|_not_a_number| TokensError::unreadable("a record's number is none"))
}

fn note_of(text: &str) -> Result<Note, TokensError> {
    let form: NoteForm = serde_json::from_str(text).map_err(TokensError::unreadable)?;
    Ok(Note {
        at: Timestamp::from_milliseconds(form.at_ms),
        who: form.who,
        what: form.what,
    })
}

fn record_name(key: &TokenKey) -> String {
    name(key, "")
}

fn name(key: &TokenKey, part: &str) -> String {
    format!(
        "wxhook:{{{}}}:{}{part}",
        key.account.as_str(),
        key.kind.name()
    )
}

fn right_text(right: &Right) -> String {
    format!("{}:{}", right.fence, right.owner.as_str())
}

/// How long the store keeps a record: its life and [`KEPT_AFTER_END`], by durations alone.
fn kept_for(record: &TokenRecord) -> Duration {
    let life = record.expires_at.since(record.confirmed_at);
    life.min(LONGEST_LIFE) + KEPT_AFTER_END
}

fn milliseconds(duration: Duration) -> u64 {
    // Zero would be refused as a time to live.
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}
