//! Every change of a push's life as rows, inside the writer's open transaction.
//!
//! Each function does all of its change or, when it reports a conflict, none of it.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::code::{self, Code};
use super::conversation;
use crate::clock::Timestamp;
use crate::id::{OpenId, PushId};
use crate::protocol::push::{DedupeKey, Kind};
use crate::store::{
    ComponentTicket, LaneKey, NewPush, Next, Part, PartKey, PartState, PartVerdict, PushState,
    Settlement, StoreError, StoredPush,
};

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum Fault {
    /// The change does not fit what is there; the transaction is unharmed.
    Refused(StoreError),
    /// The database failed; the transaction is lost.
    Broken(rusqlite::Error),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}

/// Stores a push with its dedupe key.
pub(super) fn insert_push(
    connection: &Connection,
    id: PushId,
    at: Timestamp,
    push: &NewPush,
) -> rusqlite::Result<()> {
    let state = match push.kind {
        Kind::Malformed => PushState::Malformed,
        Kind::Message | Kind::Event | Kind::Notice => PushState::Pending,
    };
    connection
        .prepare_cached(
            "INSERT INTO push (id, state, run, starts, attempts, repeats, reason, kind, \
             received_at, account, user, verified, key, body) \
             VALUES (?1, ?2, 1, 0, 0, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            Code(id),
            Code(state),
            push.malformed,
            Code(push.kind),
            Code(push.received_at),
            push.account.as_str(),
            push.user.as_str(),
            push.verified,
            push.key.0,
            &push.body[..],
        ])?;
    connection
        .prepare_cached("INSERT INTO seen (id, at, key) VALUES (?1, ?2, ?3)")?
        .execute(params![Code(id), Code(at), push.key.0])?;
    push.ticket
        .as_ref()
        .map_or(Ok(()), |ticket| keep_ticket(connection, ticket))
}

/// Keeps a component's ticket, unless a newer one is kept.
fn keep_ticket(connection: &Connection, ticket: &ComponentTicket) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO component_ticket (component, ticket, created_at, received_at) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (component) DO UPDATE SET \
             ticket = excluded.ticket, created_at = excluded.created_at, \
             received_at = excluded.received_at WHERE excluded.created_at >= created_at",
        )?
        .execute(params![
            ticket.component.as_str(),
            ticket.ticket.expose(),
            Code(ticket.created_at),
            Code(ticket.received_at),
        ])?;
    Ok(())
}

/// Counts a repeat, if the push is still kept.
pub(super) fn count_repeat(connection: &Connection, id: PushId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE push SET repeats = min(repeats + 1, 4294967295) WHERE id = ?1")?
        .execute([Code(id)])?;
    Ok(())
}

/// Counts a start of an open push.
pub(super) fn start(connection: &Connection, push: PushId) -> Result<(), Fault> {
    let changed = connection
        .prepare_cached(
            "UPDATE push SET starts = min(starts + 1, 4294967295) \
             WHERE id = ?1 AND state IN (0, 2)",
        )?
        .execute([Code(push)])?;
    expect_one(changed, || StoreError::not_open(push, None))
}

/// Ends an attempt of an open run.
pub(super) fn settle(connection: &Connection, settlement: &Settlement) -> Result<(), Fault> {
    settlement.check()?;
    let Settlement {
        push,
        run,
        next,
        attempt,
        parts,
        conversation: change,
    } = settlement;
    for part in parts {
        if part_state(connection, &part.key)?.is_some() {
            return Err(StoreError::part_exists(&part.key).into());
        }
    }
    if !insert_attempt(connection, settlement)? {
        return Err(StoreError::attempt_exists(*push, attempt.number).into());
    }
    if !follow(connection, *push, *run, next)? {
        delete_attempt(connection, *push, *run, attempt.number)?;
        return Err(StoreError::not_open(*push, Some(*run)).into());
    }
    for part in parts {
        insert_part(connection, part, part.state)?;
    }
    if let Some(change) = change {
        conversation::turn(connection, *push, change)?;
    }
    Ok(())
}

fn insert_attempt(connection: &Connection, settlement: &Settlement) -> rusqlite::Result<bool> {
    let Settlement {
        push,
        run,
        attempt,
        conversation: change,
        ..
    } = settlement;
    let inserted = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO attempt \
             (push, run, number, started_at, ended_at, route, ended, error, out_of_order, \
             conversation) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            Code(*push),
            run,
            attempt.number,
            Code(attempt.started_at),
            Code(attempt.ended_at),
            attempt.route,
            Code(attempt.ended),
            attempt.error,
            attempt.out_of_order,
            change.as_ref().map(|change| Code(change.turned())),
        ])?;
    Ok(inserted == 1)
}

