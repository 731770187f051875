-- What the planner knows of the tables. A mirror that was just filled is known to it only once autovacuum has come by:
-- until then a page of the events of a type since a time took 136 ms, and 5 ms with statistics (400,000 events). Only
-- the owner may gather them.
SET LOCAL ROLE ledger_owner;

CREATE FUNCTION ledger.gather_statistics() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    ANALYZE ledger.entries, ledger.appointments, ledger.spans;
$$;

GRANT EXECUTE ON FUNCTION ledger.gather_statistics TO ledger_mirror;
