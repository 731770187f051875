"""The real program in both stacks, deployed to the emulator by local.py, with PostgreSQL.

It is the debug build that scripts/test.sh makes for its other tests; package.sh makes the one that is deployed.
"""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest
import traffic
from emulator import Emulator, eventually, package
from validation.services import ROOT, SERVERLESS

PROGRAMS = Path(os.environ.get("LEDGER_PROGRAMS", ROOT / ".build/debug"))
NAME = "medical-appointment-scheduling-dev"
POISON = "this is no JSON"

pytestmark = pytest.mark.skipif(
    not all((PROGRAMS / name).is_file() for name in ("bootstrap", "ledger")),
    reason=f"the programs are not built in {PROGRAMS}: run swift build, or scripts/test.sh",
)


class Local:
    """What local.py has said, and requests to its API."""

    def __init__(self, said: str):
        self.api = re.search(r"^API +(\S+)$", said, re.MULTILINE)[1]
        self.key = re.search(r"^API key +(\S+)$", said, re.MULTILINE)[1]
        self.emulator = Emulator(re.search(r"^AWS +(\S+)", said, re.MULTILINE)[1], "000000000000")

    def ask(self, path, body=None, key=None):
        headers = {"Content-Type": "application/json", "X-API-Key": key or self.key, "Origin": "https://portal.example"}
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(urllib.request.Request(self.api + path, data, headers), timeout=30) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            return answer.status, json.load(answer)

    def waiting(self, queue):
        queues = self.emulator.client("sqs")
        url = queues.get_queue_url(QueueName=f"medical-appointment-scheduling-{queue}")["QueueUrl"]
        depth = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return url, int(depth["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Both stacks with the program, as `make aws-local` has them; it ends whole on Ctrl-C."""
    packages = tmp_path_factory.mktemp("packages")
    stripped = packages / "bootstrap"
    subprocess.run(["strip", "-o", stripped, PROGRAMS / "bootstrap"], check=True)
    with zipfile.ZipFile(packages / "bootstrap.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(stripped, "bootstrap")
    package(packages / "hooks.zip", {"traffic.py": (SERVERLESS / "hooks/traffic.py").read_text(encoding="utf-8")})
    command = [sys.executable, SERVERLESS / "scripts/local.py", "--packages", packages, "--ledger", PROGRAMS / "ledger"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = ""
        try:
            for line in process.stdout:
                said += line
                if "Ctrl-C" in line:
                    break
            else:
                raise AssertionError(f"local.py ended: {said}")
            there = Local(said)
            # It is tried three times, which takes a while: meanwhile the other tests run, and are not held up by it.
            there.emulator.client("sqs").send_message(
                QueueUrl=there.waiting("appointments-pe-dev")[0], MessageBody=POISON
            )
            yield there
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0, process.stdout.read()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{there.api}/health/live", timeout=5)


def test_a_deployments_questions_are_answered_by_every_function(local, caplog):
    functions = local.emulator.client("lambda")
    # The first makes the master key that the others open.
    for name in ("appointment", "appointment-pe", "appointment-cl", "appointment-mirror"):
        traffic._ask(functions, f"{NAME}-{name}", "Live")


@pytest.mark.parametrize(("country", "schedule"), [("PE", 100), ("CL", 200)])
def test_a_request_ends_completed_and_auditors_find_it_in_the_mirror(local, country, schedule):
    person = f"001{schedule // 10}"
    status, answer = local.ask("/appointments", {"insuredId": person, "scheduleId": schedule, "countryISO": country})
    assert (status, answer["status"]) == (201, "pending")
    path = f"/appointments/{person}/{answer['appointmentId']}"

    def completed():
        try:
            found = local.ask(path)[1]
        except urllib.error.HTTPError as error:
            # The view follows the events.
            assert error.code == 404
            return None
        assert found["status"] != "failed"
        return found if found["status"] == "completed" else None

    row = eventually(completed)
    assert (row["countryISO"], row["schedule"]["medicId"]) == (country, 1)

    def mirrored():
        events = local.ask(f"/audit/events?insuredId={person}")[1]["events"]
        return events if len(events) == 4 else None

    events = eventually(mirrored)
    assert [event["type"] for event in events] == ["requested", "routed", "country-processed", "completed"]
    assert {event["appointmentId"] for event in events} == {answer["appointmentId"]}


def test_without_a_key_that_is_known_nothing_is_said(local):
    for path in ("/appointments?status=pending", "/audit/events"):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            local.ask(path, key="ldg_" + "x" * 43)
        assert refusal.value.code == 401


def test_a_poison_message_reaches_its_dead_letters_and_is_redriven(local):
    queues = local.emulator.client("sqs")
    queue, dead = local.waiting("appointments-pe-dev")[0], local.waiting("appointments-pe-dlq-dev")[0]
    eventually(lambda: local.waiting("appointments-pe-dlq-dev")[1] == 1)
    (letter,) = queues.receive_message(QueueUrl=dead, WaitTimeSeconds=0)["Messages"]
    assert letter["Body"] == POISON
    # The emulator has no StartMessageMoveTask, which does the same by itself.
    queues.send_message(QueueUrl=queue, MessageBody=letter["Body"])
    queues.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    assert local.waiting("appointments-pe-dlq-dev")[1] == 0
