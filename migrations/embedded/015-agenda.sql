-- The version counts the changes of the agenda. Slots are paged by country, and a medic's are looked for by time.
CREATE TABLE agenda (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL) STRICT;
INSERT INTO agenda VALUES (1, 0);
CREATE INDEX schedules_0_by_country ON schedules (country, schedule);
CREATE INDEX schedules_0_by_medic ON schedules (country, medic, date);

-- They keep a medic from two slots at a time, whoever writes. Slots that overlapped before stay until one of them is
-- changed. `SQLiteAgenda` drops the triggers and makes them again when it replaces the table.
CREATE TRIGGER medics_have_one_slot_at_a_time_0 BEFORE INSERT ON schedules WHEN EXISTS (
    SELECT 1 FROM schedules AS other
    WHERE other.country = NEW.country AND other.medic = NEW.medic AND other.schedule <> NEW.schedule
        AND other.date > NEW.date - 1800000 AND other.date < NEW.date + 1800000)
    BEGIN SELECT RAISE(ABORT, 'a medic has one slot at a time'); END;
CREATE TRIGGER medics_have_one_slot_at_a_time_1 BEFORE UPDATE OF country, medic, date ON schedules WHEN EXISTS (
    SELECT 1 FROM schedules AS other
    WHERE other.country = NEW.country AND other.medic = NEW.medic AND other.schedule <> NEW.schedule
        AND other.date > NEW.date - 1800000 AND other.date < NEW.date + 1800000)
    BEGIN SELECT RAISE(ABORT, 'a medic has one slot at a time'); END;
