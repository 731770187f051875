"""A small evaluator of IAM policies: is this action on this resource allowed, with this context?"""

import fnmatch
import re

from .values import Values


def as_list(value: object) -> list:
    """What may be one or many, as many."""
    return value if isinstance(value, list) else [value]


def _like(pattern: str, text: str) -> bool:
    # fnmatch knows more than IAM does; only * and ? are left to it.
    escaped = re.sub(r"\[", "[[]", str(pattern))
    return fnmatch.fnmatchcase(text, escaped)


def _condition(operator: str, expected: list, actual: str | None) -> bool:
    # One value stands for all values of a key; without any, all of them fit and none does.
    if operator.startswith("ForAllValues:"):
        return actual is None or _condition(operator.removeprefix("ForAllValues:"), expected, actual)
    if operator.startswith("ForAnyValue:"):
        return actual is not None and _condition(operator.removeprefix("ForAnyValue:"), expected, actual)
    if operator.endswith("IfExists"):
        return actual is None or _condition(operator.removesuffix("IfExists"), expected, actual)
    negative = {"ArnNotEquals": "ArnEquals", "StringNotEquals": "StringEquals", "ArnNotLike": "ArnLike"}
    if operator in negative:
        return not _condition(negative[operator], expected, actual)
    if actual is None:
        return False
    match operator:
        case "StringEquals":
            return actual in expected
        case "ArnEquals" | "ArnLike" | "StringLike":
            return any(_like(pattern, actual) for pattern in expected)
        case "Bool":
            return actual.lower() in [str(item).lower() for item in expected]
        case "NumericLessThan":
            return any(float(actual) < float(item) for item in expected)
    raise ValueError(f"{operator} is not known to the evaluator: add it")


def _matches(statement: dict, action: str, resource: str, context: dict) -> bool:
    actions = [pattern.lower() for pattern in as_list(statement["Action"])]
    if not any(_like(pattern, action.lower()) for pattern in actions):
        return False
    if not any(_like(pattern, resource) for pattern in as_list(statement["Resource"])):
        return False
    for operator, keys in statement.get("Condition", {}).items():
        for key, expected in keys.items():
            if not _condition(operator, [str(item) for item in as_list(expected)], context.get(key.lower())):
                return False
    return True


def decide(statements: list[dict], action: str, resource: str, context: dict | None = None) -> str:
    """'deny' where a statement forbids it, else 'allow' where one allows it, else 'silent'."""
    context = {key.lower(): value for key, value in (context or {}).items()}
    found = {s["Effect"] for s in statements if _matches(s, action, resource, context)}
    return "deny" if "Deny" in found else "allow" if "Allow" in found else "silent"


def role_statements(values: Values, logical: str) -> list[dict]:
    """What the policies in a role say."""
    properties = values.resources[logical]["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    return [statement for document in documents for statement in values.of(document)["Statement"]]


def policy_statements(values: Values, kind: str, *, of: str | None = None) -> list[dict]:
    """What the resource policies of a type say, all or those of one queue or topic."""
    statements = []
    for resource in values.resources.values():
        if resource["Type"] != kind:
            continue
        properties = resource["Properties"]
        targets = properties.get("Queues", properties.get("Topics", []))
        if of is None or {"Ref": of} in targets:
            statements += values.of(properties["PolicyDocument"])["Statement"]
    return statements


def resource_statements(values: Values, principal: str) -> list[dict]:
    """What the policies of queues, topics, tables and keys say of a role or user."""
    statements = []
    for logical, resource in values.resources.items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy":
                documents = [properties["PolicyDocument"]]
            case "AWS::DynamoDB::Table" if "ResourcePolicy" in properties:
                documents = [properties["ResourcePolicy"]["PolicyDocument"]]
            case "AWS::KMS::Key":
                # There, * is the key itself.
                own = {"Resource": values.arn(logical)}
                found = values.of(properties["KeyPolicy"])["Statement"]
                statements += [{**statement, **own} for statement in found]
                continue
            case _:
                continue
        statements += [statement for document in documents for statement in values.of(document)["Statement"]]
    return for_principal(statements, "AWS", principal)


def for_principal(statements: list[dict], kind: str, principal: str) -> list[dict]:
    """The statements of a resource policy that speak of a principal: 'Service' or 'AWS', and its name."""
    return [
        statement
        for statement in statements
        if statement["Principal"] == "*"
        or any(name in ("*", principal) for name in as_list(statement["Principal"].get(kind, [])))
    ]
