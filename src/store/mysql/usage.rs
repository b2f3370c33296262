//! Uses in MySQL or MariaDB: one row for each account and client.

use sqlx::Row as _;
use sqlx::mysql::MySqlRow;

use super::{MysqlTokens, execute, failure};
use crate::clock::Timestamp;
use crate::id::AppId;
use crate::store::tokens::{Promise, TokensError};
use crate::store::usage::{CLIENTS_KEPT, ClientUse, TokenUsage};

pub(super) const CLIENTS_TABLE: &str = "CREATE TABLE IF NOT EXISTS wxhook_token_clients (
    account VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    client VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    read_count BIGINT UNSIGNED NOT NULL,
    last_read_ms BIGINT NOT NULL,
    report_count BIGINT UNSIGNED NOT NULL,
    last_report_ms BIGINT NOT NULL,
    last_errcode BIGINT NOT NULL,
    PRIMARY KEY (account, client)
) ENGINE = InnoDB";

/// The code is assigned before the time with which it is compared.
const ADD: &str = "INSERT INTO wxhook_token_clients
    (account, client, read_count, last_read_ms, report_count, last_report_ms, last_errcode)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE
    read_count = read_count + VALUES(read_count),
    last_read_ms = GREATEST(last_read_ms, VALUES(last_read_ms)),
    report_count = report_count + VALUES(report_count),
    last_errcode = IF(VALUES(report_count) > 0 AND VALUES(last_report_ms) >= last_report_ms,
        VALUES(last_errcode), last_errcode),
    last_report_ms = GREATEST(last_report_ms, VALUES(last_report_ms))";

const USES: &str =
    "SELECT client, read_count, last_read_ms, report_count, last_report_ms, last_errcode
    FROM wxhook_token_clients WHERE account = ?
    ORDER BY GREATEST(last_read_ms, last_report_ms) DESC, client";

const OLDEST: &str = "SELECT client FROM wxhook_token_clients WHERE account = ?
    ORDER BY GREATEST(last_read_ms, last_report_ms) DESC, client LIMIT 1000 OFFSET ?";

const FORGET: &str = "DELETE FROM wxhook_token_clients WHERE account = ? AND client = ?";

fn use_of(row: &MySqlRow) -> Result<ClientUse, TokensError> {
    let moment = |index| row.try_get(index).map(Timestamp::from_milliseconds);
    Ok(ClientUse {
        client: row.try_get(0).map_err(failure)?,
        reads: row.try_get(1).map_err(failure)?,
        last_read_at: moment(2).map_err(failure)?,
        reports: row.try_get(3).map_err(failure)?,
        last_report_at: moment(4).map_err(failure)?,
        last_errcode: row.try_get(5).map_err(failure)?,
    })
}

impl TokenUsage for MysqlTokens {
    fn add<'a>(&'a self, account: &'a AppId, uses: &'a [ClientUse]) -> Promise<'a, ()> {
        Box::pin(self.work(async move |connection| {
            for used in uses {
                let add = sqlx::query(ADD)
                    .bind(account.as_str())
                    .bind(&used.client)
                    .bind(used.reads)
                    .bind(used.last_read_at.milliseconds())
                    .bind(used.reports)
                    .bind(used.last_report_at.milliseconds())
                    .bind(used.last_errcode);
                execute(connection, add).await?;
            }
            let oldest = sqlx::query(OLDEST)
                .bind(account.as_str())
                .bind(CLIENTS_KEPT as u64)
                .fetch_all(&mut *connection)
                .await
                .map_err(failure)?;
            for row in &oldest {
                let client: String = row.try_get(0).map_err(failure)?;
                let forget = sqlx::query(FORGET).bind(account.as_str()).bind(client);
                execute(connection, forget).await?;
            }
            Ok(())
        }))
    }

    fn uses<'a>(&'a self, account: &'a AppId) -> Promise<'a, Vec<ClientUse>> {
        Box::pin(self.work(async move |connection| {
            let query = sqlx::query(USES).bind(account.as_str());
            let rows = query.fetch_all(&mut *connection).await.map_err(failure)?;
            rows.iter().map(use_of).collect()
        }))
    }
}
