-- Accesses become a chain: each row has the hash of its columns behind that of the row before, so that none can be
-- changed, taken out or put in without `ledger verify --mirror` seeing it. Those of before are taken in as they stand.
SET LOCAL ROLE ledger_owner;

-- How far each chain has come: one that was cut off at its end is found by it.
CREATE TABLE ledger.record_chains (
    name text COLLATE "C" PRIMARY KEY,
    count bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

-- A field as it is hashed: how many bytes it has in UTF-8, a colon, the bytes and a comma; `~,` where there is none.
CREATE FUNCTION ledger.chained(field text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        convert_to(octet_length(convert_to(field, 'UTF8')) || ':', 'UTF8') || convert_to(field, 'UTF8') || '\x2c',
        '\x7e2c')
$$;

ALTER TABLE ledger.audit_access ADD COLUMN number bigint UNIQUE, ADD COLUMN hash bytea;

CREATE FUNCTION ledger.access_hash(before bytea, access ledger.audit_access) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(
        before || ledger.chained(access.number::text)
            || ledger.chained(((extract(epoch FROM access.at) * 1000000)::bigint)::text)
            || ledger.chained(access.caller) || ledger.chained(access.filters::text)
            || ledger.chained(access.rows::text))
$$;

ALTER TABLE ledger.audit_access DISABLE TRIGGER access_never_changes;
DO $$
DECLARE
    access ledger.audit_access;
    last bytea := sha256('accesses');
    place bigint := 0;
BEGIN
    FOR access IN SELECT * FROM ledger.audit_access ORDER BY id LOOP
        place := place + 1;
        access.number := place;
        last := ledger.access_hash(last, access);
        UPDATE ledger.audit_access AS kept SET number = access.number, hash = last WHERE kept.id = access.id;
    END LOOP;
    INSERT INTO ledger.record_chains VALUES ('accesses', place, last);
END $$;
ALTER TABLE ledger.audit_access ENABLE ALWAYS TRIGGER access_never_changes;
ALTER TABLE ledger.audit_access ALTER COLUMN number SET NOT NULL, ALTER COLUMN hash SET NOT NULL;

-- Whoever inserts names neither place nor hash: the row of the chain, locked until the commit, gives the one behind it.
CREATE FUNCTION ledger.chain_access() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chain ledger.record_chains;
BEGIN
    SELECT * INTO STRICT chain FROM ledger.record_chains WHERE name = 'accesses' FOR UPDATE;
    NEW.number := chain.count + 1;
    NEW.hash := ledger.access_hash(chain.hash, NEW);
    UPDATE ledger.record_chains SET count = NEW.number, hash = NEW.hash WHERE name = 'accesses';
    RETURN NEW;
END $$;
CREATE TRIGGER accesses_are_chained BEFORE INSERT ON ledger.audit_access
    FOR EACH ROW EXECUTE FUNCTION ledger.chain_access();
ALTER TABLE ledger.audit_access ENABLE ALWAYS TRIGGER accesses_are_chained;
-- Logical replication fires only triggers of rows.
CREATE TRIGGER an_access_never_changes BEFORE UPDATE OR DELETE ON ledger.audit_access
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.audit_access ENABLE ALWAYS TRIGGER an_access_never_changes;

CREATE TRIGGER chains_stay BEFORE DELETE OR TRUNCATE ON ledger.record_chains
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER chains_only_grow BEFORE UPDATE ON ledger.record_chains
    FOR EACH ROW WHEN (NEW.count <= OLD.count OR NEW.name <> OLD.name) EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.record_chains ENABLE ALWAYS TRIGGER chains_stay;
ALTER TABLE ledger.record_chains ENABLE ALWAYS TRIGGER chains_only_grow;
GRANT SELECT ON ledger.record_chains TO ledger_mirror;
