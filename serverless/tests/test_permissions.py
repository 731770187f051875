"""Every action of every role on every resource, against the table of what each may do; and what resources allow."""

import re
from collections import Counter

import pytest
from emulator import SECRETS
from expander import documents
from validation import policies
from validation.services import ACCOUNT, ROOT, SERVERLESS, services
from validation.values import Values

TABLE = documents.load(SERVERLESS / "tests/permissions.yml")
SOURCES = ("medical.appointment", "medical.appointment.pe", "medical.appointment.cl", "another.source")
FIRST_KEYS = {
    "dynamodb:GetItem": ("keys", "ledger"),
    "dynamodb:PutItem": ("keys", "ledger", "failures/appointments-pe", "failures/appointments-cl"),
}
IN_NETWORK = {"AppointmentPERole": "pe", "AppointmentCLRole": "cl", "AppointmentMirrorRole": "mirror"}
# What Lambda does in a role's name from its own network: it polls queues and the stream, gives records up, which wants
# a data key of the encrypted queue, and writes logs. The program's own calls go through the endpoints.
BY_LAMBDA = re.compile(
    r"logs:.*|sqs:(ReceiveMessage|DeleteMessage|GetQueueAttributes|GetQueueUrl|SendMessage)|kms:GenerateDataKey"
    r"|dynamodb:(DescribeStream|GetRecords|GetShardIterator|ListStreams)"
)
CHANGES = ("UpdateItem", "DeleteItem", "BatchWriteItem", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete")


@pytest.fixture(scope="module")
def values():
    app = services("prod")[1]
    return Values(app.template, app.stack, "us-east-1", ACCOUNT)


def arns(values):
    """Every resource that an action could be about, by the name that the table has for it."""
    found = {}
    for logical, resource in values.resources.items():
        match resource["Type"]:
            case "AWS::DynamoDB::Table":
                found[logical] = values.arn(logical)
                found[f"{logical}/index"] = f"{values.arn(logical)}/index/any"
                found[f"{logical}/stream"] = f"{values.arn(logical)}/stream/label"
            case "AWS::Logs::LogGroup":
                found[logical] = values.arn(logical).removesuffix("*") + "log-stream:any"
            case (
                "AWS::SQS::Queue"
                | "AWS::SNS::Topic"
                | "AWS::Events::EventBus"
                | "AWS::KMS::Key"
                | "AWS::IAM::Role"
                | "AWS::Lambda::Function"
                | "AWS::Events::Rule"
            ):
                found[logical] = values.arn(logical)
    for name in (*SECRETS, "alerts/email", "other"):
        found[f"parameter/{name}"] = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/medical-appointment/prod/{name}"
    found["restored events"] = f"{values.arn('EventsTable')}-restored"
    found["another stage's events"] = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/events-table-dev"
    found["another stage's password"] = (
        f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/medical-appointment/staging/rds/password"
    )
    return found


def actions():
    """Every action that the table speaks of, as (the table's words, action, context, suffix of the resource)."""
    words = {word for may in TABLE["roles"].values() for word in may} | set(TABLE["dangerous"])
    words = {word.split(" as ")[0] for word in words}
    for word in sorted(words):
        action, _, version = word.partition(" ")
        if action == "events:PutEvents":
            for source in SOURCES:
                yield f"{action} as {source}", action, {"events:source": source}, ""
            continue
        yield word, action, {"dynamodb:LeadingKeys": "another"}, ":7" if version else ""
        if action in FIRST_KEYS:
            for key in FIRST_KEYS[action]:
                yield f"{action} as {key}", action, {"dynamodb:LeadingKeys": key}, ""


@pytest.mark.parametrize("role", sorted(TABLE["roles"]))
def test_a_role_may_do_what_the_table_says_and_nothing_else(values, role):
    own, granted = policies.role_statements(values, role), policies.resource_statements(values, values.arn(role))
    statements, may = [*own, *granted], TABLE["roles"][role]
    caller = {"aws:PrincipalArn": values.arn(role), "aws:SecureTransport": "true"}
    tried, wrong = 0, []
    for name, arn in arns(values).items():
        for word, action, context, suffix in actions():
            if suffix and not name.endswith("LambdaFunction"):
                continue
            tried += 1
            allowed = policies.decide(statements, action, arn + suffix, {**caller, **context}) == "allow"
            if allowed != (name in may.get(word, [])):
                wrong.append(f"{word} on {name} is {'allowed' if allowed else 'not allowed'}")
    assert not wrong
    assert tried > 2000


def test_every_role_of_the_stack_is_in_the_table(values):
    roles = {key for key, resource in values.resources.items() if resource["Type"] == "AWS::IAM::Role"}
    assert roles == set(TABLE["roles"])
    used = Counter(
        resource["Properties"]["Role"]["Fn::GetAtt"][0]
        for resource in values.resources.values()
        if resource["Type"] == "AWS::Lambda::Function"
    )
    # A role a function; the two hooks do the same and share theirs.
    assert used == {
        "AppointmentRole": 1,
        "AppointmentPERole": 1,
        "AppointmentCLRole": 1,
        "AppointmentMirrorRole": 1,
        "TrafficHookRole": 2,
    }


def test_no_statement_allows_everything(values):
    for role in TABLE["roles"]:
        for statement in policies.role_statements(values, role):
            if statement["Effect"] == "Allow":
                assert not any("*" in action for action in statement["Action"]), (role, statement)
                if statement["Resource"] == "*":
                    assert all(action.startswith(("xray:", "ec2:")) for action in statement["Action"]), statement


def test_the_network_is_for_lambda_and_not_for_the_functions_code(values):
    for role, name in IN_NETWORK.items():
        statements = policies.role_statements(values, role)
        own = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:medical-appointment-scheduling-prod-appointment-{name}"
        context = {"lambda:SourceFunctionArn": own}
        assert policies.decide(statements, "ec2:CreateNetworkInterface", "*") == "allow"
        assert policies.decide(statements, "ec2:CreateNetworkInterface", "*", context) == "deny"


@pytest.fixture(scope="module")
def endpoints():
    """What the endpoints of the network let through, by product."""
    infrastructure = services("prod")[0]
    network = Values(infrastructure.template, infrastructure.stack, "us-east-1", ACCOUNT)
    found = {}
    for resource in network.resources.values():
        if resource["Type"] == "AWS::EC2::VPCEndpoint":
            product = network.of(resource["Properties"]["ServiceName"]).rsplit(".", 1)[1]
            found[product] = network.of(resource["Properties"]["PolicyDocument"])["Statement"]
    return found


def lets_through(endpoints, action, arn, account=ACCOUNT):
    context = {"aws:PrincipalAccount": account}
    return policies.decide(endpoints.get(action.split(":")[0], []), action, arn, context) == "allow"


@pytest.mark.parametrize("role", sorted(IN_NETWORK))
def test_endpoints_let_through_what_the_program_calls_from_within_the_network(values, endpoints, role):
    places = arns(values)
    calls = [
        (word.split(" as ")[0], name)
        for word, names in TABLE["roles"][role].items()
        for name in names
        if not BY_LAMBDA.fullmatch(word.split(" as ")[0])
    ]
    assert [f"{call} on {name}" for call, name in calls if not lets_through(endpoints, call, places[name])] == []
    assert {call.split(":")[0] for call, _ in calls} >= {"dynamodb", "kms", "ssm"}
    assert not any(lets_through(endpoints, call, places[name], "999999999999") for call, name in calls)


def operator_calls():
    """What docs/aws.md says that an operator needs, as (action, table)."""
    text = (ROOT / "docs/aws.md").read_text(encoding="utf-8").split("An operator's role needs more")[1]
    for table, *cells in re.findall(r"^\| `(\w+)`[^|]*\|([^|]*)\|([^|]*)\|$", text.split("## ")[0], re.MULTILINE):
        for action in re.findall(r"`(\w+)`", "".join(cells)):
            yield f"dynamodb:{action}", f"{table.capitalize()}Table"


def test_endpoints_let_operators_look_at_everything_and_mend_what_is_derived(values, endpoints):
    calls = list(operator_calls())
    assert len(calls) > 15 and ("dynamodb:Scan", "EventsTable") in calls
    refused = [f"{call} on {name}" for call, name in calls if not lets_through(endpoints, call, values.arn(name))]
    assert refused == []
    for change in CHANGES:
        assert not lets_through(endpoints, f"dynamodb:{change}", values.arn("EventsTable"))
        assert not lets_through(endpoints, f"dynamodb:{change}", values.arn("SubjectsTable"))
    assert not lets_through(endpoints, "dynamodb:Scan", arns(values)["another stage's events"])


@pytest.mark.parametrize("change", [*CHANGES, "UpdateTimeToLive"])
def test_the_events_table_refuses_changes_to_everybody_but_the_break_glass_role(values, change):
    policy = values.resources["EventsTable"]["Properties"]["ResourcePolicy"]["PolicyDocument"]
    statements, table = values.of(policy)["Statement"], values.arn("EventsTable")
    role = f"arn:aws:iam::{ACCOUNT}:role/"

    def decide(principal):
        return policies.decide(statements, f"dynamodb:{change}", table, {"aws:PrincipalArn": principal})

    administrator, broken = f"{role}Administrator", values.arn("BreakGlassRole")
    assert decide(administrator) == "deny" and decide(f"arn:aws:iam::{ACCOUNT}:root") == "deny"
    assert decide(broken) == "silent"
    assert policies.decide(statements, "dynamodb:PutItem", table, {"aws:PrincipalArn": administrator}) == "silent"


def test_the_break_glass_role_wants_a_second_factor(values):
    trust = values.resources["BreakGlassRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    statements = [{**statement, "Resource": "*"} for statement in trust]
    fresh = {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "60"}
    stale = {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "3600"}
    assert policies.decide(statements, "sts:AssumeRole", "*", fresh) == "allow"
    assert policies.decide(statements, "sts:AssumeRole", "*", stale) == "silent"
    assert policies.decide(statements, "sts:AssumeRole", "*") == "silent"


@pytest.mark.parametrize(
    ("queue", "service", "senders"),
    [
        ("AppointmentsPEQueue", "sns", {"AppointmentsPETopic"}),
        ("AppointmentsPEDLQ", "sns", {"AppointmentsPETopic"}),
        ("AppointmentsCLQueue", "sns", {"AppointmentsCLTopic"}),
        ("AppointmentsCLDLQ", "sns", {"AppointmentsCLTopic"}),
        ("AppointmentsCompletionQueue", "events", {"AppointmentProcessedPERule", "AppointmentProcessedCLRule"}),
        ("AppointmentsErrorQueue", "events", {"AppointmentErrorRule"}),
        (
            "AppointmentsBusDLQ",
            "events",
            {
                "AppointmentProcessedPERule",
                "AppointmentProcessedCLRule",
                "AppointmentErrorRule",
                "MedicalAppointmentsEventBus",
            },
        ),
        ("AppointmentsCompletionDLQ", "events", set()),
        ("AppointmentsErrorDLQ", "events", set()),
        ("AppointmentsStreamDLQ", "sns", set()),
    ],
)
def test_a_queue_takes_messages_from_its_own_senders_alone(values, queue, service, senders):
    statements = policies.policy_statements(values, "AWS::SQS::QueuePolicy", of=queue)
    for other in ("sns", "events", "s3"):
        spoken = policies.for_principal(statements, "Service", f"{other}.amazonaws.com")
        for logical, resource in values.resources.items():
            if resource["Type"] not in ("AWS::SNS::Topic", "AWS::Events::Rule", "AWS::Events::EventBus"):
                continue
            context = {"aws:SourceArn": values.arn(logical), "aws:SecureTransport": "true"}
            decided = policies.decide(spoken, "sqs:SendMessage", values.arn(queue), context)
            wanted = "allow" if other == service and logical in senders else "silent"
            assert decided == wanted, (other, logical)
    plain = policies.decide(statements, "sqs:SendMessage", values.arn(queue), {"aws:SecureTransport": "false"})
    assert plain == "deny"


@pytest.mark.parametrize("topic", ["AppointmentsTopic", "AppointmentsPETopic", "AppointmentsCLTopic"])
def test_a_topic_lets_nobody_publish_whose_own_policy_does_not_and_only_encrypted(values, topic):
    statements = policies.policy_statements(values, "AWS::SNS::TopicPolicy", of=topic)
    for role in TABLE["roles"]:
        spoken = policies.for_principal(statements, "AWS", values.arn(role))
        for encrypted, wanted in (("true", "silent"), ("false", "deny")):
            context = {"aws:SecureTransport": encrypted}
            assert policies.decide(spoken, "sns:Publish", values.arn(topic), context) == wanted


def key_policy(values, service):
    document = values.of(values.resources["AppointmentsKey"]["Properties"]["KeyPolicy"])
    return policies.for_principal(document["Statement"], "Service", f"{service}.amazonaws.com")


SENDERS = ["budgets", "cloudwatch", "events", "sns", "sqs"]


@pytest.mark.parametrize("service", SENDERS)
def test_services_that_send_to_encrypted_queues_and_topics_may_use_the_key(values, service):
    statements = key_policy(values, service)
    own, other = {"aws:SourceAccount": ACCOUNT}, {"aws:SourceAccount": "999999999999"}
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert policies.decide(statements, action, "*", own) == "allow"
        # EventBridge does not say for whom it delivers.
        assert policies.decide(statements, action, "*", other) == ("allow" if service == "events" else "silent")
    for action in ("kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "kms:CreateGrant", "kms:Encrypt"):
        assert policies.decide(statements, action, "*", own) == "silent"


def test_the_bus_and_its_archive_may_use_the_key(values):
    statements = key_policy(values, "events")
    for resource in ("MedicalAppointmentsEventBus", "MedicalAppointmentsArchive"):
        assert values.of(values.resources[resource]["Properties"]["KmsKeyIdentifier"]) == values.arn("AppointmentsKey")
    for action in ("kms:DescribeKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"):
        for account, wanted in ((ACCOUNT, "allow"), ("999999999999", "silent")):
            assert policies.decide(statements, action, "*", {"aws:SourceAccount": account}) == wanted


def test_whoever_may_publish_to_an_encrypted_topic_or_queue_may_use_its_key(values):
    kinds = ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")
    granted = {
        service.removesuffix(".amazonaws.com")
        for kind in kinds
        for statement in policies.policy_statements(values, kind)
        if statement["Effect"] == "Allow" and "Service" in statement["Principal"]
        for service in policies.as_list(statement["Principal"]["Service"])
    }
    assert granted and granted <= set(SENDERS)


def test_logs_use_the_key_for_log_groups_of_this_account_alone(values):
    document = values.of(values.resources["AppointmentsKey"]["Properties"]["KeyPolicy"])
    statements = policies.for_principal(document["Statement"], "Service", "logs.us-east-1.amazonaws.com")
    for account, wanted in ((ACCOUNT, "allow"), ("999999999999", "silent")):
        context = {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{account}:log-group:/aws/lambda/x"}
        assert policies.decide(statements, "kms:Encrypt", "*", context) == wanted


def test_only_the_stage_that_serves_can_be_called(values):
    policy = values.resources["ApiGatewayRestApi"]["Properties"]["Policy"]["Statement"]
    assert policies.decide(policy, "execute-api:Invoke", "execute-api:/prod/POST/appointments") == "allow"
    assert policies.decide(policy, "execute-api:Invoke", "execute-api:/framework/POST/appointments") == "silent"


@pytest.mark.parametrize(
    ("statement", "context", "decision"),
    [
        ({"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}, {}, "allow"),
        ({"Effect": "Allow", "Action": ["S3:getobject"], "Resource": ["*"]}, {}, "allow"),
        ({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}, {}, "silent"),
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"}, {}, "silent"),
        ({"Effect": "Deny", "Action": "*", "Resource": "*"}, {}, "deny"),
        (
            {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:X": ["a", "b"]}}},
            {"AWS:x": "b"},
            "allow",
        ),
        (
            {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:X": "a"}}},
            {},
            "silent",
        ),
        (
            {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:X": "a"}}},
            {},
            "deny",
        ),
    ],
)
def test_the_evaluator_decides_as_iam_does(statement, context, decision):
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}
    others = [allow] if decision == "deny" else []
    assert policies.decide([*others, statement], "s3:GetObject", "arn:aws:s3:::b/k", context) == decision
