-- The copies of the view's tables that stand next to the live one.
CREATE TABLE view_sets (
    name TEXT PRIMARY KEY,
    projection TEXT NOT NULL,
    number INTEGER NOT NULL,
    began INTEGER NOT NULL,
    through BLOB,
    events INTEGER NOT NULL,
    position INTEGER,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
