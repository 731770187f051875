-- The claims and refusals of all countries, so that a country that is added needs no tables of its own. A slot has one
-- holder, and a person holds one slot at a time.
CREATE TABLE claims (
    country TEXT NOT NULL,
    appointment BLOB NOT NULL,
    schedule INTEGER NOT NULL REFERENCES schedules,
    subject BLOB NOT NULL,
    date INTEGER NOT NULL,
    claimed INTEGER NOT NULL,
    released INTEGER,
    PRIMARY KEY (country, appointment)
) STRICT, WITHOUT ROWID;
INSERT INTO claims
    SELECT 'PE', appointment, schedule, subject, date, claimed, released FROM appointments_pe ORDER BY appointment;
INSERT INTO claims
    SELECT 'CL', appointment, schedule, subject, date, claimed, released FROM appointments_cl ORDER BY appointment;
CREATE UNIQUE INDEX claims_holder ON claims (country, schedule) WHERE released IS NULL;
CREATE UNIQUE INDEX claims_person ON claims (country, subject, date) WHERE released IS NULL;
DROP TABLE appointments_pe;
DROP TABLE appointments_cl;

CREATE TABLE refusals (
    country TEXT NOT NULL,
    appointment BLOB NOT NULL,
    reason TEXT NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (country, appointment)
) STRICT, WITHOUT ROWID;
INSERT INTO refusals SELECT 'PE', appointment, reason, refused FROM refusals_pe ORDER BY appointment;
INSERT INTO refusals SELECT 'CL', appointment, reason, refused FROM refusals_cl ORDER BY appointment;
DROP TABLE refusals_pe;
DROP TABLE refusals_cl;
