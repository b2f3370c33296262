-- written_at is in milliseconds since 1970.
CREATE TABLE counter (
    account    TEXT NOT NULL,        -- AppID
    period     TEXT NOT NULL,        -- 2026-11-25, 2026-11
    counter    TEXT NOT NULL,
    total      INTEGER NOT NULL,
    written_at INTEGER NOT NULL,
    PRIMARY KEY (account, period, counter)
) STRICT, WITHOUT ROWID;

CREATE INDEX counter_written ON counter (written_at);
