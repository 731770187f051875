import API
import EventStore
import NIOCore
import NIOHTTP1

/// Puts the parts of a request together and takes an answer apart. What exceeds a limit, or is no request, becomes a
/// refusal in its place in the order, and nothing more is read from the connection.
final class RequestAssembler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = Incoming
    typealias OutboundIn = Outgoing
    typealias OutboundOut = HTTPServerResponsePart

    /// How long a connection stays half open after its last answer, so that the client can read it.
    private static let linger = TimeAmount.seconds(1)

    private let connection: Connection
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ connection: Connection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        connection.refuse = { problem in
            let (assembler, context) = bound.value
            assembler.refuse(problem, context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { connection.refuse = { _ in } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if connection.isClosing { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            do throws(Problem) {
                try head.check(connection.limits)
                self.head = head
                connection.body = head.framing(connection.limits)
                // Its first byte may have come with the request before.
                if connection.requestDeadline == nil {
                    connection.requestDeadline = .now() + connection.limits.requestDeadline
                }
                if head.version.minor >= 1, connection.unanswered == 0,
                    head.headers.first(name: "Expect")?.lowercased() == "100-continue"
                {
                    context.writeAndFlush(
                        wrapOutboundOut(.head(.init(version: .http1_1, status: .continue))), promise: nil)
                }
            } catch {
                refuse(error, context)
            }
        case .body(let part):
            if body.count + part.readableBytes > connection.limits.bodyBytes { return refuse(.bodyTooLarge, context) }
            body.append(contentsOf: part.readableBytesView)
        case .end:
            guard let head else { return }
            handOn(head, context)
        }
    }

    private func handOn(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let (path, query) = head.target
        let keepsAlive = head.keepsConnection && !connection.isQuiescing
        let bytes =
            body.count + head.uri.utf8.count + head.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        let request = APIRequest(
            method: head.method.rawValue, path: path, query: query, headers: head.headers.map { ($0.name, $0.value) },
            body: body, remoteAddress: context.remoteAddress?.ipAddress ?? "",
            requestID: Identifier.random().description)
        self.head = nil
        body = []
        connection.requestDeadline = nil
        connection.unanswered += 1
        connection.requestBytes += bytes
        connection.isOver = !keepsAlive
        context.fireChannelRead(wrapInboundOut(.request(request, bytes: bytes, keepsAlive: keepsAlive)))
    }

    private func refuse(_ problem: Problem, _ context: ChannelHandlerContext) {
        if connection.isClosing { return }
        (connection.isClosing, connection.isOver) = (true, true)
        connection.requestDeadline = nil
        connection.unanswered += 1
        (head, body) = (nil, [])
        context.fireChannelRead(wrapInboundOut(.refused(problem, requestID: Identifier.random().description)))
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.headerOverflow:
            refuse(
                connection.hasRequestLine
                    ? Problem(.headersTooLarge, "The header fields are too many or too large") : .targetTooLong,
                context)
        case is HTTPParserError:
            refuse(.malformed("This is no HTTP/1.1 request that can be read"), context)
        default:
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
        connection.isQuiescing = true
        if connection.unanswered == 0, connection.requestDeadline == nil { context.close(promise: nil) }
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let outgoing = unwrapOutboundIn(data)
        connection.unanswered -= 1
        connection.requestBytes -= outgoing.requestBytes
        let ends =
            !outgoing.keepsAlive
            || (connection.isQuiescing && connection.unanswered == 0 && connection.requestDeadline == nil)
        if ends { connection.isClosing = true }
        connection.idleDeadline = .now() + (ends ? Self.linger : connection.limits.idle)
        connection.unsent += 1
        // The oldest answer's deadline stands: one more answer gives nobody more time to read.
        if connection.answerDeadline == nil {
            connection.answerDeadline = .now() + connection.limits.answerDeadline
        }
        context.write(wrapOutboundOut(.head(head(of: outgoing.response, ends: ends))), promise: nil)
        if !outgoing.response.body.isEmpty {
            let body = context.channel.allocator.buffer(bytes: outgoing.response.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        let sent = promise ?? context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { [connection] _ in
            connection.unsent -= 1
            connection.open.gave(outgoing.heldBytes)
            connection.answerDeadline = connection.unsent == 0 ? nil : .now() + connection.limits.answerDeadline
            if ends { context.close(mode: .output, promise: nil) }
        }
        context.write(wrapOutboundOut(.end(nil)), promise: sent)
        connection.onRoom()
    }

    private func head(of response: APIResponse, ends: Bool) -> HTTPResponseHead {
        var headers = HTTPHeaders(response.headers)
        if response.header("Content-Length") == nil {
            headers.add(name: "Content-Length", value: String(response.body.count))
        }
        headers.add(name: "Date", value: AnswerDate.now)
        if ends { headers.add(name: "Connection", value: "close") }
        return HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: response.status), headers: headers)
    }
}
