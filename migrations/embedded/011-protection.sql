-- `REPLACE` and `UPDATE OR REPLACE` take the place of a row that is there, and fire no trigger of its deletion unless
-- the connection has set `recursive_triggers`: these triggers need no setting.
CREATE TRIGGER events_are_never_replaced BEFORE INSERT ON events
    WHEN EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
        OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version)
    BEGIN SELECT RAISE(ABORT, 'an event is never replaced'); END;
CREATE TRIGGER head_is_never_replaced BEFORE INSERT ON head WHEN EXISTS (SELECT 1 FROM head)
    BEGIN SELECT RAISE(ABORT, 'a position is never used twice'); END;

-- How far each chain of records has come: when records are cut off at the end of a chain, this row tells.
CREATE TABLE record_chains (
    name TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER chains_only_grow BEFORE UPDATE ON record_chains
    WHEN NEW.count <= OLD.count OR NEW.name <> OLD.name
    BEGIN SELECT RAISE(ABORT, 'a chain of records only grows'); END;
CREATE TRIGGER chains_are_never_deleted BEFORE DELETE ON record_chains
    BEGIN SELECT RAISE(ABORT, 'a chain of records only grows'); END;
CREATE TRIGGER chains_are_never_replaced BEFORE INSERT ON record_chains
    WHEN EXISTS (SELECT 1 FROM record_chains WHERE name = NEW.name)
    BEGIN SELECT RAISE(ABORT, 'a chain of records only grows'); END;
ALTER TABLE audit_access ADD COLUMN hash BLOB;
DROP TRIGGER accesses_are_never_updated;

-- The accesses become a chain; those of before are taken in as they stand.
-- code: chain the accesses

CREATE TRIGGER accesses_are_never_updated BEFORE UPDATE ON audit_access
    BEGIN SELECT RAISE(ABORT, 'an access is never changed'); END;
CREATE TRIGGER accesses_are_never_replaced BEFORE INSERT ON audit_access
    WHEN EXISTS (SELECT 1 FROM audit_access WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'an access is never replaced'); END;
CREATE TRIGGER accesses_are_chained BEFORE INSERT ON audit_access
    WHEN NEW.hash IS NULL OR length(NEW.hash) <> 32
    BEGIN SELECT RAISE(ABORT, 'an access has the hash of its chain'); END;
