package import EventStore

/// What a log sends to a witness (C2SP tlog-witness, "add-checkpoint"): its new checkpoint, and the proof that it goes
/// on from the one that the witness signed last.
package struct AddCheckpointRequest: Sendable {
    /// The size that the witness signed last, as the log believes; 0 for none.
    package let oldSize: Int
    /// The consistency proof (RFC 9162 section 2.1.4.1); empty from size 0.
    package let proof: [Hash]
    package let note: SignedNote

    /// The most bytes of a request that are read.
    package static let maximumBytes = SignedNote.maximumBytes + 4096

    package init(oldSize: Int, proof: [Hash], note: SignedNote) {
        (self.oldSize, self.proof, self.note) = (oldSize, proof, note)
    }

    /// The body of the request.
    package var bytes: [UInt8] {
        var text = "old \(oldSize)\n"
        for hash in proof { text += "\(hash)\n" }
        return Array(text.utf8) + [0x0A] + note.bytes
    }

    /// Reads the body of a request; nothing in it is checked yet.
    ///
    /// - Throws: `tooLarge`, `malformed`.
    package init(_ bytes: some Collection<UInt8>) throws(TransparencyError) {
        guard bytes.count <= Self.maximumBytes else {
            throw TransparencyError(.tooLarge, "the request has more than \(Self.maximumBytes) bytes")
        }
        var lines = LineReader(bytes)
        guard let oldSize = lines.next()?.after("old ")?.decimal else {
            throw TransparencyError(.malformed, "the request does not begin with the line old N")
        }
        guard let proof = lines.hashes(limit: TreeProof.maximumHashes) else {
            throw TransparencyError(
                .malformed,
                "the request has at most \(TreeProof.maximumHashes) lines of a hash each, then an empty line")
        }
        self.init(oldSize: oldSize, proof: proof, note: try SignedNote(lines.remainder))
    }
}

/// What a witness answers (C2SP tlog-witness, "add-checkpoint").
package enum AddCheckpointAnswer: Sendable, Equatable {
    /// 200: its signatures on the checkpoint.
    case cosigned([NoteSignature])
    /// 400: it can't read the request, or the old size is larger than the new one.
    case badRequest
    /// 403: no key of the log has signed it, or a signature is wrong.
    case forbidden
    /// 404: it does not know the log.
    case unknownOrigin
    /// 409: it has signed another size last, which is this.
    case conflict(size: Int)
    /// 422: the proof does not show that the log only grew.
    case unprocessable

    /// The most bytes of an answer that are read.
    package static let maximumBytes = SignedNote.maximumBytes

    /// The type of the body of a conflict.
    private static let sizeType = "text/x.tlog.size"

    /// The HTTP status.
    package var status: Int {
        switch self {
        case .cosigned: 200
        case .badRequest: 400
        case .forbidden: 403
        case .unknownOrigin: 404
        case .conflict: 409
        case .unprocessable: 422
        }
    }

    /// The value of the header `Content-Type`.
    package var contentType: String {
        if case .conflict = self { Self.sizeType } else { "text/plain; charset=utf-8" }
    }

    /// The body.
    package var body: [UInt8] {
        switch self {
        case .cosigned(let signatures): Array(signatures.map(\.line).joined().utf8)
        case .conflict(let size): Array("\(size)\n".utf8)
        case .badRequest: Array("the request can't be read, or its old size is larger than its checkpoint\n".utf8)
        case .forbidden: Array("the checkpoint is not signed by a key of its log\n".utf8)
        case .unknownOrigin: Array("this witness does not know the log\n".utf8)
        case .unprocessable: Array("the proof does not lead from the size signed last to the checkpoint\n".utf8)
        }
    }

    /// Reads an answer. Its signatures are not checked yet.
    ///
    /// - Throws: `malformed` for another status, and for a body that does not belong to its status; `tooLarge`.
    package init(
        status: Int, contentType: String?, body: some Collection<UInt8>
    ) throws(TransparencyError) {
        guard body.count <= Self.maximumBytes else {
            throw TransparencyError(.tooLarge, "the witness answers with more than \(Self.maximumBytes) bytes")
        }
        switch status {
        case 200: self = .cosigned(try NoteSignature.lines(body))
        case 400: self = .badRequest
        case 403: self = .forbidden
        case 404: self = .unknownOrigin
        case 409:
            var lines = LineReader(body)
            guard contentType == Self.sizeType, let size = lines.next()?.decimal, lines.isAtEnd else {
                throw TransparencyError(.malformed, "the witness answers 409 without the size that it signed last")
            }
            self = .conflict(size: size)
        case 422: self = .unprocessable
        default: throw TransparencyError(.malformed, "the witness answers with the status \(status)")
        }
    }
}

extension SignedNote {
    /// Adds the signatures of a witness that are by keys that are trusted; others are passed over (C2SP tlog-witness,
    /// "add-checkpoint").
    ///
    /// - Returns: those that were added, checked.
    /// - Throws: `badSignature`; `unsigned` where none is by a trusted key; `tooLarge`.
    package mutating func add(
        _ signatures: [NoteSignature], by keys: [VerifierKey]
    ) throws(TransparencyError) -> [VerifiedSignature] {
        let verified = try SignedNote(text: text, signatures: signatures).verified(by: keys)
        for signature in verified { try add(signature.signature) }
        return verified
    }
}
