"""The whole template of a service: what the framework makes, and what the service's own resources add."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from . import documents, schema
from .canary import add_canaries
from .errors import ExpansionError
from .events import compile_events
from .functions import compile_functions
from .requests import compile_requests
from .variables import Resolver, Sources


@dataclass
class Expansion:
    """A service with its variables resolved, and the template it expands to."""

    service: dict
    template: dict
    # The addresses that `self` was asked for.
    asked: set

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return f"{self.service['service']}-{self.service['provider']['stage']}"


def expand(directory: Path, sources: Sources) -> Expansion:
    """Expands DIRECTORY/serverless.yml.

    Raises ExpansionError for what the framework would refuse, and for what is not known here.
    """
    document = documents.load(directory / "serverless.yml")
    resolver = Resolver(directory, document, sources)
    service = resolver.resolve(document)
    schema.check(service)
    stage, instance = service["provider"]["stage"], sources.instance
    template = _core(service)
    functions = service.setdefault("functions", {})
    for resources, outputs in (
        compile_functions(service, directory, stage, instance),
        compile_requests(service, stage, instance),
        (compile_events(functions), {}),
    ):
        template["Resources"] |= resources
        template["Outputs"] |= outputs
    for key, output in template["Outputs"].items():
        output.setdefault("Export", {"Name": f"sls-{service['service']}-{stage}-{key}"})
    for part in _parts(service.get("resources", [])):
        _merge(template, {key: value for key, value in part.items() if key != "extensions"})
    for part in _parts(service.get("resources", [])):
        for name, more in part.get("extensions", {}).items():
            _extend(template["Resources"], name, more)
    add_canaries(service, stage, template["Resources"])
    for resource in template["Resources"].values():
        if "Properties" in resource:
            resource["Properties"] = _without_nulls(resource["Properties"])
    return Expansion(service, template, resolver.asked)


def _core(service: dict) -> dict:
    template: dict = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The AWS CloudFormation template for this Serverless application",
        "Resources": {},
        "Outputs": {"ServerlessDeploymentBucketName": {"Value": {"Ref": "ServerlessDeploymentBucket"}}},
    }
    settings = service["provider"].get("deploymentBucket", {})
    settings = settings if isinstance(settings, dict) else {"name": settings}
    if name := settings.get("name"):
        template["Outputs"]["ServerlessDeploymentBucketName"]["Value"] = name
        return template
    encryption = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    properties: dict = {"BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]}}
    if settings.get("blockPublicAccess"):
        switches = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        properties["PublicAccessBlockConfiguration"] = dict.fromkeys(switches, True)
    if settings.get("versioning"):
        properties["VersioningConfiguration"] = {"Status": "Enabled"}
    start = ["arn:", {"Ref": "AWS::Partition"}, ":s3:::", {"Ref": "ServerlessDeploymentBucket"}]
    statement = {
        "Action": "s3:*",
        "Effect": "Deny",
        "Principal": "*",
        "Resource": [{"Fn::Join": ["", [*start, "/*"]]}, {"Fn::Join": ["", start]}],
        "Condition": {"Bool": {"aws:SecureTransport": False}},
    }
    template["Resources"] = {
        "ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket", "Properties": properties},
        "ServerlessDeploymentBucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "ServerlessDeploymentBucket"},
                "PolicyDocument": {"Statement": [statement]},
            },
        },
    }
    return template


def _parts(resources: object) -> list[dict]:
    return [part for part in (resources if isinstance(resources, list) else [resources]) if part]


def _merge(target: dict, more: dict) -> None:
    """Merges as the framework does: objects by key, anything else replaces what was there."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = deepcopy(value)


def _extend(resources: dict, name: str, more: dict) -> None:
    if name not in resources:
        raise ExpansionError(f"can't extend {name}: it is not in the template")
    resource = resources[name]
    for attribute, value in more.items():
        value = deepcopy(value)
        if attribute in ("Properties", "Metadata"):
            resource.setdefault(attribute, {}).update(value)
        elif attribute == "DependsOn":
            resource["DependsOn"] = [*resource.get("DependsOn", []), *value]
        else:
            resource[attribute] = value


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
