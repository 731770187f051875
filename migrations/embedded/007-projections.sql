-- Which consumers are held, and when each checkpoint last moved.
CREATE TABLE paused (projection TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
ALTER TABLE checkpoints ADD COLUMN moved INTEGER;
