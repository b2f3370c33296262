-- Who read tokens, and who reported them. Times are 0 for never, codes 0 for none.
CREATE TABLE client (
    account        TEXT NOT NULL,
    name           TEXT NOT NULL,
    reads          INTEGER NOT NULL,
    last_read_at   INTEGER NOT NULL,
    reports        INTEGER NOT NULL,
    last_report_at INTEGER NOT NULL,
    last_errcode   INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
