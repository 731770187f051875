"""Events of functions that are not requests: queues, streams and schedules."""

import json

from . import names
from .errors import ExpansionError


def compile_events(functions: dict) -> dict:
    """The event source mappings, rules and permissions of all functions."""
    resources: dict = {}
    for name, function in functions.items():
        schedules = 0
        for event in function.get("events", []):
            match next(iter(event)):
                case "sqs":
                    resources |= _queue(name, function, event["sqs"])
                case "stream":
                    resources |= _stream(name, function, event["stream"])
                case "schedule":
                    for rate in event["schedule"]["rate"]:
                        schedules += 1
                        resources |= _schedule(name, event["schedule"], rate, schedules)
                case "http":
                    pass
                case other:
                    raise ExpansionError(f"function {name}: events of kind {other} are not known here")
    return resources


def _source(arn: object) -> str:
    """The logical id of a queue or a table, from the Fn::GetAtt that names its ARN."""
    if isinstance(arn, dict) and "Fn::GetAtt" in arn:
        return arn["Fn::GetAtt"][0]
    raise ExpansionError(f"name the source of an event by Fn::GetAtt, not by {arn}")


def _arn(function: str) -> dict:
    return {"Fn::GetAtt": [names.lambda_function(function), "Arn"]}


def _filters(event: dict) -> dict | None:
    patterns = event.get("filterPatterns")
    return {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]} if patterns else None


def _responses(event: dict) -> list | None:
    kind = event.get("functionResponseType")
    return [kind] if kind else None


def _queue(name: str, function: dict, event: dict) -> dict:
    concurrency = event.get("maximumConcurrency")
    properties = {
        "BatchSize": event.get("batchSize", 10),
        "MaximumBatchingWindowInSeconds": event.get("maximumBatchingWindow"),
        "EventSourceArn": event["arn"],
        "FunctionName": _arn(name),
        "Enabled": event.get("enabled", True),
        "FunctionResponseTypes": _responses(event),
        "FilterCriteria": _filters(event),
        "ScalingConfig": {"MaximumConcurrency": concurrency} if concurrency else None,
    }
    logical = f"{names.function(name)}EventSourceMappingSQS{names.alphanumeric(_source(event['arn']))}"
    return {logical: _mapping(function, properties)}


def _stream(name: str, function: dict, event: dict) -> dict:
    kind = event["type"]
    destination = event.get("destinations", {}).get("onFailure")
    properties = {
        "BatchSize": event.get("batchSize", 10),
        "Enabled": event.get("enabled", True),
        "EventSourceArn": event["arn"],
        "FunctionName": _arn(name),
        "ParallelizationFactor": event.get("parallelizationFactor"),
        "StartingPosition": event.get("startingPosition", "TRIM_HORIZON"),
        "MaximumBatchingWindowInSeconds": event.get("batchWindow"),
        "MaximumRetryAttempts": event.get("maximumRetryAttempts"),
        "BisectBatchOnFunctionError": event.get("bisectBatchOnFunctionError"),
        "MaximumRecordAgeInSeconds": event.get("maximumRecordAgeInSeconds"),
        "FunctionResponseTypes": _responses(event),
        "DestinationConfig": {"OnFailure": {"Destination": destination["arn"]}} if destination else None,
        "FilterCriteria": _filters(event),
    }
    table = names.alphanumeric(_source(event["arn"]))
    return {f"{names.function(name)}EventSourceMapping{kind.capitalize()}{table}": _mapping(function, properties)}


def _mapping(function: dict, properties: dict) -> dict:
    return {"Type": "AWS::Lambda::EventSourceMapping", "DependsOn": [function["role"]], "Properties": properties}


def _schedule(name: str, event: dict, rate: str, number: int) -> dict:
    rule = f"{names.function(name)}EventsRuleSchedule{number}"
    target = {"Arn": _arn(name), "Id": f"{name}Schedule"}
    if "input" in event:
        target["Input"] = json.dumps(event["input"], separators=(",", ":"))
    return {
        rule: {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "ScheduleExpression": rate,
                "State": "ENABLED" if event.get("enabled", True) else "DISABLED",
                "Name": event.get("name"),
                "Description": event.get("description"),
                "Targets": [target],
            },
        },
        f"{names.function(name)}LambdaPermissionEventsRuleSchedule{number}": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": _arn(name),
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": [rule, "Arn"]},
            },
        },
    }
