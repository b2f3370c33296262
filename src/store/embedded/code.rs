//! How records are written in columns. The numbers are part of the file format: they never change.

use bytes::Bytes;
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::clock::Timestamp;
use crate::id::{AppId, OpenId, PushId};
use crate::protocol::push::{DedupeKey, Kind};
use crate::store::{
    Attempt, Ended, Part, PartKey, PartState, PushState, Replay, StoredPush, Turned,
};

/// A value in its column's form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code<T>(pub(super) T);

macro_rules! codes {
    ($type:ident { $($variant:ident = $number:literal,)* }) => {
        impl ToSql for Code<$type> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let number: i64 = match self.0 { $($type::$variant => $number,)* };
                Ok(number.into())
            }
        }

        impl FromSql for Code<$type> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_i64()? {
                    $($number => Ok(Self($type::$variant)),)*
                    other => Err(FromSqlError::OutOfRange(other)),
                }
            }
        }
    };
}

// The schema's partial index has what is above *done*.
codes!(PushState { Pending = 0, Done = 1, Retry = 2, Dead = 3, Malformed = 4, Discarded = 5, });
// The schema's partial index has what is below *sent*.
codes!(PartState { Waiting = 0, Sending = 1, Unknown = 2, Sent = 3, Refused = 4, });
codes!(Kind { Message = 0, Event = 1, Notice = 2, Malformed = 3, });
codes!(Ended { Well = 0, Failed = 1, GaveUp = 2, TimedOut = 3, Panicked = 4, });
codes!(Turned { Set = 0, Cleared = 1, });

impl ToSql for Code<PushId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.0.into())
    }
}

impl FromSql for Code<PushId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(|id| Self(PushId(id)))
    }
}

impl ToSql for Code<Timestamp> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.milliseconds().into())
    }
}

impl FromSql for Code<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let milliseconds = value.as_i64()?;
        Ok(Self(Timestamp::from_milliseconds(milliseconds)))
    }
}

impl FromSql for Code<AppId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let app_id = AppId::parse(value.as_str()?).map_err(FromSqlError::other)?;
        Ok(Self(app_id))
    }
}

impl FromSql for Code<OpenId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(|text| Self(OpenId::new(text)))
    }
}

impl FromSql for Code<DedupeKey> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let key = bytes.try_into().map_err(FromSqlError::other)?;
        Ok(Self(DedupeKey(key)))
    }
}

impl FromSql for Code<Bytes> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value
            .as_blob()
            .map(|bytes| Self(Bytes::copy_from_slice(bytes)))
    }
}

fn column<T>(row: &Row<'_>, index: usize) -> rusqlite::Result<T>
where
    Code<T>: FromSql,
{
    row.get::<_, Code<T>>(index).map(|code| code.0)
}

fn optional<T>(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<T>>
where
    Code<T>: FromSql,
{
    let code = row.get::<_, Option<Code<T>>>(index)?;
    Ok(code.map(|code| code.0))
}

/// The columns that [`push`] reads, in its order.
pub(super) const PUSH_COLUMNS: &str = "id, account, user, kind, key, body, received_at, verified, \
     state, run, starts, attempts, retry_at, reason, repeats";

/// A push from its row.
pub(super) fn push(row: &Row<'_>) -> rusqlite::Result<StoredPush> {
    Ok(StoredPush {
        id: column(row, 0)?,
        account: column(row, 1)?,
        user: column(row, 2)?,
        kind: column(row, 3)?,
        key: column(row, 4)?,
        body: column(row, 5)?,
        received_at: column(row, 6)?,
        verified: row.get(7)?,
        state: column(row, 8)?,
        run: row.get(9)?,
        starts: row.get(10)?,
        attempts: row.get(11)?,
        retry_at: optional(row, 12)?,
        reason: row.get(13)?,
        repeats: row.get(14)?,
    })
}

/// The columns that [`part`] reads, in its order.
pub(super) const PART_COLUMNS: &str = "push, run, ordinal, account, to_user, message, state, \
     error_code, rid, detail, changed_at, at_least_once, passive";

/// A part from its row.
pub(super) fn part(row: &Row<'_>) -> rusqlite::Result<Part> {
    Ok(Part {
        key: PartKey {
            push: column(row, 0)?,
            run: row.get(1)?,
            ordinal: row.get(2)?,
        },
        account: column(row, 3)?,
        to: column(row, 4)?,
        message: column(row, 5)?,
        state: column(row, 6)?,
        error_code: row.get(7)?,
        rid: row.get(8)?,
        detail: row.get(9)?,
        changed_at: column(row, 10)?,
        at_least_once: row.get(11)?,
        passive: row.get::<_, Option<Vec<u8>>>(12)?.map(Bytes::from),
    })
}

/// The columns that [`attempt`] reads, in its order.
pub(super) const ATTEMPT_COLUMNS: &str =
    "run, number, started_at, ended_at, route, ended, error, out_of_order";

/// An attempt and its run from its row.
pub(super) fn attempt(row: &Row<'_>) -> rusqlite::Result<(u32, Attempt)> {
    let attempt = Attempt {
        number: row.get(1)?,
        started_at: column(row, 2)?,
        ended_at: column(row, 3)?,
        route: row.get(4)?,
        ended: column(row, 5)?,
        error: row.get(6)?,
        out_of_order: row.get(7)?,
    };
    Ok((row.get(0)?, attempt))
}

/// The beginning of a run from a row of `run, at, was`.
pub(super) fn replay(row: &Row<'_>) -> rusqlite::Result<Replay> {
    Ok(Replay {
        run: row.get(0)?,
        at: column(row, 1)?,
        was: column(row, 2)?,
    })
}

/// A key, its push and its time from a row of `id, at, key`.
pub(super) fn seen(row: &Row<'_>) -> rusqlite::Result<(PushId, Timestamp, DedupeKey)> {
    Ok((column(row, 0)?, column(row, 1)?, column(row, 2)?))
}
