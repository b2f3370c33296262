//! Conversations as rows: one of each user, changed in the commit of the attempt that changes it.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::code::Code;
use crate::clock::Timestamp;
use crate::id::PushId;
use crate::store::{ConversationChange, LaneKey, StoredConversation, Turn, Turned};

/// Expired conversations deleted in one sweep.
const SWEEP: i64 = 500;

/// Changes the conversation of a push's user.
pub(super) fn turn(
    connection: &Connection,
    push: PushId,
    change: &ConversationChange,
) -> rusqlite::Result<()> {
    match change {
        ConversationChange::Set(conversation) => connection
            .prepare_cached(
                "INSERT OR REPLACE INTO conversation (account, user, expires_at, type_name, state) \
                 SELECT account, user, ?2, ?3, ?4 FROM push WHERE id = ?1",
            )?
            .execute(params![
                Code(push),
                Code(conversation.expires_at),
                conversation.type_name,
                conversation.state,
            ])?,
        ConversationChange::Cleared => connection
            .prepare_cached(
                "DELETE FROM conversation \
                 WHERE (account, user) = (SELECT account, user FROM push WHERE id = ?1)",
            )?
            .execute([Code(push)])?,
    };
    Ok(())
}

/// Where a user's conversation stands, unless its time is over.
pub(super) fn find(
    connection: &Connection,
    lane: &LaneKey,
    now: Timestamp,
) -> rusqlite::Result<Option<StoredConversation>> {
    let found = |row: &Row<'_>| {
        Ok(StoredConversation {
            type_name: row.get(0)?,
            state: row.get(1)?,
            expires_at: row.get::<_, Code<Timestamp>>(2)?.0,
        })
    };
    connection
        .prepare_cached(
            "SELECT type_name, state, expires_at FROM conversation \
             WHERE account = ?1 AND user = ?2 AND expires_at > ?3",
        )?
        .query_row(
            params![lane.account.as_str(), lane.user.as_str(), Code(now)],
            found,
        )
        .optional()
}

/// The attempts of a push that changed its user's conversation: what [`read_turn`] reads.
pub(super) const TURNS: &str = "SELECT run, number, ended_at, conversation FROM attempt \
     WHERE push = ?1 AND conversation IS NOT NULL ORDER BY run, number";

/// A change from its row.
pub(super) fn read_turn(row: &Row<'_>) -> rusqlite::Result<Turn> {
    Ok(Turn {
        run: row.get(0)?,
        attempt: row.get(1)?,
        at: row.get::<_, Code<Timestamp>>(2)?.0,
        turned: row.get::<_, Code<Turned>>(3)?.0,
    })
}

/// How many are to be forgotten in the next sweep.
pub(super) fn expired(connection: &Connection, now: Timestamp) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM conversation WHERE expires_at <= ?1 LIMIT ?2)",
        )?
        .query_one(params![Code(now), SWEEP], |row| row.get(0))
}

/// Forgets them.
pub(super) fn forget(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM conversation WHERE (account, user) IN \
             (SELECT account, user FROM conversation WHERE expires_at <= ?1 \
              ORDER BY expires_at LIMIT ?2)",
        )?
        .execute(params![Code(now), SWEEP])?;
    Ok(())
}

/// Whether a sweep of so many leaves some behind.
pub(super) const fn is_full(swept: i64) -> bool {
    swept >= SWEEP
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::id::{AppId, OpenId};
    use crate::store::embedded::paths::Paths;
    use crate::store::embedded::upkeep::Sweep;
    use crate::store::embedded::{Settings, prepare};

    #[test]
    fn expired_conversations_are_swept_a_few_at_a_time_and_the_others_stay() {
        let directory = TempDir::new().unwrap();
        let settings = Settings::new(directory.path());
        let at = Timestamp::from_seconds;
        let (connection, mut memory) =
            prepare(&Paths::new(directory.path()), &settings, at(0)).unwrap();
        let insert = "INSERT INTO conversation (account, user, expires_at, type_name, state) \
             VALUES ('wx0123456789abcdef', 'oUser' || ?1, ?2, 'Order', '1')";
        for number in 0..SWEEP + 2 {
            let expires_at = Code(at(100 + i64::from(number == 7)));
            connection
                .execute(insert, params![number, expires_at])
                .unwrap();
        }
        let mut sweep = Sweep::default();
        let mut step = |now| {
            let more = sweep.step(&connection, &mut memory, &settings, now);
            let left = "SELECT count(*) FROM conversation";
            let left: i64 = connection.query_one(left, [], |row| row.get(0)).unwrap();
            (more.unwrap(), left)
        };
        assert_eq!(step(at(99)), (false, SWEEP + 2));
        assert_eq!(step(at(100)), (true, 2));
        assert_eq!(step(at(100)), (false, 1));
        let lane = LaneKey {
            account: AppId::parse("wx0123456789abcdef").unwrap(),
            user: OpenId::new("oUser7"),
        };
        assert!(find(&connection, &lane, at(100)).unwrap().is_some());
        assert!(find(&connection, &lane, at(101)).unwrap().is_none());
    }
}
