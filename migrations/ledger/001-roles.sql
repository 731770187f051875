-- The three roles of the ledger, and the schema that belongs to one of them.
--
--   ledger_owner    owns every object; nobody logs in as it
--   ledger_mirror   writes and reads the mirror: what `ledger mirror run` and `ledger serve --mirror` log in as
--   ledger_auditor  reads views in which insured persons are masked, and nothing else
--
-- Roles belong to the cluster, so another database may have made them already, or be making them at this moment. They
-- have no password: set one, or let them in by certificate or IAM.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        VALUES ('ledger_owner', 'NOLOGIN'), ('ledger_mirror', 'LOGIN'), ('ledger_auditor', 'LOGIN')
    LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I %s', wanted.column1, wanted.column2);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END $$;

-- A role of that name that was made for something else, with more rights, would undo all that follows.
DO $$
DECLARE
    mighty text;
BEGIN
    SELECT string_agg(role.rolname, ', ' ORDER BY role.rolname) INTO mighty
    FROM pg_roles AS role
    WHERE role.rolname IN ('ledger_owner', 'ledger_mirror', 'ledger_auditor')
        AND (role.rolsuper OR role.rolcreaterole OR role.rolcreatedb OR role.rolreplication OR role.rolbypassrls
            OR role.rolcanlogin AND role.rolname = 'ledger_owner'
            OR role.rolname <> 'ledger_owner' AND EXISTS (
                SELECT FROM pg_roles AS other
                WHERE pg_has_role(role.oid, other.oid, 'MEMBER') AND other.oid <> role.oid
                    AND (other.rolsuper OR other.rolname IN (
                        'ledger_owner', 'ledger_mirror', 'pg_read_all_data', 'pg_write_all_data',
                        'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'))));
    IF mighty IS NOT NULL THEN
        RAISE EXCEPTION 'roles % may do more than the ledger allows: take the rights away or drop them', mighty;
    END IF;
    -- Whoever migrates makes objects in the owner's name. A superuser may do so anyway.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT ledger_owner TO %I', current_user);
    END IF;
    -- Only the mirror needs temporary tables; an auditor could make functions in the temporary schema.
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO ledger_mirror', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ledger_auditor', current_database());
END $$;

-- Conveniences, not protection: an auditor may set them otherwise, and still has no right to write. With the default
-- cost of a random page, made for turning disks, the planner sorts a million rows rather than follow an index. Bitmaps
-- have no order: behind a security barrier, where the planner sees no LIMIT, they win and have thousands of rows made
-- ready for a page of 100.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        VALUES ('ledger_auditor', 'default_transaction_read_only = on'),
            ('ledger_auditor', 'statement_timeout = ''60s'''),
            ('ledger_auditor', 'random_page_cost = 1.1'), ('ledger_auditor', 'jit = off'),
            ('ledger_auditor', 'enable_bitmapscan = off'),
            ('ledger_mirror', 'random_page_cost = 1.1'), ('ledger_mirror', 'jit = off')
    LOOP
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET ', wanted.column1, current_database()) || wanted.column2;
    END LOOP;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA ledger AUTHORIZATION ledger_owner;
SET LOCAL ROLE ledger_owner;
GRANT USAGE ON SCHEMA ledger TO ledger_mirror, ledger_auditor;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
