-- Small gaps round the roles of a country's database. Some of it only a superuser may do: where another migrates, a
-- notice says what is left.
DO $$
DECLARE
    mighty boolean := (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
    named text;
BEGIN
    -- Anybody who may connect can fill the disk with large objects; the countries have none.
    IF mighty THEN
        FOR named IN
            SELECT oid::regprocedure::text FROM pg_proc
            WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN (
                'lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', 'lowrite', 'lo_open', 'loread', 'lo_get',
                'lo_truncate', 'lo_truncate64', 'lo_unlink', 'lo_lseek', 'lo_lseek64', 'lo_tell', 'lo_tell64',
                'lo_close', 'lo_import', 'lo_export')
        LOOP
            EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || named || ' FROM PUBLIC';
        END LOOP;
    ELSE
        RAISE NOTICE 'large objects stay open to everybody: have a superuser revoke the lo_ functions from PUBLIC';
    END IF;
    FOREACH named IN ARRAY ARRAY['ledger_pe', 'ledger_cl'] LOOP
        BEGIN
            EXECUTE format('ALTER ROLE %I IN DATABASE %I SET log_error_verbosity = terse', named, current_database());
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'refused rows stay in the log of the server: have a superuser set log_error_verbosity';
        END;
    END LOOP;
    -- An auditor of the ledger has nothing to do here. Whoever works in a schema of this database works on, and whoever
    -- migrates also imports, with tables of a session.
    EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    FOR named IN
        SELECT role.rolname FROM pg_roles AS role
        WHERE NOT role.rolsuper AND role.rolname NOT LIKE 'pg\_%' AND (role.rolname = current_user OR EXISTS (
            SELECT FROM pg_namespace AS schema
            WHERE schema.nspname NOT IN ('public', 'migration', 'information_schema')
                AND schema.nspname NOT LIKE 'pg\_%' AND has_schema_privilege(role.oid, schema.oid, 'USAGE')))
    LOOP
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), named);
    END LOOP;
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), current_user);
END $$;
