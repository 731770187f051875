-- The tree over the leaves of all events (RFC 6962 section 2.1): the event at position p is the leaf p - 1. Its right
-- edge stands next to the position of the last event, and moves in the same statement: its size, eight bytes, and the
-- roots of its largest complete subtrees. Events from before this step are taken in while the program runs, some
-- thousand in a transaction; until then the tree is smaller than the log.
ALTER TABLE head ADD COLUMN tree BLOB NOT NULL DEFAULT x'0000000000000000';
CREATE TRIGGER tree_only_grows BEFORE UPDATE ON head
    WHEN length(NEW.tree) < 8 OR substr(NEW.tree, 1, 8) < substr(OLD.tree, 1, 8)
    BEGIN SELECT RAISE(ABORT, 'no leaf is taken out of the tree'); END;

-- Each complete tile: 256 hashes of a level that follow each other, and their root, which is a hash of the next level.
-- Its place is level · 2^48 + index. The root stands first: those of many tiles are read without their hashes.
CREATE TABLE tiles (
    place INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    hashes BLOB NOT NULL
) STRICT;
CREATE TRIGGER tiles_are_never_updated BEFORE UPDATE ON tiles
    BEGIN SELECT RAISE(ABORT, 'a tile is never changed'); END;
CREATE TRIGGER tiles_are_never_deleted BEFORE DELETE ON tiles
    BEGIN SELECT RAISE(ABORT, 'a tile is never deleted'); END;
CREATE TRIGGER tiles_are_never_replaced BEFORE INSERT ON tiles
    WHEN EXISTS (SELECT 1 FROM tiles WHERE place = NEW.place)
    BEGIN SELECT RAISE(ABORT, 'a tile is never replaced'); END;