fn delete_attempt(
    connection: &Connection,
    push: PushId,
    run: u32,
    number: u32,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM attempt WHERE push = ?1 AND run = ?2 AND number = ?3")?
        .execute(params![Code(push), run, number])?;
    Ok(())
}

fn follow(connection: &Connection, push: PushId, run: u32, next: &Next) -> rusqlite::Result<bool> {
    let (state, retry_at, reason) = match next {
        Next::Done => (PushState::Done, None, None),
        Next::Retry { at, reason } => (PushState::Retry, Some(Code(*at)), Some(reason)),
        Next::Dead { reason } => (PushState::Dead, None, Some(reason)),
    };
    let changed = connection
        .prepare_cached(
            "UPDATE push SET state = ?3, retry_at = ?4, reason = ?5, starts = 0, \
             attempts = attempts + 1 WHERE id = ?1 AND run = ?2 AND state IN (0, 2)",
        )?
        .execute(params![Code(push), run, Code(state), retry_at, reason])?;
    Ok(changed == 1)
}

/// Makes a waiting part *sending*, or adds a new one of an open run.
pub(super) fn mark_sending(connection: &Connection, part: &Part) -> Result<(), Fault> {
    let key = part.key;
    match part_state(connection, &key)? {
        Some(PartState::Waiting) => {
            connection
                .prepare_cached(
                    "UPDATE part SET state = ?4, changed_at = ?5 \
                     WHERE push = ?1 AND run = ?2 AND ordinal = ?3",
                )?
                .execute(params![
                    Code(key.push),
                    key.run,
                    key.ordinal,
                    Code(PartState::Sending),
                    Code(part.changed_at),
                ])?;
            Ok(())
        }
        Some(state) => Err(StoreError::part_not_waiting(&key, state).into()),
        None if is_open(connection, key.push, key.run)? => {
            Ok(insert_part(connection, part, PartState::Sending)?)
        }
        None => Err(StoreError::not_open(key.push, Some(key.run)).into()),
    }
}

/// Records what became of a part.
pub(super) fn record(connection: &Connection, verdict: &PartVerdict) -> Result<(), Fault> {
    let key = verdict.key;
    let before = part_state(connection, &key)?.ok_or_else(|| StoreError::no_part(&key))?;
    verdict.check(before)?;
    connection
        .prepare_cached(
            "UPDATE part SET state = ?4, changed_at = ?5, error_code = ?6, rid = ?7, detail = ?8, \
             passive = CASE WHEN ?4 = 0 THEN NULL ELSE passive END WHERE push = ?1 AND run = ?2 AND ordinal = ?3",
        )?
        .execute(params![
            Code(key.push),
            key.run,
            key.ordinal,
            Code(verdict.state),
            Code(verdict.at),
            verdict.error_code,
            verdict.rid,
            verdict.detail,
        ])?;
    Ok(())
}

/// Opens a *dead*, *discarded* or *done* push again.
pub(super) fn replay(connection: &Connection, push: PushId, at: Timestamp) -> Result<(), Fault> {
    let Some(was) = state_where(connection, push, "state IN (1, 3, 5) AND kind <> 3")? else {
        return Err(StoreError::not_replayable(push).into());
    };
    Ok(reopen(connection, push, was, at)?)
}

/// Opens an unreadable push that can be read now.
pub(super) fn reread(
    connection: &Connection,
    push: PushId,
    kind: Kind,
    user: &OpenId,
    at: Timestamp,
) -> Result<(), Fault> {
    let was = match kind {
        Kind::Malformed => None,
        _ => state_where(connection, push, "state IN (4, 5) AND kind = 3")?,
    };
    let Some(was) = was else {
        return Err(StoreError::not_rereadable(push).into());
    };
    reopen(connection, push, was, at)?;
    connection
        .prepare_cached("UPDATE push SET kind = ?2, user = ?3 WHERE id = ?1")?
        .execute(params![Code(push), Code(kind), user.as_str()])?;
    Ok(())
}

/// The state of a push, if it is as the condition says.
fn state_where(
    connection: &Connection,
    push: PushId,
    condition: &'static str,
) -> rusqlite::Result<Option<PushState>> {
    let sql = format!("SELECT state FROM push WHERE id = ?1 AND {condition}");
    let state = connection
        .prepare_cached(&sql)?
        .query_row([Code(push)], |row| row.get::<_, Code<PushState>>(0))
        .optional()?;
    Ok(state.map(|code| code.0))
}

/// Begins the next run.
fn reopen(
    connection: &Connection,
    push: PushId,
    was: PushState,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE push SET state = 0, run = min(run + 1, 4294967295), starts = 0, attempts = 0, \
             retry_at = NULL, reason = NULL WHERE id = ?1",
        )?
        .execute([Code(push)])?;
    connection
        .prepare_cached(
            "INSERT INTO replay (push, run, at, was) SELECT id, run, ?2, ?3 FROM push WHERE id = ?1",
        )?
        .execute(params![Code(push), Code(at), Code(was)])?;
    Ok(())
}

