import API
import NIOCore

/// What the handlers of one connection know together. It lives on the connection's event loop.
final class Connection {
    let limits: TransportLimits
    let tick: TimeAmount
    /// When the request that is being read must have come; nil between requests.
    var requestDeadline: NIODeadline?
    /// When the next answer under way must have been read; nil when none is.
    var answerDeadline: NIODeadline?
    /// Answers that were written and that the client has not taken yet.
    var unsent = 0
    /// When the connection ends unless something comes.
    var idleDeadline: NIODeadline
    /// Whether the first line of that request has come.
    var hasRequestLine = false
    /// Requests that were handed on and are not answered yet.
    var unanswered = 0
    /// Bytes of these requests.
    var requestBytes = 0
    /// How the bytes go on that come next.
    var body = Framing.none
    /// No further request is taken: the last one has come.
    var isOver = false
    /// Nothing more is read: the last answer is on its way.
    var isClosing = false
    /// The server shuts down: the connection ends with its last answer.
    var isQuiescing = false
    /// Refuses what comes, in its place in the order; the connection ends after that answer.
    var refuse: (Problem) -> Void = { _ in }
    /// Called when there may be room for another request.
    var onRoom: () -> Void = {}
    /// Since when bytes that have come wait for room; nil when none do.
    private var waitsSince: NIODeadline?
    /// What other threads know of it.
    let open: OpenConnection

    /// What comes after the head of a request.
    enum Framing {
        /// The next request.
        case none
        /// So many bytes of a body.
        case length(Int)
        case chunked(ChunkReader)
    }

    init(_ open: OpenConnection, limits: TransportLimits, tickEvery tick: TimeAmount) {
        (self.open, self.limits, self.tick) = (open, limits, tick)
        idleDeadline = .now() + limits.idle
    }

    /// Whether another request may come in.
    func hasRoom(_ channel: any Channel) -> Bool {
        unanswered < limits.pipelinedRequests && requestBytes < limits.requestBytes && channel.isWritable
    }

    /// Bytes that have come wait for room: meanwhile no request is late.
    func waits() {
        if waitsSince == nil { waitsSince = .now() }
    }

    /// There is room again.
    func goesOn() {
        guard let since = waitsSince else { return }
        waitsSince = nil
        if let deadline = requestDeadline { requestDeadline = deadline + (.now() - since) }
    }

    /// Whether a request that is being read has not come in time.
    func isLate(at now: NIODeadline) -> Bool {
        if waitsSince != nil { return false }
        return requestDeadline.map { $0 < now } ?? false
    }
}

/// Holds a connection to its deadlines. It stands between the gate and the decoder, where the first byte of a request
/// is seen.
///
/// Deadlines are absolute: a client that sends a byte now and then gains nothing. They are looked at in ticks, so that
/// a request costs no timer of its own.
final class ConnectionClock: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: Connection
    private var ticks: RepeatedTask?

    init(_ connection: Connection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((connection, context), eventLoop: context.eventLoop)
        ticks = context.eventLoop.scheduleRepeatedTask(initialDelay: connection.tick, delay: connection.tick) { _ in
            let (connection, context) = bound.value
            Self.check(connection, context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { ticks?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        ticks?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if connection.isClosing { return }
        if connection.requestDeadline == nil {
            connection.requestDeadline = .now() + connection.limits.requestDeadline
            connection.hasRequestLine = false
        }
        if !connection.hasRequestLine {
            connection.hasRequestLine = unwrapInboundIn(data).readableBytesView.contains(UInt8(ascii: "\n"))
        }
        context.fireChannelRead(data)
    }

    private static func check(_ connection: Connection, _ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        if let deadline = connection.answerDeadline, deadline < now {
            context.close(promise: nil)
        } else if connection.isLate(at: now) {
            connection.requestDeadline = nil
            connection.refuse(Problem(.requestTimeout, "The request did not come in time"))
        } else if connection.unanswered == 0, connection.requestDeadline == nil, connection.idleDeadline < now {
            context.close(promise: nil)
        }
    }
}
