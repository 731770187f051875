-- The entries of all streams in one order, and what their writer keeps beside them.
SET LOCAL ROLE ledger_owner;

-- How far the mirror has come: one row. A worker locks it, compares it with what it read when it began, and so is
-- fenced off when another one was faster. Its position is the size of the tree; `leaf` of the entry there is the last.
CREATE TABLE ledger.head (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    -- Moves by itself, with the entries.
    position bigint NOT NULL DEFAULT 0,
    -- How far the feed was read.
    checkpoint bigint NOT NULL DEFAULT 0,
    -- When the checkpoint was last written.
    moved timestamptz
);
INSERT INTO ledger.head DEFAULT VALUES;

-- What is hashed is `entry`, to the byte; the other columns repeat what it says, so that queries can use indexes.
CREATE TABLE ledger.entries (
    position bigint PRIMARY KEY CHECK (position >= 1),
    at timestamptz NOT NULL,
    stream uuid NOT NULL,
    id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    type text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    correlation text COLLATE "C" NOT NULL,
    leaf bytea NOT NULL,
    previous bytea CHECK (octet_length(previous) = 32),
    entry bytea NOT NULL,
    -- The sealed fields as one JSON object of base64; null where there are none.
    sealed bytea,
    UNIQUE (stream, version),
    CONSTRAINT entries_hash_to_their_leaf CHECK (leaf = sha256('\x00'::bytea || entry)),
    CONSTRAINT entries_name_the_one_before CHECK ((previous IS NULL) = (version = 1))
);

-- The first and the last moment of every 4,096 positions. Positions follow time closely, though not exactly; `bounds`
-- turns a span of time into a span of positions with it. A page that lacks it reads all entries before the first one
-- that is wanted, since the planner does not know that positions follow time (measured in a million: 1.0 s, not 1 ms).
CREATE TABLE ledger.spans (
    number bigint PRIMARY KEY,
    earliest timestamptz NOT NULL,
    latest timestamptz NOT NULL
) WITH (fillfactor = 50);

-- All positions that an entry of these moments can have; none, as 1 to 0, when there is no such entry.
CREATE FUNCTION ledger.bounds(
    after timestamptz, until timestamptz, OUT first bigint, OUT last bigint
) LANGUAGE sql STABLE AS $$
    SELECT coalesce(min(number) * 4096 + 1, 1), coalesce((max(number) + 1) * 4096, 0)
    FROM ledger.spans
    WHERE latest >= coalesce(after, '-infinity') AND earliest <= coalesce(until, 'infinity')
$$;

-- Positions have no hole, by constraint: new entries stand one behind the other from the head on. One that is put back
-- where an entry was lost stands before it.
CREATE FUNCTION ledger.entries_arrive() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head bigint;
    last bigint;
    behind bigint;
BEGIN
    SELECT position INTO STRICT head FROM ledger.head FOR UPDATE;
    SELECT max(position), count(*) FILTER (WHERE position > head) INTO last, behind FROM arrived;
    IF last > head THEN
        IF behind <> last - head THEN
            RAISE EXCEPTION 'entries behind position % would leave a hole: number them from the head on', head
                USING ERRCODE = 'integrity_constraint_violation', TABLE = 'entries', SCHEMA = 'ledger';
        END IF;
        UPDATE ledger.head SET position = last;
    END IF;
    INSERT INTO ledger.spans AS span (number, earliest, latest)
        SELECT (position - 1) / 4096, min(at), max(at) FROM arrived GROUP BY 1
        ON CONFLICT (number) DO UPDATE SET
            earliest = least(span.earliest, excluded.earliest), latest = greatest(span.latest, excluded.latest);
    RETURN NULL;
END $$;
CREATE TRIGGER entries_arrive AFTER INSERT ON ledger.entries REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.entries_arrive();
ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_arrive;

-- Events that contradict what the mirror holds, kept beside it until somebody has looked. The mirror's own stays where
-- it is.
CREATE TABLE ledger.conflicts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    -- The place in the feed that it came from; null where the feed has none.
    position bigint,
    stream uuid NOT NULL,
    version integer NOT NULL,
    -- What it is said to hash to.
    leaf bytea NOT NULL UNIQUE,
    entry bytea NOT NULL,
    sealed bytea,
    reason text NOT NULL
);

-- Who asked the audit log for what. The filters name an insured person masked, never by the whole number.
CREATE TABLE ledger.audit_access (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    caller text NOT NULL,
    filters jsonb NOT NULL,
    rows integer NOT NULL CHECK (rows >= 0)
);
CREATE INDEX audit_access_by_time ON ledger.audit_access (at);
