"""The traffic hooks, with CodeDeploy and Lambda played over the wire."""

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import traffic

EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "hook-1"}


class Wire(BaseHTTPRequestHandler):
    """Answers what a test has put down, and remembers what it was asked."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        operation = self.headers.get("X-Amz-Target", self.path).rsplit(".", 1)[-1]
        self.server.asked.append((operation, body))
        status, headers, answer = self.server.answer(operation)
        data = json.dumps(answer).encode()
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def wire(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Wire)
    server.asked, server.reply, server.function = [], (200, {}, {"statusCode": 200}), "s-dev-appointment"

    def answer(operation):
        info = {"functionName": server.function, "functionAlias": "Live", "targetVersion": "7", "currentVersion": "6"}
        match operation:
            case "ListDeploymentTargets":
                return 200, {}, {"targetIds": ["t-1"]}
            case "BatchGetDeploymentTargets":
                return 200, {}, {"deploymentTargets": [{"lambdaTarget": {"lambdaFunctionInfo": info}}]}
            case "PutLifecycleEventHookExecutionStatus":
                return 200, {}, {"lifecycleEventHookExecutionId": "hook-1"}
        return server.reply

    server.answer = answer
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for key, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(key, value)
    yield server
    server.shutdown()
    server.server_close()


def said(wire):
    return [body["status"] for operation, body in wire.asked if operation == "PutLifecycleEventHookExecutionStatus"]


def asked(wire):
    return [(operation, body) for operation, body in wire.asked if operation.startswith("/2015-03-31/functions/")]


def test_before_asks_the_new_version_whether_it_is_ready(wire):
    assert traffic.before(EVENT, None) == "Succeeded"
    ((path, question),) = asked(wire)
    assert path == "/2015-03-31/functions/s-dev-appointment/invocations?Qualifier=7"
    assert (question["httpMethod"], question["path"]) == ("GET", "/health/ready")
    assert said(wire) == ["Succeeded"]


def test_after_asks_the_alias(wire):
    assert traffic.after(EVENT, None) == "Succeeded"
    assert asked(wire)[0][0].endswith("?Qualifier=Live")


def test_a_function_of_a_queue_is_asked_with_an_empty_batch(wire):
    wire.function, wire.reply = "s-dev-appointment-pe", (200, {}, {"batchItemFailures": []})
    assert traffic.before(EVENT, None) == "Succeeded"
    assert asked(wire)[0][1] == {"Records": []}


@pytest.mark.parametrize(
    ("function", "reply"),
    [
        ("s-dev-appointment", (200, {}, {"statusCode": 503})),
        ("s-dev-appointment", (200, {"X-Amz-Function-Error": "Unhandled"}, {"errorType": "Crash"})),
        ("s-dev-appointment", (500, {}, {"message": "no"})),
        ("s-dev-appointment", (200, {}, None)),
        ("s-dev-appointment-cl", (200, {}, {"batchItemFailures": [{"itemIdentifier": "x"}]})),
        ("s-dev-appointment-mirror", (200, {"X-Amz-Function-Error": "Unhandled"}, {"errorType": "Crash"})),
    ],
)
def test_a_version_that_does_not_work_fails_the_deployment(wire, function, reply):
    wire.function, wire.reply = function, reply
    assert traffic.before(EVENT, None) == "Failed"
    assert said(wire) == ["Failed"]


def test_the_question_is_json():
    assert json.load(io.StringIO(json.dumps(traffic.READY)))["requestContext"]["stage"] == "hook"
