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
    /// The most connections that are open at once; others wait to be accepted.
    package var connections = 4096

    package init() {}

    /// How often a connection looks at its deadlines.
    var tick: TimeAmount { min(.seconds(1), .nanoseconds(max(requestDeadline.nanoseconds / 10, 1_000_000))) }
}
