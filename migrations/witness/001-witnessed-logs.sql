-- What a witness signed last of each log, by the SHA-256 of the log's origin.
CREATE TABLE logs (
    log BLOB PRIMARY KEY CHECK (length(log) = 32),
    size INTEGER NOT NULL CHECK (size >= 0),
    note BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER logs_never_shrink BEFORE UPDATE ON logs WHEN NEW.size < OLD.size OR NEW.log <> OLD.log
    BEGIN SELECT RAISE(ABORT, 'a witness never signs a smaller log'); END;

CREATE TRIGGER logs_stay BEFORE DELETE ON logs
    BEGIN SELECT RAISE(ABORT, 'a witness forgets no log'); END;
