-- The clinical database of a country: its slots, and who holds them. Both countries may share one database.
--
-- What PostgreSQL needs to compare persons within an exclusion constraint. It comes with PostgreSQL (Debian's package
-- postgresql-15, and RDS) and is trusted: whoever may create objects in the database may create it.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE SCHEMA clinical;

-- Reference tables. Importing slots adds the numbers that are new; the names are for whoever looks after them.
CREATE TABLE clinical.centers (
    country text COLLATE "C" NOT NULL CHECK (country IN ('PE', 'CL')),
    center bigint NOT NULL,
    name text,
    PRIMARY KEY (country, center)
);
CREATE TABLE clinical.specialties (
    country text COLLATE "C" NOT NULL CHECK (country IN ('PE', 'CL')),
    specialty bigint NOT NULL,
    name text,
    PRIMARY KEY (country, specialty)
);
CREATE TABLE clinical.medics (
    country text COLLATE "C" NOT NULL CHECK (country IN ('PE', 'CL')),
    medic bigint NOT NULL,
    name text,
    PRIMARY KEY (country, medic)
);

-- A slot belongs to one country, and the same medic at the same place and time is listed once.
CREATE TABLE clinical.schedules (
    schedule bigint PRIMARY KEY CHECK (schedule BETWEEN 1 AND 9007199254740991),
    country text COLLATE "C" NOT NULL,
    center bigint NOT NULL,
    specialty bigint NOT NULL,
    medic bigint NOT NULL,
    date timestamptz NOT NULL,
    FOREIGN KEY (country, center) REFERENCES clinical.centers,
    FOREIGN KEY (country, specialty) REFERENCES clinical.specialties,
    FOREIGN KEY (country, medic) REFERENCES clinical.medics,
    CONSTRAINT schedules_are_listed_once UNIQUE (country, center, medic, date),
    -- What a held slot is tied to.
    UNIQUE (schedule, country, date)
);

-- Who holds a slot, or held it. A row is also the record that its appointment was processed: the same appointment asks
-- again and finds it. The insured person is named by the random id of the subject directory alone.
--
-- By constraint, not by care: a slot has one holder, a person holds no two slots that overlap, a slot that is held
-- keeps its country and its time.
CREATE TABLE clinical.appointments_pe (
    appointment uuid PRIMARY KEY,
    schedule bigint NOT NULL REFERENCES clinical.schedules,
    country text COLLATE "C" NOT NULL GENERATED ALWAYS AS ('PE') STORED,
    subject uuid NOT NULL,
    date timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    claimed timestamptz NOT NULL,
    released timestamptz,
    -- When the slot begins while it is held; null once it was given back.
    held timestamptz GENERATED ALWAYS AS (CASE WHEN released IS NULL THEN date END) STORED,
    FOREIGN KEY (schedule, country, held) REFERENCES clinical.schedules (schedule, country, date),
    CONSTRAINT appointments_pe_take_half_an_hour CHECK (ends - date = interval '30 minutes'),
    CONSTRAINT appointments_pe_person EXCLUDE USING gist (subject WITH =, tstzrange(date, ends) WITH &&)
        WHERE (released IS NULL)
);
CREATE UNIQUE INDEX appointments_pe_holder ON clinical.appointments_pe (schedule) WHERE released IS NULL;

CREATE TABLE clinical.appointments_cl (
    appointment uuid PRIMARY KEY,
    schedule bigint NOT NULL REFERENCES clinical.schedules,
    country text COLLATE "C" NOT NULL GENERATED ALWAYS AS ('CL') STORED,
    subject uuid NOT NULL,
    date timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    claimed timestamptz NOT NULL,
    released timestamptz,
    held timestamptz GENERATED ALWAYS AS (CASE WHEN released IS NULL THEN date END) STORED,
    FOREIGN KEY (schedule, country, held) REFERENCES clinical.schedules (schedule, country, date),
    CONSTRAINT appointments_cl_take_half_an_hour CHECK (ends - date = interval '30 minutes'),
    CONSTRAINT appointments_cl_person EXCLUDE USING gist (subject WITH =, tstzrange(date, ends) WITH &&)
        WHERE (released IS NULL)
);
CREATE UNIQUE INDEX appointments_cl_holder ON clinical.appointments_cl (schedule) WHERE released IS NULL;
