"""Our own rules, for what no linter knows."""

import json
import re

import models
from expander import Expansion, documents

from .services import ACCOUNT, SERVERLESS
from .values import Values


def alarms(app: Expansion, region: str) -> list[str]:
    """Every alarm names a metric that exists, with its dimensions, of a resource that is in the stack."""
    known = documents.load(SERVERLESS / "metrics.yml")
    values = Values(app.template, app.stack, region, ACCOUNT)
    wrong = []
    for logical, resource in app.template["Resources"].items():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            continue
        alarm = resource["Properties"]
        namespace = known.get(alarm["Namespace"])
        if not namespace or alarm["MetricName"] not in namespace["metrics"]:
            wrong.append(f"{logical}: there is no metric {alarm['Namespace']} {alarm['MetricName']}")
            continue
        dimensions = {item["Name"]: values.of(item["Value"]) for item in alarm["Dimensions"]}
        fitting = [kinds for kinds in namespace["dimensions"] if kinds.keys() == dimensions.keys()]
        if not fitting:
            wrong.append(f"{logical}: {alarm['MetricName']} has no dimensions {sorted(dimensions)}")
            continue
        for name, kind in fitting[0].items():
            there = _indexes(app) if kind == "GlobalSecondaryIndexes" else _names(app, values, kind)
            if dimensions[name] not in there:
                wrong.append(f"{logical}: no {kind} is called {dimensions[name]}")
    return wrong


def _names(app: Expansion, values: Values, kind: str) -> set[str]:
    return {values.name(key) for key, other in app.template["Resources"].items() if other["Type"] == kind}


def _indexes(app: Expansion) -> set[str]:
    tables = app.template["Resources"].values()
    return {
        index["IndexName"]
        for table in tables
        if table["Type"] == "AWS::DynamoDB::Table"
        for index in table["Properties"].get("GlobalSecondaryIndexes", [])
    }


def variables(app: Expansion) -> list[str]:
    """Every variable that a function reads is set, and no other."""
    table = documents.load(SERVERLESS / "variables.yml")
    wrong = []
    for name, function in app.service["functions"].items():
        given = set(function.get("environment", {})) | set(app.service["provider"].get("environment", {}))
        if name in table["none"]:
            read = set()
        elif name in table["functions"]:
            read = {*table["every"], *table["functions"][name]}
        else:
            wrong.append(f"{name} is not in variables.yml")
            continue
        wrong += [f"{name} reads {variable}, which is not set" for variable in sorted(read - given)]
        wrong += [f"{name} is given {variable}, which it does not read" for variable in sorted(given - read)]
    return wrong


_SECRET_KEY = re.compile(r"password|secret|token|credential|privatekey|apikeyvalue", re.IGNORECASE)
# A name of a secret is none: where it is kept, and switches about keys.
_NO_SECRET = re.compile(r"(_NAME|_PARAMETER|_PARAMETER_LEDGER|ParameterName|Arn|Description|Required|SourceType)$")
_SECRET_TEXT = re.compile(
    r"AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|-----BEGIN|ldg_[A-Za-z0-9_-]{20}|gh[pousr]_[A-Za-z0-9]{30}"
)


def secrets(expansion: Expansion) -> list[str]:
    """No template holds a secret: only where one is kept."""
    wrong: list[str] = []

    def walk(place: str, value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                literal = isinstance(item, str) and "{{resolve:ssm-secure:" not in item
                if literal and _SECRET_KEY.search(key) and not _NO_SECRET.search(key):
                    wrong.append(f"{place}.{key} is a secret in clear")
                walk(f"{place}.{key}", item)
            if value.get("Type") == "AWS::ApiGateway::ApiKey" and "Value" in value["Properties"]:
                wrong.append(f"{place} has its value in clear")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                walk(f"{place}.{index}", item)
        elif isinstance(value, str) and _SECRET_TEXT.search(value):
            wrong.append(f"{place} looks like a secret")

    walk(expansion.stack, expansion.template)
    return wrong


def imports(infrastructure: Expansion, app: Expansion) -> list[str]:
    """The application imports what the infrastructure exports, and the infrastructure imports nothing."""
    exports = {output["Export"]["Name"] for output in infrastructure.template["Outputs"].values()}
    wanted = set(re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(app.template)))
    wrong = [f"nothing exports {name}" for name in sorted(wanted - exports)]
    if "Fn::ImportValue" in json.dumps(infrastructure.template):
        wrong.append("the infrastructure imports something, though it is deployed first")
    return wrong


def configuration(stage: str, expansions: tuple[Expansion, ...]) -> list[str]:
    """Every value of a stage's configuration is used."""
    asked = {
        address.removeprefix("custom.config.")
        for expansion in expansions
        for address in expansion.asked
        if address.startswith("custom.config.")
    }
    return [
        f"config/{stage}.yml: {leaf} is used nowhere"
        for leaf in _leaves("", documents.load(SERVERLESS / f"config/{stage}.yml"))
        if not any(leaf == address or leaf.startswith(f"{address}.") for address in asked)
        and not any(address.startswith(f"{leaf}.") for address in asked)
    ]


def _leaves(place: str, value: object) -> list[str]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(f"{place}.{key}".strip("."), item)]
    return [place]


def api_models(app: Expansion) -> list[str]:
    """The models are the OpenAPI file's schemas, and the request's model is the one that requests are checked by."""
    resources, made = app.template["Resources"], models.models()
    wrong = [f"{name} is not the OpenAPI file's" for name, model in made.items() if resources.get(name) != model]
    used = resources["ApiGatewayMethodAppointmentsPostApplicationJsonModel"]["Properties"]["Schema"]
    if used != made["AppointmentRequestModel"]["Properties"]["Schema"]:
        wrong.append("POST /appointments is checked by another schema than AppointmentRequest")
    return wrong


def origins(stage: str, app: Expansion) -> list[str]:
    """In production no origin but the named ones may read answers."""
    named = app.service["custom"]["config"]["api"]["cors"]["origins"]
    if stage == "prod" and any("*" in origin or not origin.startswith("https://") for origin in named):
        return ["config/prod.yml: api.cors.origins lets in more than named https origins"]
    return []


def suppressions(expansion: Expansion) -> list[str]:
    """Every check that is skipped says why."""
    return [
        f"{logical}: {skip.get('id')} is skipped without a reason"
        for logical, resource in expansion.template["Resources"].items()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
        if len(skip.get("comment") or "") < 20 or set(skip) != {"id", "comment"}
    ]
