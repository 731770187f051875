-- The last checkpoint that a monitor accepted, and how many entries it has checked.
CREATE TABLE log (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    note BLOB NOT NULL,
    entries INTEGER NOT NULL CHECK (entries >= 0),
    opaque INTEGER NOT NULL CHECK (opaque IN (0, 1))
) STRICT;

-- The leaves of the entries that were checked, 256 in a row.
CREATE TABLE tiles (
    tile INTEGER PRIMARY KEY,
    leaves BLOB NOT NULL CHECK (length(leaves) % 32 = 0)
) STRICT;

-- The last version of each stream in these entries.
CREATE TABLE heads (
    stream BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    leaf BLOB NOT NULL
) STRICT, WITHOUT ROWID;
