//! Uses in the file of the tokens: one row for each account and client.

use rusqlite::{Row, Transaction, params};

use super::EmbeddedTokens;
use crate::clock::Timestamp;
use crate::id::AppId;
use crate::store::tokens::Promise;
use crate::store::usage::{CLIENTS_KEPT, ClientUse, TokenUsage};

/// An assignment sees the row as it was before the statement.
const ADD: &str = "INSERT INTO client VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
    reads = reads + excluded.reads, \
    last_read_at = max(last_read_at, excluded.last_read_at), \
    reports = reports + excluded.reports, \
    last_errcode = iif(excluded.reports > 0 AND excluded.last_report_at >= last_report_at, \
        excluded.last_errcode, last_errcode), \
    last_report_at = max(last_report_at, excluded.last_report_at)";

const FORGET: &str = "DELETE FROM client WHERE account = ?1 AND name IN (SELECT name FROM client \
    WHERE account = ?1 ORDER BY max(last_read_at, last_report_at) DESC, name LIMIT -1 OFFSET ?2)";

const USES: &str = "SELECT name, reads, last_read_at, reports, last_report_at, last_errcode \
    FROM client WHERE account = ?1 ORDER BY max(last_read_at, last_report_at) DESC, name";

fn add(step: &Transaction<'_>, account: &AppId, uses: &[ClientUse]) -> rusqlite::Result<()> {
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    for used in uses {
        step.prepare_cached(ADD)?.execute(params![
            account.as_str(),
            used.client,
            count(used.reads),
            used.last_read_at.milliseconds(),
            count(used.reports),
            used.last_report_at.milliseconds(),
            used.last_errcode,
        ])?;
    }
    let kept = params![account.as_str(), CLIENTS_KEPT as i64];
    step.prepare_cached(FORGET)?.execute(kept)?;
    Ok(())
}

fn use_of(row: &Row<'_>) -> rusqlite::Result<ClientUse> {
    let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let at = |column| row.get(column).map(Timestamp::from_milliseconds);
    Ok(ClientUse {
        client: row.get(0)?,
        reads: count(1)?,
        last_read_at: at(2)?,
        reports: count(3)?,
        last_report_at: at(4)?,
        last_errcode: row.get(5)?,
    })
}

impl TokenUsage for EmbeddedTokens {
    fn add<'a>(&'a self, account: &'a AppId, uses: &'a [ClientUse]) -> Promise<'a, ()> {
        let (account, uses) = (account.clone(), uses.to_vec());
        self.step(move |step, _| add(step, &account, &uses))
    }

    fn uses<'a>(&'a self, account: &'a AppId) -> Promise<'a, Vec<ClientUse>> {
        let account = account.clone();
        self.step(move |step, _| {
            let mut statement = step.prepare_cached(USES)?;
            let rows = statement.query_map([account.as_str()], use_of)?;
            rows.collect()
        })
    }
}
