//! Whether a store's file holds together, and its rows among each other.

use rusqlite::Connection;

/// Faults told at most, of each kind.
const FAULTS: u32 = 20;

/// What must be nowhere: a name for it, and how it is found.
const RULES: &[(&str, &str)] = &[
    (
        "reply parts of no push",
        "SELECT count(*) FROM part WHERE NOT EXISTS (SELECT 1 FROM push WHERE push.id = part.push)",
    ),
    (
        "attempts of no push",
        "SELECT count(*) FROM attempt WHERE NOT EXISTS \
         (SELECT 1 FROM push WHERE push.id = attempt.push)",
    ),
    (
        "parts of a run that has not begun",
        "SELECT count(*) FROM part JOIN push ON push.id = part.push WHERE part.run > push.run",
    ),
    (
        "pending pushes below the low-water mark, which no server would find",
        "SELECT count(*) FROM push WHERE state = 0 \
         AND id < (SELECT value FROM meta WHERE name = 'low_water')",
    ),
    (
        "conversations whose state is no JSON",
        "SELECT count(*) FROM conversation WHERE NOT json_valid(state)",
    ),
    (
        "pushes to be tried again at no time",
        "SELECT count(*) FROM push WHERE state = 2 AND state > 1 AND retry_at IS NULL",
    ),
];

/// Everything that is wrong; empty when all is well. Reads the whole file.
pub(super) fn faults(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({FAULTS})"))?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut faults = lines.collect::<Result<Vec<_>, _>>()?;
    faults.retain(|line| line != "ok");
    if !faults.is_empty() {
        // Of a damaged file no count can be trusted.
        return Ok(faults);
    }
    for (what, sql) in RULES {
        let count: i64 = connection.query_one(sql, [], |row| row.get(0))?;
        if count > 0 {
            faults.push(format!("{count} {what}"));
        }
    }
    Ok(faults)
}
