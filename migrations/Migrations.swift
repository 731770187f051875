/// A step of a database's schema: one file of SQL, as it was when this program was built.
package struct Migration: Sendable {
    /// The name of the file, such as `001-roles.sql`. Steps are applied by its number.
    package let name: String
    package let sql: [UInt8]

    package init(name: String, sql: [UInt8]) { (self.name, self.sql) = (name, sql) }
}

extension Migration {
    /// The steps of a country's clinical database.
    package static let country = [
        Migration(name: "001-clinical.sql", sql: PackageResources._01_clinical_sql),
        Migration(name: "002-refusals.sql", sql: PackageResources._02_refusals_sql),
        Migration(name: "003-roles.sql", sql: PackageResources._03_roles_sql),
        Migration(name: "004-least-rights.sql", sql: PackageResources._04_least_rights_sql),
        Migration(name: "005-agenda.sql", sql: PackageResources._05_agenda_sql),
        Migration(name: "006-identity.sql", sql: PackageResources._06_identity_sql),
    ]

    /// The steps of the ledger's mirror.
    package static let ledger = [
        Migration(name: "001-roles.sql", sql: PackageResources._01_roles_sql),
        Migration(name: "002-entries.sql", sql: PackageResources._02_entries_sql),
        Migration(name: "003-views.sql", sql: PackageResources._03_views_sql),
        Migration(name: "004-indexes.sql", sql: PackageResources._04_indexes_sql),
        Migration(name: "005-protection.sql", sql: PackageResources._05_protection_sql),
        Migration(name: "006-statistics.sql", sql: PackageResources._06_statistics_sql),
        Migration(name: "007-access-chain.sql", sql: PackageResources._07_access_chain_sql),
        Migration(name: "008-least-rights.sql", sql: PackageResources._08_least_rights_sql),
        Migration(name: "009-identity.sql", sql: PackageResources._09_identity_sql),
        Migration(name: "010-tree.sql", sql: PackageResources._10_tree_sql),
    ]

    /// The steps of the embedded ledger's one file.
    package static let embedded = [
        Migration(name: "001-events.sql", sql: PackageResources._01_events_sql),
        Migration(name: "002-appointments.sql", sql: PackageResources._02_appointments_sql),
        Migration(name: "003-messages.sql", sql: PackageResources._03_messages_sql),
        Migration(name: "004-countries.sql", sql: PackageResources._04_countries_sql),
        Migration(name: "005-access.sql", sql: PackageResources._05_access_sql),
        Migration(name: "006-view-sets.sql", sql: PackageResources._06_view_sets_sql),
        Migration(name: "007-projections.sql", sql: PackageResources._07_projections_sql),
        Migration(name: "008-audit-access.sql", sql: PackageResources._08_audit_access_sql),
        Migration(name: "009-refusals.sql", sql: PackageResources._09_refusals_sql),
        Migration(name: "010-movement-of-view-sets.sql", sql: PackageResources._10_movement_of_view_sets_sql),
        Migration(name: "011-protection.sql", sql: PackageResources._11_protection_sql),
        Migration(name: "012-records-of-keys.sql", sql: PackageResources._12_records_of_keys_sql),
        Migration(name: "013-counts-of-events.sql", sql: PackageResources._13_counts_of_events_sql),
        Migration(name: "014-epochs.sql", sql: PackageResources._14_epochs_sql),
        Migration(name: "015-agenda.sql", sql: PackageResources._15_agenda_sql),
        Migration(name: "016-probe.sql", sql: PackageResources._16_probe_sql),
        Migration(name: "017-claims-of-all-countries.sql", sql: PackageResources._17_claims_of_all_countries_sql),
        Migration(name: "018-log-tree.sql", sql: PackageResources._18_log_tree_sql),
    ]

    /// The steps of a monitor's file.
    package static let monitor = [
        Migration(name: "001-monitored-log.sql", sql: PackageResources._01_monitored_log_sql)
    ]

    /// The steps of a witness' file.
    package static let witness = [
        Migration(name: "001-witnessed-logs.sql", sql: PackageResources._01_witnessed_logs_sql)
    ]
}
