import API
import EventStore
import Handlers
import Synchronization
import Testing

@testable import LambdaRuntime

/// The shapes of events after AWS's documentation, and what is read from them.
@Suite struct EventShapeTests {
    private func event(_ text: String) throws -> LambdaEvent { try LambdaEvent(Array(text.utf8)) }

    private func request(_ text: String) throws -> APIRequest {
        guard case .request(let request) = try event(text) else { throw JSONError("no request", at: 0) }
        return request
    }

    @Test("API Gateway's request is the one that the local server would have read")
    func gateway() throws {
        let read = try request(
            Deployment.event(
                "GET", "/appointments/0012 3",
                [("from", "2026-11-24T07:10:53.123+01:00"), ("a b", "c&d=é"), ("a b", "")],
                "text", [("X-API-Key", "one"), ("Accept", "a"), ("Accept", "b")]))
        #expect(read.method == "GET")
        #expect(read.path == "/appointments/0012%203")
        #expect(read.query == "from=2026-11-24T07%3A10%3A53.123%2B01%3A00&a%20b=c%26d%3D%C3%A9&a%20b=")
        #expect(read.headers.map { "\($0.name): \($0.value)" } == ["X-API-Key: one", "Accept: a", "Accept: b"])
        #expect(read.body == Array("text".utf8))
        #expect(read.remoteAddress == "203.0.113.7")
        #expect(read.requestID == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
    }

    @Test("without lists of values those with one each are read; a body in base64 is decoded; no body is empty")
    func fewer() throws {
        let text = #"""
            {"httpMethod":"POST","path":"/appointments","headers":{"Accept":"a"},"multiValueHeaders":null,
             "queryStringParameters":{"status":"failed"},"multiValueQueryStringParameters":null,
             "requestContext":{"requestId":"r","identity":{"sourceIp":"127.0.0.1"}},"body":BODY,"isBase64Encoded":true}
            """#
        let read = try request(text.replacing("BODY", with: #""eyJhIjoxfQ==""#))
        #expect(read.body == Array(#"{"a":1}"#.utf8))
        #expect(read.query == "status=failed" && read.headers.count == 1)
        #expect(try request(text.replacing("BODY", with: "null")).body.isEmpty)
        #expect(throws: JSONError.self) { try request(text.replacing("BODY", with: #""***""#)) }
        // Whoever names this machine's address did not come from it: the routes that are open there stay closed.
        #expect(read.remoteAddress == "")
    }

    @Test("messages keep id, body, receipt and count, and the name of their queue")
    func messages() throws {
        let read = try event(
            #"""
            {"Records":[{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d",
             "receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxl","body":"{\"Type\":\"Notification\"}",
             "attributes":{"ApproximateReceiveCount":"2","SentTimestamp":"1545082649183",
             "SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"1545082649185"},
             "messageAttributes":{},
             "md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3","eventSource":"aws:sqs",
             "eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:medical-appointment-scheduling-appointments-pe-dev",
             "awsRegion":"us-east-2"}]}
            """#)
        guard case .messages(let messages) = read else {
            Issue.record("it was \(read)")
            return
        }
        #expect(messages.map(\.queue) == ["medical-appointment-scheduling-appointments-pe-dev"])
        #expect(messages[0].message.id == "059f36b4-87a3-44ab-83d2-661975830a7d")
        #expect(messages[0].message.receiveCount == 2)
        #expect(messages[0].message.receipt == "AQEBwJnKyrHigUMZj6rYigCgxl")
        #expect(messages[0].message.body == Array(#"{"Type":"Notification"}"#.utf8))
    }

    @Test("records keep their sequence numbers; a schedule and an empty batch are told by their shape")
    func others() throws {
        let records = try event(
            #"""
            {"Records":[{"eventID":"1","eventVersion":"1.0","dynamodb":{"ApproximateCreationDateTime":1479499740,
             "Keys":{"Id":{"N":"101"}},"NewImage":{"Message":{"S":"New item!"},"Id":{"N":"101"}},"StreamViewType":
             "NEW_AND_OLD_IMAGES","SequenceNumber":"111","SizeBytes":26},"awsRegion":"us-west-2","eventName":"INSERT",
             "eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/x","eventSource":"aws:dynamodb"}]}
            """#)
        guard case .records(let read) = records else {
            Issue.record("it was \(records)")
            return
        }
        #expect(read.map(\.sequenceNumber) == ["111"])
        #expect(read[0].content["eventName"]?.text == "INSERT")
        let schedule = try event(
            #"""
            {"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event",
             "source":"aws.events","account":"123456789012","time":"2015-10-08T16:53:06Z","region":"us-east-1",
             "resources":["arn:aws:events:us-east-1:123456789012:rule/my-scheduled-rule"],"detail":{}}
            """#)
        guard case .schedule = schedule, case .nothing = try event(#"{"Records":[]}"#) else {
            Issue.record("they were not told")
            return
        }
    }

    @Test("an answer goes to API Gateway with all its headers, a repeated one with all its values")
    func answer() throws {
        let response = APIResponse(
            status: 201, headers: [("Vary", "Origin"), ("Location", "/x"), ("Vary", "Accept")],
            body: Array(#"{"a":"é\n"}"#.utf8))
        let written = try JSONValue(response.gatewayBytes)
        #expect(written["statusCode"]?.whole == 201)
        #expect(written["multiValueHeaders"]?["Vary"]?.elements == [.string("Origin"), .string("Accept")])
        #expect(written["multiValueHeaders"]?["Location"]?.elements == [.string("/x")])
        #expect(written["body"]?.text == #"{"a":"é\n"}"#)
        #expect(written["isBase64Encoded"] == .boolean(false))
    }

    @Test("the failures of a batch are named as Lambda reads them, and a metric as CloudWatch does")
    func written() {
        #expect(BatchAnswer.bytes(failed: []) == Array(#"{"batchItemFailures":[]}"#.utf8))
        #expect(
            BatchAnswer.bytes(failed: ["a", "b"])
                == Array(#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}"#.utf8))
        let lines = Mutex<[String]>([])
        let metric = EmbeddedMetric(
            stage: "dev", now: { Timestamp(milliseconds: 1_574_109_732_004) },
            write: { line in lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } })
        metric.put(.mirrorLag, 100)
        let expected =
            #"{"_aws":{"Timestamp":1574109732004,"CloudWatchMetrics":[{"Namespace":"MedicalAppointments","#
            + #""Dimensions":[["Stage"]],"Metrics":[{"Name":"MirrorLagMilliseconds","Unit":"Milliseconds"}]}]},"#
            + #""Stage":"dev","MirrorLagMilliseconds":100}"# + "\n"
        #expect(lines.withLock { $0 } == [expected])
    }
}
