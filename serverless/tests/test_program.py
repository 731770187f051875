"""The real program in both stacks, deployed to the emulator by local.py, with PostgreSQL; and in those of other stages.

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

import databases
import local as local_script
import pytest
import traffic
from emulator import REGION, Emulator, Stage, eventually, new_version, package
from validation.services import ROOT, SERVERLESS

PROGRAMS = Path(os.environ.get("LEDGER_PROGRAMS", ROOT / ".build/debug"))
NAME = "medical-appointment-scheduling-dev"
POISON = "this is no JSON"

# scripts/test.sh says that they are to be there: then these tests fail without them.
BUILT = all((PROGRAMS / name).is_file() for name in ("bootstrap", "ledger"))
pytestmark = pytest.mark.skipif(
    not BUILT and "LEDGER_TEST_PROGRAMS" not in os.environ,
    reason=f"the programs are not built in {PROGRAMS}: run swift build, or scripts/test.sh",
)


class API:
    """Requests to the API of a stage."""

    def __init__(self, api, key, origin="https://portal.example"):
        self.api, self.key, self.origin = api, key, origin

    def ask(self, path, body=None, key=None):
        headers = {"Content-Type": "application/json", "X-API-Key": key or self.key, "Origin": self.origin}
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(urllib.request.Request(self.api + path, data, headers), timeout=120) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] in ("*", self.origin)
            return answer.status, json.load(answer)

    def completed(self, person, appointment):
        """The row of an appointment once it is completed."""

        def look():
            try:
                found = self.ask(f"/appointments/{person}/{appointment}")[1]
            except urllib.error.HTTPError as error:
                # The view follows the events, and a function may take its time to begin.
                assert error.code in (404, 503, 504)
                return None
            assert found["status"] != "failed"
            return found if found["status"] == "completed" else None

        return eventually(look)


class Local(API):
    """What local.py has said, and what a person does there."""

    def __init__(self, said: str, packages: Path):
        super().__init__(*(re.search(rf"^{name} +(\S+)$", said, re.MULTILINE)[1] for name in ("API", "API key")))
        self.emulator = Emulator(re.search(r"^AWS +(\S+)", said, re.MULTILINE)[1], "000000000000")
        self.database = re.search(r"^PostgreSQL +(\S+)", said, re.MULTILINE)[1]
        self.packages = packages

    def stage(self, name, database):
        """A stage in this emulator, with the program."""
        return Stage(self.emulator, name, self.packages / "bootstrap.zip", self.packages / "hooks.zip", database)

    def run(self, *command, **environment):
        """Runs a command as a person would whose AWS is the emulator."""
        done = subprocess.run(
            [str(word) for word in command],
            env={**self.emulator.environment(), **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def aws(self, *arguments):
        return json.loads(self.run("aws", "--endpoint-url", self.emulator.url, *arguments))

    def ledger(self, *arguments):
        """A verb of the ledger with the variables of the API's function."""
        functions = self.emulator.client("lambda")
        variables = functions.get_function_configuration(FunctionName=f"{NAME}-appointment")["Environment"]["Variables"]
        return self.run(PROGRAMS / "ledger", *arguments, "--engine", "aws", **variables)

    def waiting(self, queue):
        queues = self.emulator.client("sqs")
        url = queues.get_queue_url(QueueName=f"medical-appointment-scheduling-{queue}")["QueueUrl"]
        depth = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return url, int(depth["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Both stacks with the program, as `make aws-local` has them; it ends whole on Ctrl-C."""
    assert BUILT, f"the programs are not built in {PROGRAMS}"
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
            there = Local(said, packages)
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


# The first version's own request, and one of the other country. The first version knew no keys; here each needs one.
REQUESTS = {
    "PE": '{"insuredId":"00123","scheduleId":100,"countryISO":"PE"}',
    "CL": '{"insuredId":"00456","scheduleId":200,"countryISO":"CL"}',
}


@pytest.mark.parametrize("country", sorted(REQUESTS))
def test_a_request_ends_completed_and_is_found_by_each_index_and_by_auditors(local, country):
    body = REQUESTS[country]
    person = json.loads(body)["insuredId"]
    answer = json.loads(
        local.run(
            "curl",
            "--silent",
            "--fail",
            "-X",
            "POST",
            f"{local.api}/appointments",
            "-H",
            "Content-Type: application/json",
            "-H",
            f"X-API-Key: {local.key}",
            "-d",
            body,
        )  # fmt: skip
    )
    assert answer["status"] == "pending"
    row = local.completed(person, answer["appointmentId"])
    assert (row["countryISO"], row["schedule"]["medicId"]) == (country, 1)

    def indexed(key, value):
        queried = local.aws(
            "dynamodb", "query", "--table-name", "appointments-table-dev", "--index-name", f"{key}-createdAt-index",
            "--key-condition-expression", "#k = :v", "--expression-attribute-names", json.dumps({"#k": key}),
            "--expression-attribute-values", json.dumps({":v": {"S": value}}),
        )  # fmt: skip
        return [item for item in queried["Items"] if item["appointmentId"]["S"] == answer["appointmentId"]]

    for key, value in (("insuredId", person), ("status", "completed"), ("countryISO", country)):
        (item,) = indexed(key, value)
        assert (item["insuredId"]["S"], item["status"]["S"], item["countryISO"]["S"]) == (person, "completed", country)
    assert indexed("status", "pending") == []

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
    dead = local.waiting("appointments-pe-dlq-dev")[0]
    eventually(lambda: local.waiting("appointments-pe-dlq-dev")[1] == 1)
    (letter,) = json.loads(local.ledger("dlq", "list", "--format", "json"))
    assert letter["queue"] == "appointments-pe"
    local.ledger("dlq", "redrive", "--queue", "appointments-pe")
    assert local.waiting("appointments-pe-dlq-dev")[1] == 0
    # It is as bad as it was, and dies again.
    eventually(lambda: local.waiting("appointments-pe-dlq-dev")[1] == 1)
    (message,) = queues.receive_message(QueueUrl=dead, WaitTimeSeconds=0)["Messages"]
    assert message["Body"] == POISON
    queues.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_a_request_of_another_stage_needs_a_key_that_plan_and_ledger_know(local, stage):
    with databases.running(stage, PROGRAMS / "ledger") as database:
        there = local.stage(stage, database)
        infrastructure = there.deploy_infrastructure()[0]
        app = there.deploy_application("Other")
        try:
            origin = app.service["custom"]["config"]["api"]["cors"]["origins"][0]
            api = API(there.api, local_script.key(there, PROGRAMS / "ledger"), origin)
            answer = api.ask("/appointments", json.loads(REQUESTS["CL"]))[1]
            assert api.completed("00456", answer["appointmentId"])["countryISO"] == "CL"
            with pytest.raises(urllib.error.HTTPError) as refusal:
                # Known to the ledger of another stage, and to no plan of this one.
                api.ask("/appointments?status=pending", key=local.key)
            assert refusal.value.code in (401, 403)
        finally:
            local.emulator.remove(app.stack)
            local.emulator.remove(infrastructure.stack)


def test_a_second_version_takes_over_and_both_stacks_are_removed(local):
    functions = local.emulator.client("lambda")
    alias = {"FunctionName": f"{NAME}-appointment", "Name": "Live"}
    before = functions.get_alias(**alias)["FunctionVersion"]
    stage = local.stage("dev", local.database)
    stage.find_infrastructure()
    stage.deploy_application("Second", lambda template: new_version(template, "Appointment", LOG_LEVEL="INFO"))
    assert int(functions.get_alias(**alias)["FunctionVersion"]) == int(before) + 1
    after = API(stage.api, local.key)
    answer = after.ask("/appointments", {"insuredId": "00789", "scheduleId": 101, "countryISO": "PE"})[1]
    assert after.completed("00789", answer["appointmentId"])["countryISO"] == "PE"
    local.run(SERVERLESS / "scripts/infrastructure.sh", "remove", "dev", REGION, "--force")
    with pytest.raises(urllib.error.URLError):
        after.ask("/health/live")
    # Those of prod are kept when it goes.
    left = local.emulator.client("dynamodb").list_tables()["TableNames"]
    assert [name for name in left if not name.endswith("-prod")] == []
