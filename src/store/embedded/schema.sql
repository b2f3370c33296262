-- What an update changes stands first, what never changes after it.
CREATE TABLE push (
    id          INTEGER PRIMARY KEY,   -- wall milliseconds << 20, then counting
    state       INTEGER NOT NULL,      -- 0 pending, 1 done, 2 retry, 3 dead, 4 malformed
    run         INTEGER NOT NULL,
    starts      INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    retry_at    INTEGER,               -- milliseconds since 1970, as every time here
    repeats     INTEGER NOT NULL,
    reason      TEXT,
    kind        INTEGER NOT NULL,      -- 0 message, 1 event, 2 notice, 3 malformed
    received_at INTEGER NOT NULL,
    account     TEXT NOT NULL,
    user        TEXT NOT NULL,
    verified    TEXT NOT NULL,
    key         BLOB NOT NULL,
    body        BLOB NOT NULL
) STRICT;

-- Only what stands aside, so that the usual push never touches it.
CREATE INDEX push_aside ON push (state, retry_at, id) WHERE state > 1;

-- In the order of arrival; looked up in memory. Never indexed by key.
CREATE TABLE seen (
    id  INTEGER PRIMARY KEY,
    at  INTEGER NOT NULL,
    key BLOB NOT NULL
) STRICT;

CREATE TABLE attempt (
    push       INTEGER NOT NULL,
    run        INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    route      TEXT NOT NULL,
    ended      INTEGER NOT NULL,       -- 0 well, 1 failed, 2 gave up, 3 timed out, 4 panicked
    error      TEXT,
    PRIMARY KEY (push, run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE part (
    push       INTEGER NOT NULL,
    run        INTEGER NOT NULL,
    ordinal    INTEGER NOT NULL,
    state      INTEGER NOT NULL,       -- 0 waiting, 1 sending, 2 unknown, 3 sent, 4 refused
    changed_at INTEGER NOT NULL,
    error_code INTEGER,
    rid        TEXT,
    detail     TEXT,
    account    TEXT NOT NULL,
    to_user    TEXT NOT NULL,
    message    BLOB NOT NULL,
    PRIMARY KEY (push, run, ordinal)
) STRICT, WITHOUT ROWID;

CREATE INDEX part_open ON part (state, push, run, ordinal) WHERE state < 3;

-- Pushes of full lanes; emptied at every start.
CREATE TABLE spill (
    account TEXT NOT NULL,
    user    TEXT NOT NULL,
    push    INTEGER NOT NULL,
    PRIMARY KEY (account, user, push)
) STRICT, WITHOUT ROWID;

-- low_water: no push below it is pending.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('low_water', 0);
