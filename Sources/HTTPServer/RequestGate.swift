import Handlers
import NIOCore

/// Lets bytes in only as fast as their requests are answered and the answers are read.
///
/// It stands first, hands on one request's bytes after the other, and keeps the rest as the bytes that they are.
/// Nothing more is read from the socket while it keeps any, while as many requests as may be are not answered, or while
/// the client does not read.
final class RequestGate: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: Connection
    private var held = ByteBuffer()
    private var head = HeadReader()
    /// The channel wants to read as soon as the gate is open.
    private var wantsRead = false
    private var isFeeding = false
    /// The client has said that nothing more comes after what is held.
    private var inputHasEnded = false
    /// More came than is held, and was dropped: the connection ends after what is held.
    private var isCut = false

    init(_ connection: Connection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        connection.onRoom = {
            let (gate, _) = bound.value
            if !gate.wantsRead, gate.held.readableBytes == 0 { return }
            // Not from within the answer that made the room.
            bound.eventLoop.execute {
                let (gate, context) = bound.value
                gate.goOn(context)
            }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { connection.onRoom = {} }

    func read(context: ChannelHandlerContext) {
        if held.readableBytes == 0, connection.hasRoom(context.channel) || connection.isOver {
            context.read()
        } else {
            wantsRead = true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What comes after the last request is read and dropped, so that closing does not reset the connection before
        // the client has seen its answer.
        if connection.isOver || isCut { return }
        var bytes = unwrapInboundIn(data)
        if held.readableBytes == 0 { held = bytes } else { held.writeBuffer(&bytes) }
        // The end of a connection is read without asking, with all that came before it.
        if held.readableBytes > connection.limits.heldBytes {
            held.moveWriterIndex(to: held.readerIndex + connection.limits.heldBytes)
            isCut = true
        }
        feed(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { connection.onRoom() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if held.readableBytes > 0, (event as? ChannelEvent) == .inputClosed {
            inputHasEnded = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        held = ByteBuffer()
        context.fireChannelInactive()
    }

    private func goOn(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        feed(context)
        context.fireChannelReadComplete()
        guard held.readableBytes == 0 else { return }
        if inputHasEnded {
            inputHasEnded = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if wantsRead, connection.hasRoom(context.channel) || connection.isOver {
            wantsRead = false
            context.read()
        }
    }

    private func feed(_ context: ChannelHandlerContext) {
        if isFeeding { return }
        isFeeding = true
        defer { isFeeding = false }
        while held.readableBytes > 0, !connection.isOver, connection.hasRoom(context.channel) {
            connection.goesOn()
            handOn(context)
        }
        if connection.isOver { held = ByteBuffer() }
        if held.readableBytes > 0 { return connection.waits() }
        held = ByteBuffer()
        if isCut, !connection.isOver {
            connection.isOver = true
            connection.isQuiescing = true
            if connection.unanswered == 0 { context.close(promise: nil) }
        }
    }

    /// Hands on the rest of one request, as far as it has come.
    private func handOn(_ context: ChannelHandlerContext) {
        switch connection.body {
        case .none:
            while head.isAtStart, held.readableBytesView.starts(with: [0x0D, 0x0A]) {
                held.moveReaderIndex(forwardBy: 2)
            }
            if held.readableBytes > 0 { handOn(head.read(held.readableBytesView), context) }
        case .length(let left):
            let count = min(left, held.readableBytes)
            connection.body = left == count ? .none : .length(left - count)
            handOn(.ended(count), context)
        case .chunked(var chunks):
            let outcome = chunks.read(held.readableBytesView)
            if case .ended = outcome { connection.body = .none } else { connection.body = .chunked(chunks) }
            handOn(outcome, context)
        }
    }

    private func handOn(_ outcome: HeadReader.Outcome, _ context: ChannelHandlerContext) {
        var count = held.readableBytes
        switch outcome {
        case .more: break
        case .ended(let some): count = some
        case .malformed(let fault): return connection.refuse(.malformed(fault))
        }
        if let slice = held.readSlice(length: count) { context.fireChannelRead(wrapInboundOut(slice)) }
    }
}
