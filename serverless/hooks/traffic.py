"""The two hooks of a canary deployment: each asks a version of a function whether it works, and tells CodeDeploy.

CodeDeploy calls `before` when a new version is there and has no traffic, and `after` when it has all of it. A hook that
says Failed, or nothing for an hour, has the traffic go back to the old version.
"""

import json
import logging

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

# What API Gateway would send for GET /health/ready, and an empty batch for those that work on messages and records.
READY = {
    "resource": "/health/ready",
    "path": "/health/ready",
    "httpMethod": "GET",
    "headers": {"Accept": "application/json"},
    "multiValueHeaders": {"Accept": ["application/json"]},
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "pathParameters": None,
    "stageVariables": None,
    "requestContext": {
        "resourcePath": "/health/ready",
        "httpMethod": "GET",
        "path": "/health/ready",
        "stage": "hook",
        "requestId": "traffic-hook",
        "identity": {"sourceIp": "127.0.0.1", "userAgent": "traffic-hook"},
    },
    "body": None,
    "isBase64Encoded": False,
}
EMPTY = {"Records": []}


def before(event, _context):
    """Asks the new version."""
    return _hook(event, lambda target: target["targetVersion"])


def after(event, _context):
    """Asks the alias, which is the new version by now."""
    return _hook(event, lambda target: target["functionAlias"])


def _hook(event, qualifier):
    codedeploy, functions = boto3.client("codedeploy"), boto3.client("lambda")
    deployment = event["DeploymentId"]
    try:
        for target in _targets(codedeploy, deployment):
            _ask(functions, target["functionName"], qualifier(target))
        status = "Succeeded"
    except Exception:  # whatever went wrong, CodeDeploy has to hear of it
        log.exception("deployment %s", deployment)
        status = "Failed"
    codedeploy.put_lifecycle_event_hook_execution_status(
        deploymentId=deployment,
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )
    return status


def _targets(codedeploy, deployment):
    ids = codedeploy.list_deployment_targets(deploymentId=deployment)["targetIds"]
    found = codedeploy.batch_get_deployment_targets(deploymentId=deployment, targetIds=ids)["deploymentTargets"]
    targets = [target["lambdaTarget"]["lambdaFunctionInfo"] for target in found]
    if not targets:
        raise RuntimeError("the deployment names no function")
    return targets


def _ask(functions, name, qualifier):
    answers_requests = name.endswith("-appointment")
    question = READY if answers_requests else EMPTY
    reply = functions.invoke(FunctionName=name, Qualifier=qualifier, Payload=json.dumps(question).encode())
    answer = json.loads(reply["Payload"].read() or b"null")
    if "FunctionError" in reply:
        raise RuntimeError(f"{name}:{qualifier} fails: {answer.get('errorType')}")
    if answers_requests and answer["statusCode"] != 200:
        raise RuntimeError(f"{name}:{qualifier} is not ready: {answer['statusCode']}")
    if not answers_requests and answer.get("batchItemFailures"):
        raise RuntimeError(f"{name}:{qualifier} reports failures of an empty batch")
    log.info("%s:%s works", name, qualifier)
