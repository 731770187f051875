"""An emulator of AWS on the loopback address, and stacks in it made from the expanded templates."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import boto3
from expander import Sources, expand

SERVERLESS = Path(__file__).resolve().parent.parent
# Stand for the secrets that infrastructure.sh makes.
SECRETS = ("rds/password", "rds/mirror-password", "rds/pe-password", "rds/cl-password", "api-key-secret")
# What the emulator has no word for. What refers to these is left out with them, and nothing else.
UNKNOWN = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::Budgets::Budget",
    "AWS::CloudTrail::Trail",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::EC2::FlowLog",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::Events::Archive",
    "AWS::WAFv2::LoggingConfiguration",
    "AWS::WAFv2::WebACLAssociation",
}
REGION = "us-east-1"


class Emulator:
    """One emulator. Each account in it is a world of its own."""

    def __init__(self, url: str, account: str):
        self.url, self.account = url, account

    def client(self, product: str):
        """A client of AWS that talks to the emulator."""
        return boto3.client(
            product,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.account,
            aws_secret_access_key="test",
        )

    def environment(self) -> dict:
        """What the aws command needs to talk to the emulator, and no more of this machine than a path."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": "/nonexistent",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def deploy(self, stack: str, template: dict) -> dict:
        """Creates or updates a stack, and gives its outputs."""
        cloudformation, storage = self.client("cloudformation"), self.client("s3")
        # A template of this size is read from a bucket, as the framework does it.
        bucket, key = f"templates-{self.account}", f"{stack}.json"
        storage.create_bucket(Bucket=bucket)
        storage.put_object(Bucket=bucket, Key=key, Body=json.dumps(known_to_emulator(template)).encode())
        arguments = {
            "StackName": stack,
            "TemplateURL": f"{self.url}/{bucket}/{key}",
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }
        if self._exists(stack):
            cloudformation.update_stack(**arguments)
        else:
            cloudformation.create_stack(**arguments)
        return self.wait(stack, ("CREATE_COMPLETE", "UPDATE_COMPLETE"))

    def wait(self, stack: str, wanted: tuple[str, ...], seconds: int = 300) -> dict:
        """Waits until a stack has come to rest, and gives its outputs."""
        cloudformation = self.client("cloudformation")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
            if not found["StackStatus"].endswith("_IN_PROGRESS"):
                break
            time.sleep(0.2)
        if found["StackStatus"] not in wanted:
            events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
            failed = [
                f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}"
                for e in events
                if "FAILED" in e["ResourceStatus"]
            ]
            raise AssertionError(f"{stack} is {found['StackStatus']}: {failed[:5]}")
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def _exists(self, stack: str) -> bool:
        listed = self.client("cloudformation").list_stacks()["StackSummaries"]
        return any(s["StackName"] == stack and s["StackStatus"] != "DELETE_COMPLETE" for s in listed)

    def remove(self, stack: str) -> None:
        """Removes a stack and waits until it is gone."""
        cloudformation = self.client("cloudformation")
        cloudformation.delete_stack(StackName=stack)
        for _ in range(1500):
            if not self._exists(stack):
                return
            time.sleep(0.2)
        self.wait(stack, ("DELETE_COMPLETE",), seconds=1)


