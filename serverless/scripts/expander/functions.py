"""Functions: the Lambda function, its log group and its version."""

import base64
import hashlib
import json
import re
from pathlib import Path

from . import names
from .errors import ExpansionError


def compile_functions(service: dict, directory: Path, stage: str, instance: str) -> tuple[dict, dict]:
    """The resources and the outputs of all functions."""
    resources: dict = {}
    outputs: dict = {}
    for name, function in service["functions"].items():
        function.setdefault("name", f"{service['service']}-{stage}-{name}")
        group, resource = _log_group(service["provider"], function), _function(service, name, stage, instance)
        artifact = directory / _artifact(service, function)
        # Without an artifact (when nothing was built yet) the code counts as empty.
        digest = hashlib.sha256(artifact.read_bytes() if artifact.is_file() else b"").digest()
        version = _version_id(name, resource["Properties"], digest)
        resources[f"{names.function(name)}LogGroup"] = group
        resources[names.lambda_function(name)] = resource
        resources[version] = {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Retain",
            "Properties": {
                "FunctionName": {"Ref": names.lambda_function(name)},
                "CodeSha256": base64.b64encode(digest).decode(),
                "Description": function.get("description"),
            },
        }
        outputs[f"{names.lambda_function(name)}QualifiedArn"] = {
            "Description": "Current Lambda function version",
            "Value": {"Ref": version},
        }
    return resources, outputs


def _artifact(service: dict, function: dict) -> str:
    for place in (function, service):
        if artifact := (place.get("package") or {}).get("artifact"):
            return artifact
    raise ExpansionError(f"function {function['name']} has no package.artifact")


def _log_group(provider: dict, function: dict) -> dict:
    days = function.get("logRetentionInDays", provider.get("logRetentionInDays"))
    return {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {"LogGroupName": f"/aws/lambda/{function['name']}", "RetentionInDays": days},
    }


def _function(service: dict, name: str, stage: str, instance: str) -> dict:
    provider, function = service["provider"], service["functions"][name]
    bucket = provider.get("deploymentBucket")
    bucket = bucket.get("name") if isinstance(bucket, dict) else bucket
    role = function.get("role")
    if not isinstance(role, str):
        raise ExpansionError(f"function {name} names no role: each function has its own")
    tracing = function.get("tracing", (provider.get("tracing") or {}).get("lambda"))
    tags = {**provider.get("tags", {}), **function.get("tags", {})}
    variables = {**provider.get("environment", {}), **function.get("environment", {})}
    key = f"serverless/{service['service']}/{stage}/{instance}/{Path(_artifact(service, function)).name}"
    properties = {
        "Code": {"S3Bucket": bucket or {"Ref": "ServerlessDeploymentBucket"}, "S3Key": key},
        "Handler": function["handler"],
        "Runtime": function.get("runtime", provider.get("runtime")),
        "FunctionName": function["name"],
        "MemorySize": function.get("memorySize", provider.get("memorySize", 1024)),
        "Timeout": function.get("timeout", provider.get("timeout", 6)),
        "Architectures": [function.get("architecture", provider.get("architecture", "x86_64"))],
        "Description": function.get("description"),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()] or None,
        "KmsKeyArn": function.get("kmsKeyArn", provider.get("kmsKeyArn")),
        "TracingConfig": {"Mode": "Active" if tracing is True else tracing} if tracing else None,
        "Environment": {"Variables": variables} if variables else None,
        "Role": {"Fn::GetAtt": [role, "Arn"]},
        "ReservedConcurrentExecutions": function.get("reservedConcurrency"),
        "DeadLetterConfig": {"TargetArn": function["onError"]} if "onError" in function else None,
    }
    if vpc := function.get("vpc"):
        properties["VpcConfig"] = {"SecurityGroupIds": vpc["securityGroupIds"], "SubnetIds": vpc["subnetIds"]}
    depends = [f"{names.function(name)}LogGroup", role, *function.get("dependsOn", [])]
    return {"Type": "AWS::Lambda::Function", "DependsOn": depends, "Properties": properties}


def _version_id(name: str, properties: dict, digest: bytes) -> str:
    """A version can't be changed, so its id changes with the code and with what a version holds."""
    held = {k: v for k, v in properties.items() if k not in ("Code", "ReservedConcurrentExecutions", "Tags")}
    text = json.dumps(held, sort_keys=True).encode()
    hashed = base64.b64encode(hashlib.sha256(digest + text).digest()).decode()
    return f"{names.function(name)}LambdaVersion{re.sub(r'[^0-9a-zA-Z]', '', hashed)}"
