-- A role a country: what its functions log in as. Each claims and gives back the slots of its own country and may do
-- nothing else, in whichever database this is; slots are imported by whoever migrates. Roles belong to the cluster, so
-- another database may have made them already, or be making them at this moment. They have no password: set one, or let
-- them in by certificate or IAM.
DO $$
DECLARE
    wanted text;
    mighty text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['ledger_pe', 'ledger_cl'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    -- A role of that name that was made for something else, with more rights, would undo all that follows.
    SELECT string_agg(role.rolname, ', ' ORDER BY role.rolname) INTO mighty
    FROM pg_roles AS role
    WHERE role.rolname IN ('ledger_pe', 'ledger_cl')
        AND (role.rolsuper OR role.rolcreaterole OR role.rolcreatedb OR role.rolreplication OR role.rolbypassrls
            OR EXISTS (
                SELECT FROM pg_roles AS other
                WHERE pg_has_role(role.oid, other.oid, 'MEMBER') AND other.oid <> role.oid
                    AND (other.rolsuper OR other.rolname LIKE 'ledger\_%' OR other.rolname IN (
                        'pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files',
                        'pg_execute_server_program'))));
    IF mighty IS NOT NULL THEN
        RAISE EXCEPTION 'roles % may do more than the ledger allows: take the rights away or drop them', mighty;
    END IF;
END $$;

GRANT USAGE ON SCHEMA clinical TO ledger_pe, ledger_cl;
-- Locking a row of a slot takes the right to change something about it: its number, which a trigger lets nobody change.
CREATE FUNCTION clinical.keep_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a slot keeps its number' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER a_slot_keeps_its_number BEFORE UPDATE OF schedule ON clinical.schedules FOR EACH ROW
    WHEN (OLD.schedule IS DISTINCT FROM NEW.schedule) EXECUTE FUNCTION clinical.keep_number();
GRANT SELECT, UPDATE (schedule) ON clinical.schedules TO ledger_pe, ledger_cl;
GRANT SELECT, INSERT, UPDATE (released) ON clinical.appointments_pe TO ledger_pe;
GRANT SELECT, INSERT, UPDATE (released) ON clinical.appointments_cl TO ledger_cl;
GRANT SELECT, INSERT ON clinical.refusals_pe TO ledger_pe;
GRANT SELECT, INSERT ON clinical.refusals_cl TO ledger_cl;
