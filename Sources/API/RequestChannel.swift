import EventStore
import Handlers
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// A connection: its handlers, and the loop that answers its requests one after the other.
struct RequestChannel: ServerChildChannel {
    typealias Value = NIOAsyncChannel<Incoming, Outgoing>

    let table: RequestTable
    let limits: TransportLimits

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var decoder = NIOHTTPDecoderLimitConfiguration()
            // The decoder counts the target with the fields; each has its own limit behind it.
            decoder.maxHeaderListSize = limits.headerBytes + limits.targetBytes
            decoder.maxHeaderFieldSize = limits.headerBytes
            decoder.maxHeaderFieldCount = limits.headerCount
            let connection = Connection(limits: limits, tickEvery: limits.tick)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(ConnectionClock(connection))
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoder)
            try pipeline.addHandler(RequestAssembler(connection))
            return try Value(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: false))
        }
    }

    func handle(value: Value, logger: Logger) async {
        do {
            try await value.executeThenClose { inbound, outbound in
                for try await incoming in inbound {
                    switch incoming {
                    case .request(let request, let keepsAlive):
                        let response = await table.respond(to: request)
                        try await outbound.write(Outgoing(response: response, keepsAlive: keepsAlive))
                    case .refused(let problem, let requestID):
                        let response = table.refuse(problem, requestID: requestID)
                        try await outbound.write(Outgoing(response: response, keepsAlive: false))
                    }
                }
            }
        } catch {
            // The client went away: there is nobody left to tell.
            logger.trace("connection ended", metadata: ["error": "\(error)"])
        }
    }
}

/// What a connection brings.
enum Incoming: Sendable {
    case request(APIRequest, keepsAlive: Bool)
    /// Something that is no request, or that is not taken in; the connection ends after the answer.
    case refused(Problem, requestID: String)
}

/// An answer on its way out.
struct Outgoing: Sendable {
    let response: APIResponse
    let keepsAlive: Bool
}
