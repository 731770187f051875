-- The mirror's own rows of the appointments view, and the views of the auditors.
SET LOCAL ROLE ledger_owner;

-- The fold of each appointment's entries. It can be thrown away and made again from them; the insured person is in
-- clear, and is cleared when the person is erased.
CREATE TABLE ledger.appointments (
    appointment uuid PRIMARY KEY,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    processed timestamptz,
    schedule bigint NOT NULL,
    center bigint,
    specialty bigint,
    medic bigint,
    date timestamptz,
    version integer NOT NULL,
    insured text COLLATE "C" CHECK (insured ~ '^[0-9]{5}$'),
    country text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    reason text,
    message text,
    leaf bytea NOT NULL
) WITH (fillfactor = 80);

-- What an entry says; null when it is no JSON that PostgreSQL takes, such as one with \u0000. A stored column would
-- refuse that entry, and with it stop the mirror for ever.
CREATE FUNCTION ledger.said(entry bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN convert_from(entry, 'UTF8')::jsonb;
EXCEPTION
    WHEN data_exception OR program_limit_exceeded THEN RETURN NULL;
END $$;

-- Behind the barrier, a condition of the reader's own is tried on masked rows only. The order stands inside because
-- the planner can't look through a barrier: asked for pages by position it finds them ordered, and sorts nothing.
CREATE VIEW ledger.audit_events WITH (security_barrier) AS
    SELECT entry.position, entry.stream AS appointment, entry.version, entry.type, entry.at, entry.country,
        entry.actor, entry.correlation, (ledger.said(entry.entry) ->> 'causation')::uuid AS causation,
        ledger.said(entry.entry) -> 'data' AS data,
        (SELECT '***' || right(row.insured, 2) FROM ledger.appointments AS row WHERE row.appointment = entry.stream)
            AS insured,
        entry.id, entry.entry, entry.leaf, entry.previous
    FROM ledger.entries AS entry
    ORDER BY entry.position;

CREATE VIEW ledger.audit_appointments WITH (security_barrier) AS
    SELECT appointment, '***' || right(insured, 2) AS insured, country, status, created, updated, processed, schedule,
        center, specialty, medic, date, reason, message, version, leaf
    FROM ledger.appointments;

CREATE VIEW ledger.audit_conflicts WITH (security_barrier) AS
    SELECT id, at, position, stream AS appointment, version, reason, entry, leaf FROM ledger.conflicts;
