import RawHTTP
import Testing

/// Requests that two readers could understand in two ways are refused (RFC 9112).
@Suite struct StrictRequestTests {
    private static let chunkedHead = "POST /appointments HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test(
        "what RFC 9112 wants refused is refused with 400, and the connection ends",
        arguments: [
            "GET  /health/live HTTP/1.1\r\nHost: a\r\n\r\n", "GET /health/live  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /health/live HTTP/1.1 \r\nHost: a\r\n\r\n", " GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET\t/health/live HTTP/1.1\r\nHost: a\r\n\r\n", "GET /health/live\r\nHost: a\r\n\r\n",
            "GET /health/live HTTP/2.0\r\nHost: a\r\n\r\n", "GET /health/live http/1.1\r\nHost: a\r\n\r\n",
            "GET /health/live HTTP/1.10\r\nHost: a\r\n\r\n", "GET /health/live HTTP/1.1\nHost: a\n\n",
            "GET /health/live HTTP/1.1\r\n\r\n", "GET /health/live HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: a b\r\n\r\n", "GET /health/live HTTP/1.1\r\nHost: a, b\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET /health/live HTTP/1.1\r\nHost: u@a\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: a:8x\r\n\r\n", "GET /health/live HTTP/1.1\r\nHost: [::1\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: [::1].evil.example\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost:\r\n\r\n",
            "GET http://b/health/live HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
            "GET /health/live HTTP/1.1\r\n Host: a\r\n\r\n", "GET /health/live HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "POST /appointments HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
            "POST /appointments HTTP/1.1\r\nHost: a\r\nContent-Length: -0\r\n\r\n",
            "POST /appointments HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\n{}",
            "POST /appointments HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
            "POST /appointments HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\n{}",
            "POST /appointments HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST /appointments HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            chunkedHead + "+2\r\n{}\r\n0\r\n\r\n", chunkedHead + "0x2\r\n{}\r\n0\r\n\r\n",
            chunkedHead + "2\n{}\n0\n\n", chunkedHead + "2\r\n{}0\r\n\r\n", chunkedHead + "2 \r\n{}\r\n0\r\n\r\n",
            chunkedHead + "2;\(String(repeating: "x", count: 70_000))\r\n{}\r\n0\r\n\r\n",
            chunkedHead + "fffffffff\r\n{}\r\n0\r\n\r\n",
        ])
    func refused(text: String) async throws {
        try await withServer(try World()) { port in
            let (answer, isClosed) = try await onThread { () -> (Answer?, Bool) in
                let client = try RawClient(port: port)
                client.send(text)
                return (client.answer(), client.isClosed())
            }
            #expect(answer?.status == 400)
            #expect(answer?.errorCode == "VALIDATION_ERROR")
            #expect(isClosed)
        }
    }

    @Test(
        "what RFC 9112 allows is answered",
        arguments: [
            "\r\nGET /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nhOsT:   a.example:8080  \r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX:\r\n\r\n",
            "GET http://a/health/live HTTP/1.1\r\nHost: A\r\n\r\n", "GET /health/live HTTP/1.0\r\n\r\n",
            "GET /health/live HTTP/1.1\r\nHost: xn--uoa-8ma.example\r\nX-Text: Ñuñoa\r\n\r\n",
        ])
    func allowed(text: String) async throws {
        try await withServer(try World()) { port in
            let answer = try await exchange(port, Array(text.utf8))
            #expect(answer?.status == 200)
        }
    }
}
