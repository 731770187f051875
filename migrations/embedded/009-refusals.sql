-- What each appointment was refused, or that it gave its slot back.
CREATE TABLE refusals_pe (
    appointment BLOB PRIMARY KEY,
    reason TEXT NOT NULL,
    refused INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO refusals_pe
    SELECT appointment, 'PROCESSING_EXHAUSTED', released FROM appointments_pe
    WHERE released IS NOT NULL;

CREATE TABLE refusals_cl (
    appointment BLOB PRIMARY KEY,
    reason TEXT NOT NULL,
    refused INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO refusals_cl
    SELECT appointment, 'PROCESSING_EXHAUSTED', released FROM appointments_cl
    WHERE released IS NOT NULL;
