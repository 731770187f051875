-- How many events there are, kept with each append. Those of before are counted once.
CREATE TABLE event_counts (
    type TEXT NOT NULL,
    country TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (type, country)
) STRICT, WITHOUT ROWID;
INSERT INTO event_counts SELECT type, country, count(*) FROM events GROUP BY type, country;
