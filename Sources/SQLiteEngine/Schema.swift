import GRDB

/// The tables of the embedded ledger's one file. A step is never edited once it was released; new ones are added.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 events") { try $0.execute(sql: events) }
        migrator.registerMigration("2 appointments") { try $0.execute(sql: appointments) }
        migrator.registerMigration("3 messages") { try $0.execute(sql: messages) }
        migrator.registerMigration("4 countries") { try $0.execute(sql: countries) }
        migrator.registerMigration("5 access") { try $0.execute(sql: access) }
        migrator.registerMigration("6 view sets") { try $0.execute(sql: viewSets) }
        migrator.registerMigration("7 projections") { try $0.execute(sql: projections) }
        migrator.registerMigration("8 audit access") { try $0.execute(sql: auditAccess) }
        migrator.registerMigration("9 refusals") { try $0.execute(sql: refusals) }
        migrator.registerMigration("10 movement of view sets") {
            try $0.execute(sql: "ALTER TABLE view_sets ADD COLUMN moved INTEGER")
        }
        migrator.registerMigration("11 protection", migrate: protect)
        migrator.registerMigration("12 records of keys") {
            try $0.execute(sql: keyRecords)
            try SQLiteAPIKeys.adoptKeys(in: $0)
        }
        migrator.registerMigration("13 counts of events") { try $0.execute(sql: eventCounts) }
        migrator.registerMigration("14 epochs") { try $0.execute(sql: epochs) }
        migrator.registerMigration("15 agenda") { try $0.execute(sql: agenda) }
        migrator.registerMigration("16 probe") { try $0.execute(sql: probe) }
        return migrator
    }

    /// The ledger's identity: a row for each of its epochs, the last one counts. A ledger gets its first when it is
    /// opened, since one that is an old copy has an identity already, which stands outside of it.
    private static let epochs = """
        CREATE TABLE epochs (
            epoch INTEGER PRIMARY KEY CHECK (epoch >= 1),
            ledger BLOB NOT NULL CHECK (length(ledger) = 16),
            position INTEGER NOT NULL,
            at INTEGER NOT NULL
        ) STRICT;
        CREATE TRIGGER epochs_are_never_updated BEFORE UPDATE ON epochs
            BEGIN SELECT RAISE(ABORT, 'an epoch is never changed'); END;
        CREATE TRIGGER epochs_are_never_deleted BEFORE DELETE ON epochs
            BEGIN SELECT RAISE(ABORT, 'an epoch is never deleted'); END;
        """

    /// Positions come from the head row, in the transaction that writes the event, so that they have no holes and
    /// none is used twice. Streams are keyed by the 16 bytes of their UUID.
    private static let events = """
        CREATE TABLE events (
            position INTEGER PRIMARY KEY,
            stream BLOB NOT NULL,
            version INTEGER NOT NULL,
            type TEXT NOT NULL,
            country TEXT NOT NULL,
            at INTEGER NOT NULL,
            actor TEXT NOT NULL,
            correlation TEXT NOT NULL,
            leaf BLOB NOT NULL,
            entry BLOB NOT NULL,
            sealed BLOB
        ) STRICT;
        CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
        CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL) STRICT;
        INSERT INTO head VALUES (1, 0);
        CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events
            BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
        CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
            BEGIN SELECT RAISE(ABORT, 'an event is never deleted'); END;
        CREATE TRIGGER head_only_grows BEFORE UPDATE ON head WHEN NEW.position < OLD.position
            BEGIN SELECT RAISE(ABORT, 'a position is never used twice'); END;
        CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON head
            BEGIN SELECT RAISE(ABORT, 'a position is never used twice'); END;
        CREATE TABLE subjects (
            country TEXT NOT NULL,
            insured TEXT NOT NULL,
            id BLOB NOT NULL UNIQUE,
            key_number INTEGER NOT NULL,
            wrapped_key BLOB NOT NULL,
            PRIMARY KEY (country, insured)
        ) STRICT, WITHOUT ROWID;
        """

    private static let appointments = appointmentTable("appointments") + followers

    private static let followers = """
        CREATE INDEX appointments_by_insured ON appointments (insured, created);
        CREATE INDEX appointments_by_status ON appointments (status, created);
        CREATE INDEX appointments_by_country ON appointments (country, created);
        CREATE TABLE checkpoints (projection TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE parked (
            projection TEXT NOT NULL,
            appointment BLOB NOT NULL,
            version INTEGER NOT NULL,
            reason TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (projection, appointment, version)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE sweeps (
            appointment BLOB PRIMARY KEY,
            version INTEGER NOT NULL,
            rounds INTEGER NOT NULL,
            at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    /// A table of the view.
    static func appointmentTable(_ name: String) -> String {
        """
        CREATE TABLE \(name) (
            appointment BLOB PRIMARY KEY,
            insured TEXT,
            country TEXT NOT NULL,
            schedule INTEGER NOT NULL,
            created INTEGER NOT NULL,
            status TEXT NOT NULL,
            updated INTEGER NOT NULL,
            processed INTEGER,
            center INTEGER,
            specialty INTEGER,
            medic INTEGER,
            date INTEGER,
            reason TEXT,
            message TEXT,
            version INTEGER NOT NULL,
            leaf BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;

        """
    }

    /// The indexes of a table of the view, by their first column. Names of indexes stay when a table is renamed, so a
    /// mark keeps them apart.
    static func appointmentIndexes(_ table: String, mark: String) -> [(column: String, sql: String)] {
        ["insured", "status", "country"].map { column in
            (column, "CREATE INDEX IF NOT EXISTS view_\(mark)_by_\(column) ON \(table) (\(column), created)")
        }
    }

    /// The sets of the view's tables that stand beside the live one.
    private static let viewSets = """
        CREATE TABLE view_sets (
            name TEXT PRIMARY KEY,
            projection TEXT NOT NULL,
            number INTEGER NOT NULL,
            began INTEGER NOT NULL,
            through BLOB,
            events INTEGER NOT NULL,
            position INTEGER,
            at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    /// Who is held, and when each checkpoint last moved.
    private static let projections = """
        CREATE TABLE paused (projection TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        ALTER TABLE checkpoints ADD COLUMN moved INTEGER;
        """

    private static let messages = """
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            queue TEXT NOT NULL,
            body BLOB NOT NULL,
            sent INTEGER NOT NULL,
            visible INTEGER NOT NULL,
            receives INTEGER NOT NULL DEFAULT 0,
            receipt INTEGER,
            reason TEXT
        ) STRICT;
        CREATE INDEX messages_by_queue ON messages (queue, visible);
        CREATE TABLE dead_letters (
            id INTEGER PRIMARY KEY,
            queue TEXT NOT NULL,
            body BLOB NOT NULL,
            sent INTEGER NOT NULL,
            receives INTEGER NOT NULL,
            reason TEXT,
            dead INTEGER NOT NULL
        ) STRICT;
        """

    /// A slot has one holder, and a person holds one slot at a time, by constraint and not by care.
    private static let countries = """
        CREATE TABLE schedules (
            schedule INTEGER PRIMARY KEY,
            country TEXT NOT NULL,
            center INTEGER NOT NULL,
            specialty INTEGER NOT NULL,
            medic INTEGER NOT NULL,
            date INTEGER NOT NULL,
            UNIQUE (country, center, medic, date)
        ) STRICT;
        """
        + ["pe", "cl"].map { country in
            """

            CREATE TABLE appointments_\(country) (
                appointment BLOB PRIMARY KEY,
                schedule INTEGER NOT NULL REFERENCES schedules,
                subject BLOB NOT NULL,
                date INTEGER NOT NULL,
                claimed INTEGER NOT NULL,
                released INTEGER
            ) STRICT, WITHOUT ROWID;
            CREATE UNIQUE INDEX appointments_\(country)_holder
                ON appointments_\(country) (schedule) WHERE released IS NULL;
            CREATE UNIQUE INDEX appointments_\(country)_person
                ON appointments_\(country) (subject, date) WHERE released IS NULL;
            """
        }.joined()

    /// The version counts the changes of the agenda. Slots are paged by country, and a medic's are looked for by time.
    private static let agenda = """
        CREATE TABLE agenda (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL) STRICT;
        INSERT INTO agenda VALUES (1, 0);

        """ + SQLiteAgenda.indexes(of: "schedules", mark: 0) + SQLiteAgenda.triggers

    /// What each appointment was refused, or that it gave its slot back.
    private static let refusals = ["pe", "cl"].map { country in
        """
        CREATE TABLE refusals_\(country) (
            appointment BLOB PRIMARY KEY,
            reason TEXT NOT NULL,
            refused INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO refusals_\(country)
            SELECT appointment, 'PROCESSING_EXHAUSTED', released FROM appointments_\(country)
            WHERE released IS NOT NULL;

        """
    }.joined()

    private static let auditAccess = """
        CREATE TABLE audit_access (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            caller TEXT NOT NULL,
            filters TEXT NOT NULL,
            rows INTEGER NOT NULL
        ) STRICT;
        CREATE TRIGGER accesses_are_never_updated BEFORE UPDATE ON audit_access
            BEGIN SELECT RAISE(ABORT, 'an access is never changed'); END;
        CREATE TRIGGER accesses_are_never_deleted BEFORE DELETE ON audit_access
            BEGIN SELECT RAISE(ABORT, 'an access is never deleted'); END;
        """

    /// A holder may have several keys. Each change of one is a record that names the hash of the one before.
    private static let keyRecords = """
        CREATE TABLE new_api_keys (
            digest BLOB PRIMARY KEY,
            name TEXT NOT NULL,
            role TEXT NOT NULL,
            created INTEGER NOT NULL,
            revoked INTEGER
        ) STRICT, WITHOUT ROWID;
        INSERT INTO new_api_keys SELECT digest, name, role, created, revoked FROM api_keys;
        DROP TABLE api_keys;
        ALTER TABLE new_api_keys RENAME TO api_keys;
        CREATE INDEX api_keys_by_name ON api_keys (name);
        CREATE TABLE key_records (
            number INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            actor TEXT NOT NULL,
            change TEXT NOT NULL,
            name TEXT NOT NULL,
            role TEXT NOT NULL,
            digest TEXT,
            hash BLOB NOT NULL
        ) STRICT;
        CREATE INDEX key_records_by_name ON key_records (name, number);
        CREATE TRIGGER key_records_are_never_updated BEFORE UPDATE ON key_records
            BEGIN SELECT RAISE(ABORT, 'a record of a key is never changed'); END;
        CREATE TRIGGER key_records_are_never_deleted BEFORE DELETE ON key_records
            BEGIN SELECT RAISE(ABORT, 'a record of a key is never deleted'); END;
        CREATE TRIGGER key_records_are_never_replaced BEFORE INSERT ON key_records
            WHEN EXISTS (SELECT 1 FROM key_records WHERE number = NEW.number)
            BEGIN SELECT RAISE(ABORT, 'a record of a key is never replaced'); END;
        """

    private static let access = """
        CREATE TABLE api_keys (
            digest BLOB PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            role TEXT NOT NULL,
            created INTEGER NOT NULL,
            revoked INTEGER
        ) STRICT, WITHOUT ROWID;
        """
}
