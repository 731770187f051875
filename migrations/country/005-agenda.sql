-- The agenda: a medic has one slot at a time, in whatever centre, and slots are paged by country.
--
-- Slots that overlap already are marked and stay as they are, so that this step never fails for them: `ledger verify`
-- names them. The rule holds for every slot that is added or changed from now on.
ALTER TABLE clinical.schedules ADD COLUMN ends timestamptz, ADD COLUMN overlapping boolean NOT NULL DEFAULT false;
UPDATE clinical.schedules AS slot SET ends = neighbours.date + interval '30 minutes',
    overlapping = coalesce(neighbours.date - neighbours.before < interval '30 minutes', false)
        OR coalesce(neighbours.behind - neighbours.date < interval '30 minutes', false)
FROM (
    SELECT schedule, date, lag(date) OVER medic AS before, lead(date) OVER medic AS behind
    FROM clinical.schedules WINDOW medic AS (PARTITION BY country, medic ORDER BY date, schedule)
) AS neighbours
WHERE neighbours.schedule = slot.schedule;
ALTER TABLE clinical.schedules ALTER COLUMN ends SET NOT NULL,
    ADD CONSTRAINT schedules_take_half_an_hour CHECK (ends - date = interval '30 minutes');

CREATE FUNCTION clinical.end_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.ends := NEW.date + interval '30 minutes';
    NEW.overlapping := false;
    RETURN NEW;
END $$;
CREATE TRIGGER a_slot_takes_half_an_hour BEFORE INSERT OR UPDATE OF country, medic, date ON clinical.schedules
    FOR EACH ROW EXECUTE FUNCTION clinical.end_slot();

-- Both are judged when a statement is over, or the transaction where it says so: slots may change places.
ALTER TABLE clinical.schedules DROP CONSTRAINT schedules_are_listed_once;
ALTER TABLE clinical.schedules ADD CONSTRAINT schedules_are_listed_once
    UNIQUE (country, center, medic, date) DEFERRABLE;
ALTER TABLE clinical.schedules ADD CONSTRAINT schedules_medic EXCLUDE USING gist
    (country WITH =, medic WITH =, tstzrange(date, ends) WITH &&) WHERE (NOT overlapping) DEFERRABLE;

-- Pages of a country's slots. What ties a held slot to its time is looked up for each slot that moves.
CREATE INDEX schedules_by_country ON clinical.schedules (country, schedule);
CREATE INDEX appointments_pe_schedule ON clinical.appointments_pe (schedule);
CREATE INDEX appointments_cl_schedule ON clinical.appointments_cl (schedule);
-- Pages of the claims that stand.
CREATE INDEX appointments_pe_standing ON clinical.appointments_pe (appointment) WHERE released IS NULL;
CREATE INDEX appointments_cl_standing ON clinical.appointments_cl (appointment) WHERE released IS NULL;
