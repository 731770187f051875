-- The tree over the leaves of all entries (RFC 6962 section 2.1): the entry at position p is the leaf p - 1. A worker
-- writes it with its batch. Entries from before this step are taken in by the workers, some thousand at a time; until
-- then the tree is smaller than the mirror.
SET LOCAL ROLE ledger_owner;

-- Its right edge: the size, eight bytes, and the roots of the largest complete subtrees.
ALTER TABLE ledger.head
    ADD COLUMN tree bytea NOT NULL DEFAULT '\x0000000000000000',
    ADD CONSTRAINT head_has_the_tree_of_its_entries
        CHECK (octet_length(tree) >= 8 AND substring(tree FROM 1 FOR 8) <= int8send(position));

-- The root of each complete tile, 256 hashes of a level that follow each other: it is a hash of the next level. The
-- hashes of level 0 are the leaves of the entries, and those of other levels the roots of the tiles below.
CREATE TABLE ledger.tiles (
    level integer NOT NULL CHECK (level BETWEEN 0 AND 7),
    index bigint NOT NULL CHECK (index >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    PRIMARY KEY (level, index)
);

CREATE TRIGGER tree_only_grows BEFORE UPDATE ON ledger.head
    FOR EACH ROW WHEN (substring(NEW.tree FROM 1 FOR 8) < substring(OLD.tree FROM 1 FOR 8))
    EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.head ENABLE ALWAYS TRIGGER tree_only_grows;
CREATE TRIGGER tiles_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.tiles
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
-- Logical replication fires only triggers of rows.
CREATE TRIGGER a_tile_never_changes BEFORE UPDATE OR DELETE ON ledger.tiles
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.tiles ENABLE ALWAYS TRIGGER tiles_never_change;
ALTER TABLE ledger.tiles ENABLE ALWAYS TRIGGER a_tile_never_changes;

GRANT UPDATE (tree) ON ledger.head TO ledger_mirror;
GRANT SELECT, INSERT ON ledger.tiles TO ledger_mirror;
