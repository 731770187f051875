/// Where the resources of a log are read from (C2SP tlog-tiles): a server, or a folder.
package protocol LogSource: Sendable {
    /// The bytes of a resource below the log's prefix, such as `checkpoint`.
    ///
    /// - Parameter maximumBytes: more of them are refused without being kept.
    /// - Returns: nil where there is no such resource.
    func read(_ path: String, maximumBytes: Int) async throws(NoAnswer) -> [UInt8]?
}

/// A log or a witness did not answer, or not with what it was asked for.
package struct NoAnswer: Error, CustomStringConvertible {
    /// What happened, as a lowercase sentence.
    package let description: String

    package init(_ description: String) { self.description = description }
}
