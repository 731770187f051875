import MemoryEngine
import RawHTTP
import Testing

@Suite struct ServerTests {
    @Test("a request is answered over a connection that stays open for the next")
    func keepAlive() async throws {
        let world = try World()
        try await withServer(world) { port in
            let answers = try await onThread { () -> [Answer?] in
                let client = try RawClient(port: port)
                client.send(post(Array(World.request.utf8)))
                let first = client.answer()
                client.send(request("GET /health/live"))
                return [first, client.answer()]
            }
            #expect(answers.map { $0?.status } == [201, 200])
            #expect(answers[0]?.header("Location")?.hasPrefix("/appointments/00123/") == true)
            #expect(answers[0]?.header("Access-Control-Allow-Origin") == "*")
        }
        #expect(try await world.store.head() == 1)
    }
}
