-- The indexes that only readers need. A backfill into an empty mirror lays them aside and builds them at its end:
-- kept up row by row, they cost more than all else together.
SET LOCAL ROLE ledger_owner;

-- Each filter of an audit query in the order of its pages, and the lists of appointments. What is there stays.
CREATE FUNCTION ledger.build_indexes() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET maintenance_work_mem = '256MB' AS $$
    CREATE INDEX IF NOT EXISTS entries_by_type ON ledger.entries (type, position);
    CREATE INDEX IF NOT EXISTS entries_by_country ON ledger.entries (country, position);
    CREATE INDEX IF NOT EXISTS entries_by_actor ON ledger.entries (actor, position);
    CREATE INDEX IF NOT EXISTS entries_by_correlation ON ledger.entries (correlation, position);
    CREATE INDEX IF NOT EXISTS entries_by_time ON ledger.entries (at, position);
    CREATE INDEX IF NOT EXISTS appointments_by_insured ON ledger.appointments (insured, created, appointment);
    CREATE INDEX IF NOT EXISTS appointments_by_status ON ledger.appointments (status, created, appointment);
    CREATE INDEX IF NOT EXISTS appointments_by_country ON ledger.appointments (country, created, appointment);
$$;

CREATE FUNCTION ledger.drop_indexes() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DROP INDEX IF EXISTS ledger.entries_by_type, ledger.entries_by_country, ledger.entries_by_actor,
        ledger.entries_by_correlation, ledger.entries_by_time, ledger.appointments_by_insured,
        ledger.appointments_by_status, ledger.appointments_by_country;
$$;

SELECT ledger.build_indexes();
