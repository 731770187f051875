import Appointments
import EventStore
import Foundation
import GRDB

extension Row {
    /// The bytes of a blob column.
    func bytes(_ column: Int) throws -> [UInt8] {
        try withUnsafeData(atIndex: column) { $0.map(Array.init) ?? [] }
    }

    /// The 32 bytes of a digest column.
    func hash(_ column: Int) throws -> Hash {
        guard let hash = try withUnsafeData(atIndex: column, { $0.flatMap { $0.withUnsafeBytes(Hash.init(raw:)) } })
        else {
            throw damaged(column)
        }
        return hash
    }

    /// The 16 bytes of a UUID column.
    func identifier(_ column: Int) throws -> Identifier {
        guard let id = try withUnsafeData(atIndex: column, { $0.flatMap { $0.withUnsafeBytes(Identifier.init(raw:)) } })
        else {
            throw damaged(column)
        }
        return id
    }

    /// The value that a text column names.
    func value<Value: RawRepresentable>(_ column: Int) throws -> Value where Value.RawValue == String {
        guard let value = Value(rawValue: self[column]) else { throw damaged(column) }
        return value
    }

    func moment(_ column: Int) -> Timestamp { Timestamp(milliseconds: self[column]) }

    func momentIfPresent(_ column: Int) -> Timestamp? { (self[column] as Int64?).map(Timestamp.init(milliseconds:)) }

    func damaged(_ column: Int) -> EventStoreError {
        EventStoreError(
            .corrupt,
            message: "column \(Array(columnNames)[column]) holds what this program never writes: run `ledger verify`")
    }
}

extension Identifier {
    /// The 16 bytes, for a column.
    var blob: Data {
        withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Data($0) }
    }
}

extension Hash {
    /// The 32 bytes, for a column.
    var blob: Data { withBytes { Data($0) } }
}

extension AppointmentID {
    var blob: Data { id.blob }
}
