"""Both stacks are made in the emulator for every stage; requests run through dev's; it is updated and removed."""

import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from emulator import REGION, UNKNOWN, Emulator, Stage, eventually, new_version, package
from validation.services import SERVERLESS, STAGES, services

# Requests to an API carry no signature, and the emulator takes them for the first account's.
ACCOUNTS = {"dev": "000000000000", "staging": "100000000002", "prod": "100000000003"}


class Deployed(Stage):
    """A stage in the emulator, with commands as a person would run them there."""

    def __init__(self, url, stage, directory):
        # The placeholder is run by this Python, which has boto3.
        text = (SERVERLESS / "tests/placeholder.py").read_text(encoding="utf-8")
        program = package(directory / "bootstrap.zip", {"bootstrap": f"#!{sys.executable}\n{text}"})
        hook = (SERVERLESS / "hooks/traffic.py").read_text(encoding="utf-8")
        super().__init__(
            Emulator(url, ACCOUNTS[stage]), stage, program, package(directory / "hooks.zip", {"traffic.py": hook})
        )

    def run(self, *command, status=0, text=""):
        """Runs a command as a person would whose AWS is the emulator."""
        done = subprocess.run(
            list(command),
            env=self.emulator.environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == status, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def aws(self, *arguments):
        return self.run("aws", "--endpoint-url", self.emulator.url, *arguments)

    def script(self, name, *arguments, **options):
        return self.run(str(SERVERLESS / "scripts" / name), *arguments, **options)


@pytest.fixture(scope="module")
def dev(emulator_url, tmp_path_factory):
    """The stage dev, deployed."""
    stage = Deployed(emulator_url, "dev", tmp_path_factory.mktemp("dev"))
    stage.deploy_infrastructure()
    stage.deploy_application("First")
    return stage


def test_nothing_is_left_out_that_the_emulator_does_not_lack():
    kinds = {
        resource["Type"]
        for stage in STAGES
        for expansion in services(stage)
        for resource in expansion.template["Resources"].values()
    }
    assert kinds >= UNKNOWN


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_both_stacks_are_made_and_removed(emulator_url, tmp_path, stage):
    there = Deployed(emulator_url, stage, tmp_path)
    infrastructure, outputs = there.deploy_infrastructure()
    app = there.deploy_application("First")
    made = there.emulator.client("cloudformation").describe_stack_resources(StackName=app.stack)["StackResources"]
    conditions = {"prod": {"HasWaf", "HasBudget", "HasTrail", "HasProvisionedConcurrency"}, "staging": {"HasBudget"}}
    wanted = {
        key
        for key, resource in app.template["Resources"].items()
        if resource["Type"] not in UNKNOWN and resource.get("Condition", "HasBudget") in conditions[stage]
    }
    assert {resource["LogicalResourceId"] for resource in made} == wanted
    # What is kept when a stage goes does not stand in the way of the next one.
    there.emulator.remove(app.stack)
    there.emulator.remove(infrastructure.stack)
    outputs_again = there.deploy_infrastructure()[1]
    kept = {outputs["CheckpointBucketName"], outputs["TrailBucketName"]}
    assert kept <= {bucket["Name"] for bucket in there.emulator.client("s3").list_buckets()["Buckets"]}
    assert kept.isdisjoint(outputs_again.values())


def test_the_seeds_own_request_runs_through_every_wire_and_is_found_by_each_index(dev):
    answer = json.loads(
        dev.run(
            "curl",
            "--silent",
            "--fail",
            "-X",
            "POST",
            f"{dev.api}/appointments",
            "-H",
            "Content-Type: application/json",
            "-d",
            '{"insuredId":"00123","scheduleId":100,"countryISO":"PE"}',
        )  # fmt: skip
    )
    assert answer["status"] == "pending"

    def found(index, key, value):
        queried = dev.aws(
            "dynamodb", "query", "--table-name", "appointments-table-dev", "--index-name", index,
            "--key-condition-expression", "#k = :v",
            "--expression-attribute-names", json.dumps({"#k": key}),
            "--expression-attribute-values", json.dumps({":v": {"S": value}}),
        )  # fmt: skip
        items = json.loads(queried)["Items"]
        return [item for item in items if item["appointmentId"]["S"] == answer["appointmentId"]]

    (item,) = eventually(lambda: found("insuredId-createdAt-index", "insuredId", "00123"))
    assert item["database"]["S"] == "medical_appointments_dev_pe"
    assert found("status-createdAt-index", "status", "completed")
    assert found("countryISO-createdAt-index", "countryISO", "PE")


def test_chile_goes_its_own_way(dev):
    body = b'{"insuredId":"00456","scheduleId":200,"countryISO":"CL"}'
    with urllib.request.urlopen(urllib.request.Request(f"{dev.api}/appointments", body, method="POST")) as answer:
        appointment = json.load(answer)["appointmentId"]
    table = dev.emulator.client("dynamodb")
    key = {"appointmentId": {"S": appointment}}
    item = eventually(lambda: table.get_item(TableName="appointments-table-dev", Key=key).get("Item"))
    assert item["database"]["S"] == "medical_appointments_dev_cl"


def test_a_poison_message_reaches_its_dead_letters_and_is_redriven(dev):
    queues = dev.emulator.client("sqs")
    queue, dead = dev.outputs["AppointmentsPEQueueUrl"], dev.outputs["AppointmentsPEDLQUrl"]
    attributes = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (attributes["VisibilityTimeout"], attributes["MessageRetentionPeriod"]) == ("180", "1209600")
    # Three receives at 180 seconds each are longer than a test may take.
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    queues.send_message(QueueUrl=queue, MessageBody="this is no JSON")

    def waiting(url):
        depth = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(depth["Attributes"]["ApproximateNumberOfMessages"])

    eventually(lambda: waiting(dead) == 1)
    # The emulator has no StartMessageMoveTask, which does the same by itself: receive, delete, send.
    (letter,) = queues.receive_message(QueueUrl=dead, WaitTimeSeconds=0)["Messages"]
    assert letter["Body"] == "this is no JSON"
    queues.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    eventually(lambda: waiting(dead) == 0)
    queues.send_message(QueueUrl=queue, MessageBody=letter["Body"])
    eventually(lambda: waiting(dead) == 1)
    queues.purge_queue(QueueUrl=dead)
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "180"})


