CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    body BLOB NOT NULL,
    sent INTEGER NOT NULL,
    visible INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    receipt INTEGER,
    reason TEXT
) STRICT;
CREATE INDEX messages_by_queue ON messages (queue, visible);
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    body BLOB NOT NULL,
    sent INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    reason TEXT,
    dead INTEGER NOT NULL
) STRICT;
