import EventStore
import Glibc
import TransparencyLog

/// A reader of the log's formats that is given random bytes. It may refuse them; it may not trap, and what it takes it
/// must write back byte for byte, so that no two texts mean the same.
enum FuzzedReader: String, CaseIterable {
    case note, checkpoint, path, proof, consistency, policy, request, answer, history, key, bundle, frontier

    /// The reader that the environment names.
    static let chosen: FuzzedReader = {
        guard let name = getenv("LEDGER_FUZZ_READER"), let reader = FuzzedReader(rawValue: String(cString: name)) else {
            // Without a reader there is nothing to try: libFuzzer would report a million runs of nothing.
            fatalError("LEDGER_FUZZ_READER is none of \(allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return reader
    }()

    /// Reads some bytes and gives back what it would write; nil for bytes that it refuses.
    func roundTrip(_ bytes: [UInt8]) -> [UInt8]? {
        switch self {
        case .note: return (try? SignedNote(bytes))?.bytes
        case .checkpoint: return text(bytes).flatMap { try? Checkpoint(text: $0) }.map { Array($0.text.utf8) }
        case .path: return text(bytes).flatMap { TilePath($0) }.map { Array($0.description.utf8) }
        case .proof: return (try? LogProof(bytes))?.bytes
        case .consistency: return (try? ConsistencyProof(bytes))?.bytes
        case .policy: return (try? TrustPolicy(bytes)).map { _ in bytes }
        case .request: return (try? AddCheckpointRequest(bytes))?.bytes
        case .answer: return answer(bytes)
        case .history: return history(bytes)
        case .key: return text(bytes).flatMap { try? VerifierKey($0) }.map { Array($0.description.utf8) }
        case .bundle: return bundle(bytes)
        case .frontier: return Frontier(bytes: bytes)?.bytes
        }
    }

    private func text(_ bytes: [UInt8]) -> String? { String(validating: bytes, as: UTF8.self) }

    /// JSON has many ways to write the same; written once, it stays as it is.
    private func history(_ bytes: [UInt8]) -> [UInt8]? {
        guard let proof = try? HistoryProof(bytes) else { return nil }
        let written = proof.bytes
        precondition((try? HistoryProof(written))?.bytes == written, "a history does not come back")
        return bytes
    }

    /// The first byte says whether a witness has signed, or names the size that it signed last.
    private func answer(_ bytes: [UInt8]) -> [UInt8]? {
        guard let first = bytes.first else { return nil }
        let status = first & 1 == 0 ? 200 : 409
        let answer = try? AddCheckpointAnswer(
            status: status, contentType: "text/x.tlog.size", body: bytes.dropFirst())
        return answer.map { [first] + $0.body }
    }

    /// The first byte says how many entries there should be.
    private func bundle(_ bytes: [UInt8]) -> [UInt8]? {
        guard let count = bytes.first,
            let entries = try? EntryBundle.decode(Array(bytes.dropFirst()), count: Int(count))
        else { return nil }
        return (try? EntryBundle.encode(entries)).map { [count] + $0 }
    }
}

/// What libFuzzer calls with every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    if let written = FuzzedReader.chosen.roundTrip(bytes) {
        precondition(written == bytes, "\(FuzzedReader.chosen) writes something else than it read")
    }
    return 0
}