def test_a_deployment_moves_the_alias_to_a_new_version(dev):
    def level():
        with urllib.request.urlopen(f"{dev.api}/health/ready") as answer:
            return json.load(answer)["level"]

    functions = dev.emulator.client("lambda")
    name = "medical-appointment-scheduling-dev-appointment"
    before = functions.get_alias(FunctionName=name, Name="Live")["FunctionVersion"]
    assert level() == "DEBUG"

    dev.deploy_application("Second", lambda template: new_version(template, "Appointment", LOG_LEVEL="INFO"))
    after = functions.get_alias(FunctionName=name, Name="Live")["FunctionVersion"]
    assert int(after) == int(before) + 1
    assert eventually(lambda: level() == "INFO")


def test_the_scripts_look_after_what_is_deployed_and_remove_it(dev):
    information = dev.script("infrastructure.sh", "info", "dev", REGION)
    assert "medical-appointment-scheduling-dev: UPDATE_COMPLETE" in information
    assert "MedicalAppointmentsEventBus-dev" in information
    # The emulator's CloudFormation forgets this one.
    dev.emulator.client("dynamodb").update_continuous_backups(
        TableName="events-table-dev", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    queues = dev.emulator.client("sqs")
    queues.purge_queue(QueueUrl=dev.outputs["AppointmentsPEDLQUrl"])
    queues.send_message(QueueUrl=dev.outputs["AppointmentsErrorDLQUrl"], MessageBody="{}")
    verified = dev.script("infrastructure.sh", "verify", "dev", REGION, status=1).splitlines()
    assert [line for line in verified if not line.startswith("ok ")] == [
        "WRONG    no dead letters of error: it is '1', not '0'"
    ]
    assert "ok       GET /health/ready" in verified and len(verified) == 19
    logged = dev.script("infrastructure.sh", "logs", "dev", REGION, "--function", "appointment", "--since", "1h")
    assert "== appointment" in logged
    dev.script("infrastructure.sh", "remove", "dev", REGION, "--force")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{dev.api}/health/ready")
    assert dev.emulator.client("dynamodb").list_tables()["TableNames"] == []
