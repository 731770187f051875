import Dispatch
import Glibc
import Synchronization

/// Stands between a client and AWS's emulator, counts what goes by, and does what a network and a busy AWS do.
package final class WireProxy: Sendable {
    /// A request as it came.
    package struct Request: Sendable {
        package let method: String
        package let path: String
        /// By their names in lower case.
        package let headers: [String: String]
        package let body: [UInt8]
        /// The operation of AWS; method and path for requests that name none.
        package let operation: String
        /// Its place among the requests of this operation, from 1.
        package let number: Int
        /// The connection that it came over, from 1.
        package let connection: Int

        /// The body as text.
        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// What happens to a request.
    package indirect enum Reaction: Sendable {
        /// It is carried out and answered.
        case forward
        /// It is not carried out; the client gets this answer.
        case answer(Int, headers: [String: String], body: String)
        /// It is carried out, and the client gets another answer than the emulator's.
        case carryOutThen(Reaction)
        /// The connection ends without an answer.
        case cut
        /// Something happens, later.
        case slow(milliseconds: Int, Reaction)

        /// An error as AWS writes it in JSON.
        package static func refuse(
            _ code: String, status: Int = 400, message: String = "made by the proxy", headers: [String: String] = [:]
        ) -> Reaction {
            .answer(
                status, headers: headers.merging(["x-amzn-requestid": "request-of-the-proxy"]) { given, _ in given },
                body: #"{"__type":"com.amazonaws.proxy#\#(code)","message":"\#(message)"}"#)
        }

        /// DynamoDB's throttling.
        package static let throttle = refuse("ProvisionedThroughputExceededException")
        /// The answer is lost after the request was carried out.
        package static let failAfterWrite = carryOutThen(refuse("InternalServerError", status: 500))
        /// The connection ends after the request was carried out.
        package static let cutAfterWrite = carryOutThen(cut)
    }

    /// What the emulator has answered to a request.
    package struct Answer: Sendable {
        package let to: Request
        package let body: [UInt8]
    }

    private struct State {
        var requests: [Request] = []
        var answers: [Answer] = []
        var counts: [String: Int] = [:]
        var connections: [Socket] = []
    }

    /// Where it listens.
    package let port: Int
    private let target: Int?
    private let listener: Socket
    private let react: @Sendable (Request) -> Reaction
    private let state = Mutex(State())

    /// - Parameter target: the port of the emulator; nil when nothing is forwarded.
    package init(to target: Int?, react: @escaping @Sendable (Request) -> Reaction = { _ in .forward }) {
        (self.target, self.react) = (target, react)
        (listener, port) = Socket.listening()
        // A serial queue has a thread of its own while it waits; a concurrent one would take one that tasks share.
        DispatchQueue(label: "proxy").async { [listener, weak self] in
            while let connection = listener.accepted() {
                guard let proxy = self else { return }
                let number = proxy.open(connection)
                DispatchQueue(label: "proxy connection").async { [weak proxy] in proxy?.serve(connection, number) }
            }
        }
    }

    deinit {
        listener.shut()
        for connection in state.withLock({ $0.connections }) { connection.shut() }
    }

    /// The address to call instead of AWS's.
    package var url: String { "http://127.0.0.1:\(port)" }

    /// All requests so far.
    package var requests: [Request] { state.withLock { $0.requests } }

    /// How many requests of an operation there were.
    package func count(_ operation: String) -> Int { state.withLock { $0.counts[operation, default: 0] } }

    /// What the emulator has answered so far.
    package var answers: [Answer] { state.withLock { $0.answers } }

    /// Forgets the requests and answers so far, and counts from 1 again.
    package func forget() {
        state.withLock { state in
            state.requests = []
            state.answers = []
            state.counts = [:]
        }
    }

    private func open(_ connection: Socket) -> Int {
        state.withLock { state in
            state.connections.append(connection)
            return state.connections.count
        }
    }

    private func serve(_ connection: Socket, _ number: Int) {
        var bytes: [UInt8] = []
        var upstream: Socket?
        while let message = Message.read(connection, &bytes) {
            let request = note(message, number)
            guard let answer = answer(request, message, react(request), &upstream) else { break }
            guard connection.send(answer) else { break }
        }
        connection.shut()
    }

    private func note(_ message: Message, _ connection: Int) -> Request {
        let start = message.start.split(separator: " ").map(String.init)
        let (method, path) = (start.first ?? "", start.dropFirst().first ?? "")
        let form = String(decoding: message.body.prefix(200), as: UTF8.self).split(separator: "&")
        let operation =
            message.header("x-amz-target")?.split(separator: ".").last.map(String.init)
            ?? form.first { $0.hasPrefix("Action=") }.map { String($0.dropFirst(7)) } ?? "\(method) \(path)"
        let headers = Dictionary(message.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
        return state.withLock { state in
            state.counts[operation, default: 0] += 1
            let request = Request(
                method: method, path: path, headers: headers, body: message.body, operation: operation,
                number: state.counts[operation, default: 0], connection: connection)
            state.requests.append(request)
            return request
        }
    }

    /// The bytes to answer; nil to end the connection.
    private func answer(
        _ request: Request, _ message: Message, _ reaction: Reaction, _ upstream: inout Socket?
    ) -> [UInt8]? {
        switch reaction {
        case .cut: return nil
        case .slow(let milliseconds, let next):
            usleep(UInt32(milliseconds) * 1000)
            return answer(request, message, next, &upstream)
        case .carryOutThen(let next):
            guard forward(request, message, &upstream) != nil else { return nil }
            return answer(request, message, next, &upstream)
        case .answer(let status, let headers, let body):
            let lines = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
            return Array("HTTP/1.1 \(status) X\r\n\(lines)content-length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
        case .forward:
            guard let answer = forward(request, message, &upstream) else { return nil }
            state.withLock { $0.answers.append(Answer(to: request, body: answer.body)) }
            let kept = answer.headers.filter {
                !["content-length", "transfer-encoding", "connection"].contains($0.name.lowercased())
            }
            let lines = kept.map { "\($0.name): \($0.value)\r\n" }.joined()
            return Array("\(answer.start)\r\n\(lines)content-length: \(answer.body.count)\r\n\r\n".utf8) + answer.body
        }
    }

    private func forward(_ request: Request, _ message: Message, _ upstream: inout Socket?) -> Message? {
        guard let target else { return nil }
        // DynamoDB tells what a call has cost only when it is asked to; the emulator checks no signature.
        var body = message.body
        if message.header("x-amz-target")?.hasPrefix("DynamoDB_") == true, body.starts(with: Array("{\"".utf8)) {
            body = Array(#"{"ReturnConsumedCapacity":"TOTAL","#.utf8) + body.dropFirst()
        }
        let lines = message.headers.filter { $0.name.lowercased() != "content-length" }
            .map { "\($0.name): \($0.value)\r\n" }.joined()
        let bytes = Array("\(message.start)\r\n\(lines)content-length: \(body.count)\r\n\r\n".utf8) + body
        // The emulator may have ended an idle connection: once more over a new one.
        for _ in 0..<2 {
            let socket = upstream ?? Socket.connected(to: target)
            upstream = nil
            var received: [UInt8] = []
            if let socket, socket.send(bytes), let answer = Message.read(socket, &received) {
                upstream = socket
                return answer
            }
        }
        return nil
    }
}
