-- Nobody changes an entry, and nobody has more rights than the work needs.
SET LOCAL ROLE ledger_owner;

CREATE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: it only grows', lower(TG_OP), TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END $$;

-- For each statement, so that one that finds no row is refused as well; for each row, because logical replication
-- fires only those. ALWAYS: also when session_replication_role is `replica`.
CREATE TRIGGER entries_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER an_entry_never_changes BEFORE UPDATE OR DELETE ON ledger.entries
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_never_change;
ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER an_entry_never_changes;

CREATE TRIGGER access_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.audit_access
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.audit_access ENABLE ALWAYS TRIGGER access_never_changes;

CREATE TRIGGER head_stays BEFORE DELETE OR TRUNCATE ON ledger.head
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER head_only_grows BEFORE UPDATE ON ledger.head
    FOR EACH ROW WHEN (NEW.position < OLD.position) EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.head ENABLE ALWAYS TRIGGER head_stays;
ALTER TABLE ledger.head ENABLE ALWAYS TRIGGER head_only_grows;

-- Tables are PUBLIC's by no default; what is granted here is all there is.
GRANT SELECT, INSERT ON ledger.entries, ledger.conflicts, ledger.audit_access TO ledger_mirror;
GRANT SELECT, UPDATE (checkpoint, moved) ON ledger.head TO ledger_mirror;
GRANT SELECT ON ledger.spans TO ledger_mirror;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.appointments TO ledger_mirror;
GRANT EXECUTE ON FUNCTION ledger.bounds, ledger.build_indexes, ledger.drop_indexes TO ledger_mirror;
GRANT SELECT ON ledger.audit_events, ledger.audit_appointments, ledger.audit_conflicts TO ledger_auditor;
GRANT EXECUTE ON FUNCTION ledger.said TO ledger_auditor;
