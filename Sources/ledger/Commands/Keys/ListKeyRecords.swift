import ArgumentParser
import EventStore

/// `ledger keys records`.
struct ListKeyRecords: Verb {
    static let configuration = CommandConfiguration(
        commandName: "records", abstract: "Lists every change of a key: when, by whom, and what.",
        discussion: """
            EXAMPLE
              ledger keys records
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let records = try await options.open(in: shell).apiKeys.records()
        var printer = options.printer(NumberedRecord.columns, in: shell)
        for stored in records {
            guard let record = KeyRecord(fields: stored.fields) else {
                throw Refusal("record \(stored.number) is none that this program has written: run `ledger verify`")
            }
            try printer.print(NumberedRecord(number: stored.number, record: record))
        }
        try printer.finish()
    }
}

/// A change of a key, in the order of changes.
private struct NumberedRecord: FieldRow {
    static let fields: Fields = [
        "number": { $0.number }, "at": { $0.record.at }, "by": { $0.record.by },
        "change": { $0.record.change.rawValue }, "name": { $0.record.name }, "role": { $0.record.role.rawValue },
        "id": { $0.record.digest.map(APIKey.id(of:)) },
    ]

    let number: Int
    let record: KeyRecord
}
