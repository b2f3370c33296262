-- Where the conversation with a user stands: at most one for each user of an account.
CREATE TABLE conversation (
    account    TEXT NOT NULL,          -- AppID
    user       TEXT NOT NULL,
    expires_at INTEGER NOT NULL,       -- milliseconds since 1970
    type_name  TEXT NOT NULL,
    state      TEXT NOT NULL,          -- JSON
    PRIMARY KEY (account, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_end ON conversation (expires_at);

-- How the attempt changed its user's conversation: 0 set, 1 cleared, null not at all.
ALTER TABLE attempt ADD COLUMN conversation INTEGER;
