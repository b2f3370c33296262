CREATE TABLE component_ticket (
    component   TEXT PRIMARY KEY,      -- AppID
    ticket      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,      -- the platform's CreateTime
    received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
