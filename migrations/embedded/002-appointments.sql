-- The rows of the view, and how far its consumers have come.
CREATE TABLE appointments (
    appointment BLOB PRIMARY KEY,
    insured TEXT,
    country TEXT NOT NULL,
    schedule INTEGER NOT NULL,
    created INTEGER NOT NULL,
    status TEXT NOT NULL,
    updated INTEGER NOT NULL,
    processed INTEGER,
    center INTEGER,
    specialty INTEGER,
    medic INTEGER,
    date INTEGER,
    reason TEXT,
    message TEXT,
    version INTEGER NOT NULL,
    leaf BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX appointments_by_insured ON appointments (insured, created);
CREATE INDEX appointments_by_status ON appointments (status, created);
CREATE INDEX appointments_by_country ON appointments (country, created);
CREATE TABLE checkpoints (projection TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE parked (
    projection TEXT NOT NULL,
    appointment BLOB NOT NULL,
    version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (projection, appointment, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE sweeps (
    appointment BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    rounds INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
