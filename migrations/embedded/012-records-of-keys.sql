-- A holder may have several keys. Each change of one is a record that names the hash of the one before.
CREATE TABLE new_api_keys (
    digest BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO new_api_keys SELECT digest, name, role, created, revoked FROM api_keys;
DROP TABLE api_keys;
ALTER TABLE new_api_keys RENAME TO api_keys;
CREATE INDEX api_keys_by_name ON api_keys (name);
CREATE TABLE key_records (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    change TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    digest TEXT,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX key_records_by_name ON key_records (name, number);
CREATE TRIGGER key_records_are_never_updated BEFORE UPDATE ON key_records
    BEGIN SELECT RAISE(ABORT, 'a record of a key is never changed'); END;
CREATE TRIGGER key_records_are_never_deleted BEFORE DELETE ON key_records
    BEGIN SELECT RAISE(ABORT, 'a record of a key is never deleted'); END;
CREATE TRIGGER key_records_are_never_replaced BEFORE INSERT ON key_records
    WHEN EXISTS (SELECT 1 FROM key_records WHERE number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'a record of a key is never replaced'); END;

-- Keys of before get their records.
-- code: adopt the keys
