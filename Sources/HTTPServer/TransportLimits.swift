package import API
package import NIOCore

/// What the transport takes in, and for how long it waits.
package struct TransportLimits: Sendable {
    /// The most bytes of a body, chunked or not.
    package var bodyBytes = 16 * 1024
    /// The most bytes of a request's target.
    package var targetBytes = 8 * 1024
    /// The most bytes of all header fields together, and how many there may be.
    package var headerBytes = 16 * 1024
    package var headerCount = 100
    /// From the first byte of a request to its last one, however slowly they come.
    package var requestDeadline = TimeAmount.seconds(10)
    /// From the answer to the moment when the client has read all of it.
    package var answerDeadline = TimeAmount.seconds(30)
    /// How long a connection may wait for its next request.
    package var idle = TimeAmount.seconds(60)
    /// The most connections that are open together. When all are taken, the one that has waited longest for its client
    /// makes room.
    package var connections = 4096
    /// The most connections of one address, or of one IPv6 /64; beyond it the one of them makes room that has waited
    /// longest.
    package var connectionsPerAddress = 512
    /// Proxies, whose connections are many callers' and are counted only as a part of the whole.
    package var proxies = TrustedProxies.none
    /// The most requests of a connection that were read and are not answered, and their bytes before no further one is
    /// read.
    package var pipelinedRequests = 16
    package var requestBytes = 32 * 1024
    /// The most bytes that are read in one go, and that are held before there is room for their requests.
    package var readBytes = 32 * 1024
    package var heldBytes = 64 * 1024
    /// A connection whose client has left more bytes of answers unread is answered no further.
    package var unreadBytes = 32 * 1024
    /// The most bytes of answers that wait for all clients together.
    package var answerBytes = 64 * 1024 * 1024

    package init() {}

    /// How many connections fit a process that may open so many files: what the ledger itself needs stays free.
    package mutating func fit(openFiles: Int) {
        let most = max(openFiles - Self.ownFiles, openFiles / 2, 1)
        if connections <= most { return }
        connections = most
        connectionsPerAddress = min(connectionsPerAddress, max(most / 2, 1))
    }

    /// Files, sockets of databases and event queues that the program has open in addition to its callers.
    private static let ownFiles = 128

    /// How often a connection looks at its deadlines.
    var tick: TimeAmount { min(.seconds(1), .nanoseconds(max(requestDeadline.nanoseconds / 10, 1_000_000))) }
}
