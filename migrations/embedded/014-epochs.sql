-- The ledger's identity: a row for each of its epochs, the last one counts. A ledger gets its first when it is
-- opened, since one that is an old copy has an identity already, which stands outside of it.
CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY CHECK (epoch >= 1),
    ledger BLOB NOT NULL CHECK (length(ledger) = 16),
    position INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER epochs_are_never_updated BEFORE UPDATE ON epochs
    BEGIN SELECT RAISE(ABORT, 'an epoch is never changed'); END;
CREATE TRIGGER epochs_are_never_deleted BEFORE DELETE ON epochs
    BEGIN SELECT RAISE(ABORT, 'an epoch is never deleted'); END;