/// Puts a push away that nobody needs any more.
pub(super) fn discard(connection: &Connection, push: PushId) -> Result<(), Fault> {
    let changed = connection
        .prepare_cached("UPDATE push SET state = 5 WHERE id = ?1 AND state IN (1, 3, 4)")?
        .execute([Code(push)])?;
    expect_one(changed, || StoreError::not_discardable(push))
}

/// Puts pushes of a lane aside.
pub(super) fn spill(
    connection: &Connection,
    lane: &LaneKey,
    pushes: &[PushId],
) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT OR IGNORE INTO spill (account, user, push) VALUES (?1, ?2, ?3)")?;
    for push in pushes {
        statement.execute(params![
            lane.account.as_str(),
            lane.user.as_str(),
            Code(*push)
        ])?;
    }
    Ok(())
}

/// Takes the oldest open pushes of a lane that were put aside, and forgets those that are not open.
pub(super) fn unspill(
    connection: &Connection,
    lane: &LaneKey,
    limit: usize,
) -> rusqlite::Result<Vec<StoredPush>> {
    let (account, user) = (lane.account.as_str(), lane.user.as_str());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let columns = code::PUSH_COLUMNS;
    let found: Vec<StoredPush> = connection
        .prepare_cached(&format!(
            "SELECT {columns} FROM \
             (SELECT push AS spilled FROM spill WHERE account = ?1 AND user = ?2) \
             CROSS JOIN push ON push.id = spilled \
             WHERE state IN (0, 2) ORDER BY spilled LIMIT ?3"
        ))?
        .query_map(params![account, user, limit], code::push)?
        .collect::<Result<_, _>>()?;
    let all_taken = i64::try_from(found.len()).is_ok_and(|count| count < limit);
    let upto = match found.last() {
        _ if all_taken => PushId(i64::MAX),
        Some(last) => last.id,
        None => return Ok(found),
    };
    connection
        .prepare_cached("DELETE FROM spill WHERE account = ?1 AND user = ?2 AND push <= ?3")?
        .execute(params![account, user, Code(upto)])?;
    Ok(found)
}

/// What a new process finds: nothing is put aside, and what was being sent is *unknown*, or *waiting*
/// again where that was asked for. Returns how many parts are unknown now.
pub(super) fn recover(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM spill", [])?;
    connection.execute(
        "UPDATE part SET state = ?1, changed_at = ?2, passive = NULL \
         WHERE state = 1 AND state < 3 AND at_least_once <> 0",
        params![Code(PartState::Waiting), Code(now)],
    )?;
    connection.execute(
        "UPDATE part SET state = ?1, changed_at = ?2, detail = ?3 WHERE state = 1 AND state < 3",
        params![
            Code(PartState::Unknown),
            Code(now),
            crate::store::ENDED_WHILE_SENDING
        ],
    )
}

fn is_open(connection: &Connection, push: PushId, run: u32) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM push WHERE id = ?1 AND run = ?2 AND state IN (0, 2)")?
        .exists(params![Code(push), run])
}

fn part_state(connection: &Connection, key: &PartKey) -> rusqlite::Result<Option<PartState>> {
    let state = connection
        .prepare_cached("SELECT state FROM part WHERE push = ?1 AND run = ?2 AND ordinal = ?3")?
        .query_row(params![Code(key.push), key.run, key.ordinal], |row| {
            row.get::<_, Code<PartState>>(0)
        })
        .optional()?;
    Ok(state.map(|code| code.0))
}

fn insert_part(connection: &Connection, part: &Part, state: PartState) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO part (push, run, ordinal, state, changed_at, error_code, rid, detail, \
             account, to_user, message, at_least_once, passive) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            Code(part.key.push),
            part.key.run,
            part.key.ordinal,
            Code(state),
            Code(part.changed_at),
            part.error_code,
            part.rid,
            part.detail,
            part.account.as_str(),
            part.to.as_str(),
            &part.message[..],
            part.at_least_once,
            part.passive.as_deref(),
        ])?;
    Ok(())
}

fn expect_one(changed: usize, otherwise: impl FnOnce() -> StoreError) -> Result<(), Fault> {
    match changed {
        1 => Ok(()),
        _ => Err(otherwise().into()),
    }
}

/// The push of a key as the rows have it, in the order of arrival: what the memory is rebuilt from.
pub(super) fn each_seen(
    connection: &Connection,
    mut remember: impl FnMut(PushId, Timestamp, DedupeKey),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT id, at, key FROM seen ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, at, key) = code::seen(row)?;
        remember(id, at, key);
    }
    Ok(())
}