class Stage:
    """Both stacks of a stage, in an emulator."""

    def __init__(self, emulator: Emulator, stage: str, program: Path, hooks: Path, database: str | None = None):
        """The packages are what package.sh makes. Functions find their databases at DATABASE, HOST:PORT."""
        self.emulator, self.stage, self.database = emulator, stage, database
        self.packages = {program.name: program, hooks.name: hooks}
        self.sources = Sources(stage, REGION, emulator.account)
        self.sources.environment = {
            "LAMBDA_ARCHITECTURE": "x86_64",
            "BOOTSTRAP_PACKAGE": str(program),
            "HOOKS_PACKAGE": str(hooks),
        }
        self.outputs: dict = {}

    def deploy_infrastructure(self):
        """Makes the secrets and the first stack; gives what was expanded, and the stack's outputs."""
        parameters = self.emulator.client("ssm")
        for name in SECRETS:
            parameters.put_parameter(
                Name=f"/medical-appointment/{self.stage}/{name}",
                Type="SecureString",
                Value="not-a-secret-" * 3,
                # They outlive a stage.
                Overwrite=True,
            )
        infrastructure = expand(SERVERLESS / "infrastructure", self.sources)
        outputs = self.emulator.deploy(infrastructure.stack, infrastructure.template)
        self.sources.stacks = {f"{infrastructure.stack}.{key}": value for key, value in outputs.items()}
        return infrastructure, outputs

    def deploy_application(self, instance: str, change=lambda template: None):
        """Makes or updates the second stack; gives what was expanded."""
        self.sources.instance = instance
        app = expand(SERVERLESS, self.sources)
        if self.database:
            self._replace_database(app.template)
        change(app.template)
        storage = self.emulator.client("s3")
        for resource in app.template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                code = resource["Properties"]["Code"]
                file = self.packages[code["S3Key"].rsplit("/", 1)[1]]
                storage.put_object(Bucket=code["S3Bucket"], Key=code["S3Key"], Body=file.read_bytes())
        self.outputs = self.emulator.deploy(app.stack, app.template)
        return app

    def find_infrastructure(self) -> None:
        """Takes the first stack as it is there already."""
        stack = f"medical-appointment-infrastructure-{self.stage}"
        outputs = self.emulator.wait(stack, ("CREATE_COMPLETE", "UPDATE_COMPLETE"))
        self.sources.stacks = {f"{stack}.{key}": value for key, value in outputs.items()}

    def _replace_database(self, template: dict) -> None:
        # The emulator's database is a name without a server.
        host, port = self.database.rsplit(":", 1)
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                variables = resource["Properties"].get("Environment", {}).get("Variables", {})
                for name in variables:
                    if name.startswith("RDS_HOST"):
                        variables[name] = host
                    if name.startswith("RDS_PORT"):
                        variables[name] = port

    @property
    def api(self) -> str:
        """Where the emulator has the API."""
        return f"{self.emulator.url}/restapis/{self.outputs['ApiId']}/{self.stage}/_user_request_"


def new_version(template: dict, function: str, **variables: str) -> None:
    """Changes a function's variables, and the name of its version with them, as the framework does."""
    resources = template["Resources"]
    resources[f"{function}LambdaFunction"]["Properties"]["Environment"]["Variables"].update(variables)
    old = next(key for key in resources if key.startswith(f"{function}LambdaVersion"))
    text = json.dumps(template).replace(old, f"{old}Next")
    template.clear()
    template.update(json.loads(text))


def known_to_emulator(template: dict) -> dict:
    """A template without what the emulator does not know."""
    template = deepcopy(template)
    resources = template["Resources"]
    dropped = {logical for logical, resource in resources.items() if resource["Type"] in UNKNOWN}
    for logical in dropped:
        del resources[logical]
    for resource in resources.values():
        if "DependsOn" in resource:
            resource["DependsOn"] = [name for name in resource["DependsOn"] if name not in dropped]
        # Only CodeDeploy's is used.
        resource.pop("UpdatePolicy", None)
    return template


def free_port() -> int:
    """A port of the loopback address that nobody listens on.

    Linux gives those below 32768 to no outgoing connection, which could take it until the server listens.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("no port is free")


@contextmanager
def running(log: Path):
    """An emulator that is there for as long as the block is."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(log.parent),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Without these a program that it starts would call the real AWS.
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("ministack"))],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=log.parent,
        )
        try:
            _await_health(url, process, log)
            yield url
        finally:
            # It leads a group of its own: what it has started ends with it.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _await_health(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.2)
    raise AssertionError(f"the emulator does not answer: {log.read_text(errors='replace')[-2000:]}")


def package(path: Path, files: dict[str, str]) -> Path:
    """A package of executable files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
    return path


def eventually(question, seconds: int = 400):
    """The first answer that counts as true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"nothing after {seconds} seconds")
