-- Positions come from the head row, in the transaction that writes the event, so that they have no holes and
-- none is used twice. Streams are keyed by the 16 bytes of their UUID.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream BLOB NOT NULL,
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    country TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    correlation TEXT NOT NULL,
    leaf BLOB NOT NULL,
    entry BLOB NOT NULL,
    sealed BLOB
) STRICT;
CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL) STRICT;
INSERT INTO head VALUES (1, 0);
CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'an event is never deleted'); END;
CREATE TRIGGER head_only_grows BEFORE UPDATE ON head WHEN NEW.position < OLD.position
    BEGIN SELECT RAISE(ABORT, 'a position is never used twice'); END;
CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON head
    BEGIN SELECT RAISE(ABORT, 'a position is never used twice'); END;
CREATE TABLE subjects (
    country TEXT NOT NULL,
    insured TEXT NOT NULL,
    id BLOB NOT NULL UNIQUE,
    key_number INTEGER NOT NULL,
    wrapped_key BLOB NOT NULL,
    PRIMARY KEY (country, insured)
) STRICT, WITHOUT ROWID;
