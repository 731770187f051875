-- Which ledger's claims a country's tables hold, and which epoch of it: a ledger that was put back to an older copy
-- begins a new one, and what was claimed since is not its own. Null until a ledger has begun to claim here.
--
-- The last appointment that claimed a slot has to be one that the ledger knows, or the ledger was put back. One that an
-- operator has looked at stands in `acknowledged`.
CREATE TABLE clinical.ledger_pe (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    ledger uuid,
    epoch bigint CHECK (epoch >= 1),
    acknowledged uuid,
    CONSTRAINT ledger_pe_names_ledger_and_epoch CHECK ((ledger IS NULL) = (epoch IS NULL))
);
CREATE TABLE clinical.ledger_cl (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    ledger uuid,
    epoch bigint CHECK (epoch >= 1),
    acknowledged uuid,
    CONSTRAINT ledger_cl_names_ledger_and_epoch CHECK ((ledger IS NULL) = (epoch IS NULL))
);
INSERT INTO clinical.ledger_pe DEFAULT VALUES;
INSERT INTO clinical.ledger_cl DEFAULT VALUES;
GRANT SELECT, UPDATE (ledger, epoch, acknowledged) ON clinical.ledger_pe TO ledger_pe;
GRANT SELECT, UPDATE (ledger, epoch, acknowledged) ON clinical.ledger_cl TO ledger_cl;
