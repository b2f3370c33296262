-- Every time is in milliseconds since 1970.
CREATE TABLE token (
    account      TEXT NOT NULL,        -- AppID
    kind         TEXT NOT NULL,        -- stable, plain, jsapi, wx_card
    token        TEXT NOT NULL,
    generation   INTEGER NOT NULL,
    obtained_at  INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    obtained_by  TEXT NOT NULL,
    PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;

-- Who may ask the platform. The row stays, for its fence; until is 0 when nobody may.
CREATE TABLE permit (
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    owner   TEXT NOT NULL,
    until   INTEGER NOT NULL,
    fence   INTEGER NOT NULL,
    PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE note (
    id      INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    what    TEXT NOT NULL
) STRICT;

CREATE INDEX note_of ON note (account, kind, id);
