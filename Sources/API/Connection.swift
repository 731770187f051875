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
    /// Nothing more is read: the last answer is on its way.
    var isClosing = false
    /// The server shuts down: the connection ends with its last answer.
    var isQuiescing = false
    /// Called when a request did not come in time.
    var onLateRequest: () -> Void = {}

    init(limits: TransportLimits, tickEvery tick: TimeAmount) {
        (self.limits, self.tick) = (limits, tick)
        idleDeadline = .now() + limits.idle
    }
}

/// Holds a connection to its deadlines. It stands before the decoder, where the first byte of a request is seen.
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
        // What comes after the last answer is read and dropped, so that closing does not reset the connection before
        // the client has seen that answer.
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
        } else if let deadline = connection.requestDeadline, deadline < now {
            connection.requestDeadline = nil
            connection.onLateRequest()
        } else if connection.unanswered == 0, connection.requestDeadline == nil, connection.idleDeadline < now {
            context.close(promise: nil)
        }
    }
}
