-- Which ledger the mirror belongs to, and which epoch of it: a ledger that was put back to an older copy begins a new
-- one. Null until a ledger has claimed it.
SET LOCAL ROLE ledger_owner;

ALTER TABLE ledger.head
    ADD COLUMN ledger uuid,
    ADD COLUMN epoch bigint CHECK (epoch >= 1),
    ADD CONSTRAINT head_names_ledger_and_epoch CHECK ((ledger IS NULL) = (epoch IS NULL));

-- A mirror that belongs to a ledger is never made another's: that one gets a database of its own.
CREATE TRIGGER head_keeps_its_ledger BEFORE UPDATE ON ledger.head
    FOR EACH ROW WHEN (OLD.ledger IS NOT NULL AND NEW.ledger IS DISTINCT FROM OLD.ledger)
    EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.head ENABLE ALWAYS TRIGGER head_keeps_its_ledger;
GRANT UPDATE (ledger, epoch) ON ledger.head TO ledger_mirror;

-- Entries of a past that the ledger does not have any more, since it was put back: `ledger mirror rewind` moves them
-- here. `position` is where they stood, `ledger` and `epoch` are those that the mirror belonged to then.
CREATE TABLE ledger.set_aside (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    moved timestamptz NOT NULL DEFAULT clock_timestamp(),
    ledger uuid,
    epoch bigint,
    position bigint NOT NULL,
    at timestamptz NOT NULL,
    stream uuid NOT NULL,
    version integer NOT NULL,
    type text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    leaf bytea NOT NULL,
    entry bytea NOT NULL,
    sealed bytea
);
CREATE TRIGGER set_aside_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.set_aside
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.set_aside ENABLE ALWAYS TRIGGER set_aside_never_changes;

-- Copies the entries behind a position to the others that were set aside, and takes away the rows that were made with
-- them; gives how many entries that were. The caller then takes the entries away.
CREATE FUNCTION ledger.set_aside_behind(place bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    count bigint;
BEGIN
    INSERT INTO ledger.set_aside
            (ledger, epoch, position, at, stream, version, type, country, actor, leaf, entry, sealed)
        SELECT head.ledger, head.epoch, entry.position, entry.at, entry.stream, entry.version, entry.type,
            entry.country, entry.actor, entry.leaf, entry.entry, entry.sealed
        FROM ledger.entries AS entry CROSS JOIN ledger.head WHERE entry.position > place ORDER BY entry.position;
    GET DIAGNOSTICS count = ROW_COUNT;
    DELETE FROM ledger.appointments AS row USING ledger.entries AS entry
        WHERE entry.position > place AND row.appointment = entry.stream;
    RETURN count;
END $$;

-- What auditors read of them; sealed fields are left out.
CREATE VIEW ledger.audit_set_aside WITH (security_barrier) AS
    SELECT id, moved, ledger, epoch, position, at, stream AS appointment, version, type, country, actor, leaf, entry
    FROM ledger.set_aside ORDER BY id;
GRANT SELECT ON ledger.audit_set_aside TO ledger_auditor;
GRANT SELECT ON ledger.set_aside TO ledger_mirror;
