-- A slot has one holder, and a person holds one slot at a time, by constraint and not by care.
CREATE TABLE schedules (
    schedule INTEGER PRIMARY KEY,
    country TEXT NOT NULL,
    center INTEGER NOT NULL,
    specialty INTEGER NOT NULL,
    medic INTEGER NOT NULL,
    date INTEGER NOT NULL,
    UNIQUE (country, center, medic, date)
) STRICT;

CREATE TABLE appointments_pe (
    appointment BLOB PRIMARY KEY,
    schedule INTEGER NOT NULL REFERENCES schedules,
    subject BLOB NOT NULL,
    date INTEGER NOT NULL,
    claimed INTEGER NOT NULL,
    released INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX appointments_pe_holder
    ON appointments_pe (schedule) WHERE released IS NULL;
CREATE UNIQUE INDEX appointments_pe_person
    ON appointments_pe (subject, date) WHERE released IS NULL;

CREATE TABLE appointments_cl (
    appointment BLOB PRIMARY KEY,
    schedule INTEGER NOT NULL REFERENCES schedules,
    subject BLOB NOT NULL,
    date INTEGER NOT NULL,
    claimed INTEGER NOT NULL,
    released INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX appointments_cl_holder
    ON appointments_cl (schedule) WHERE released IS NULL;
CREATE UNIQUE INDEX appointments_cl_person
    ON appointments_cl (subject, date) WHERE released IS NULL;
