-- Who looked at the history.
CREATE TABLE audit_access (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    caller TEXT NOT NULL,
    filters TEXT NOT NULL,
    rows INTEGER NOT NULL
) STRICT;
CREATE TRIGGER accesses_are_never_updated BEFORE UPDATE ON audit_access
    BEGIN SELECT RAISE(ABORT, 'an access is never changed'); END;
CREATE TRIGGER accesses_are_never_deleted BEFORE DELETE ON audit_access
    BEGIN SELECT RAISE(ABORT, 'an access is never deleted'); END;
