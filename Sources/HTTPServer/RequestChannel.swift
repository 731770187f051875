import API
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// A connection: its handlers, and the loop that answers its requests one after the other.
struct RequestChannel: ServerChildChannel {
    /// A connection with its parts.
    struct Value: ServerChildChannelValue {
        let stream: NIOAsyncChannel<Incoming, Outgoing>
        let open: OpenConnection

        var channel: any Channel { stream.channel }
    }

    let table: any RequestTable
    let limits: TransportLimits
    let connections: ConnectionTable

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let open = OpenConnection(channel, connections, limits: limits)
            if !connections.admit(open) { channel.eventLoop.execute { open.cutOff() } }
            // One read gives no more than the gate holds.
            try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
            try channel.syncOptions?.setOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: limits.readBytes))
            var decoder = NIOHTTPDecoderLimitConfiguration()
            // The decoder counts the target with the fields; each has its own limit after it.
            decoder.maxHeaderListSize = limits.headerBytes + limits.targetBytes
            decoder.maxHeaderFieldSize = limits.headerBytes
            decoder.maxHeaderFieldCount = limits.headerCount
            let connection = Connection(open, limits: limits, tickEvery: limits.tick)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(RequestGate(connection))
            try pipeline.addHandler(ConnectionClock(connection))
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoder)
            try pipeline.addHandler(RequestAssembler(connection))
            return Value(
                stream: try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: false)),
                open: open)
        }
    }

    func handle(value: Value, logger: Logger) async {
        let open = value.open
        do {
            try await value.stream.executeThenClose { inbound, outbound in
                for try await incoming in inbound {
                    // A client that does not read has nothing more made for it.
                    await open.room()
                    open.begins()
                    let (response, requestBytes, keepsAlive) = await answer(to: incoming)
                    let outgoing = Outgoing(response: response, requestBytes: requestBytes, keepsAlive: keepsAlive)
                    open.holds(outgoing.heldBytes)
                    try await outbound.write(outgoing)
                }
            }
        } catch {
            // The client went away: there is nobody left to tell.
            logger.trace("connection ended", metadata: ["error": "\(error)"])
        }
    }

    private func answer(to incoming: Incoming) async -> (APIResponse, requestBytes: Int, keepsAlive: Bool) {
        switch incoming {
        case .request(let request, let bytes, let keepsAlive): (await table.respond(to: request), bytes, keepsAlive)
        case .refused(let problem, let requestID): (table.refuse(problem, requestID: requestID), 0, false)
        }
    }
}

/// What a connection brings.
enum Incoming: Sendable {
    case request(APIRequest, bytes: Int, keepsAlive: Bool)
    /// Something that is no request, or that is not taken in; the connection ends after the answer.
    case refused(Problem, requestID: String)
}

/// An answer on its way out.
struct Outgoing: Sendable {
    let response: APIResponse
    /// The bytes of the request that it answers.
    let requestBytes: Int
    let keepsAlive: Bool

    /// What it is counted as while it waits: its body and some header fields.
    var heldBytes: Int { response.body.count + 1024 }
}
