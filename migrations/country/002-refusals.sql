-- What each appointment was refused, or that it gave its slot back: it is refused for ever. A claim may come late, from
-- a worker that was thought dead when another had its message; nobody would give back what it held then.
CREATE TABLE clinical.refusals_pe (
    appointment uuid PRIMARY KEY,
    reason text COLLATE "C" NOT NULL,
    refused timestamptz NOT NULL
);
CREATE TABLE clinical.refusals_cl (
    appointment uuid PRIMARY KEY,
    reason text COLLATE "C" NOT NULL,
    refused timestamptz NOT NULL
);
INSERT INTO clinical.refusals_pe SELECT appointment, 'PROCESSING_EXHAUSTED', released FROM clinical.appointments_pe
    WHERE released IS NOT NULL;
INSERT INTO clinical.refusals_cl SELECT appointment, 'PROCESSING_EXHAUSTED', released FROM clinical.appointments_cl
    WHERE released IS NOT NULL;
