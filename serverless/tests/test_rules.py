"""The rules hold for every stage, and each finds what is planted."""

import copy
import json
import re
from dataclasses import replace

import pytest
import validate
from expander import documents
from validation import rules
from validation.services import ACCOUNT, ROOT, SERVERLESS, STAGES, services
from validation.values import Values


@pytest.fixture
def app():
    """The application of a stage, to be spoilt."""
    whole = services("dev")[1]
    return replace(whole, service=copy.deepcopy(whole.service), template=copy.deepcopy(whole.template))


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_found(stage):
    assert validate.check(stage, "us-east-1") == []


@pytest.mark.parametrize("region", ["eu-west-1", "sa-east-1"])
def test_nothing_is_found_in_another_region(region):
    assert validate.check("prod", region) == []


GLOBAL = {
    "AWS::IAM::Role": ("RoleName",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::Budgets::Budget": ("Budget", "BudgetName"),
    # A trail of all regions shows in each of them.
    "AWS::CloudTrail::Trail": ("TrailName",),
}


def test_names_that_are_common_to_all_regions_hold_the_region():
    found = 0
    for expansion in services("prod", "sa-east-1"):
        for logical, resource in expansion.template["Resources"].items():
            value = resource.get("Properties", {})
            for key in GLOBAL.get(resource["Type"], ()):
                value = value.get(key, {})
            if isinstance(value, str):
                found += 1
                # The longest region has five letters more.
                assert value.endswith("-sa-east-1") and len(value) + 5 <= 64, logical
    assert found == 4


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"MetricName": "Mistakes"}, "there is no metric AWS/Lambda Mistakes"),
        ({"Namespace": "AWS/Lamda"}, "there is no metric AWS/Lamda Errors"),
        ({"Dimensions": [{"Name": "Function", "Value": "x"}]}, "has no dimensions"),
        ({"Dimensions": [{"Name": "FunctionName", "Value": "gone"}]}, "is called gone"),
    ],
)
def test_an_alarm_that_would_never_ring_is_found(app, change, complaint):
    app.template["Resources"]["AppointmentErrorsAlarm"]["Properties"].update(change)
    found = rules.alarms(app, "us-east-1")
    assert len(found) == 1 and complaint in found[0]


def test_each_index_has_an_alarm_of_its_own_and_one_of_an_index_that_is_not_there_is_found(app):
    resources = app.template["Resources"]
    indexes = {index["IndexName"] for index in resources["AppointmentsTable"]["Properties"]["GlobalSecondaryIndexes"]}
    watched = [
        dimension
        for resource in resources.values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
        for dimension in resource["Properties"]["Dimensions"]
        if dimension["Name"] == "GlobalSecondaryIndexName"
    ]
    assert {dimension["Value"] for dimension in watched} == indexes
    watched[0]["Value"] = "gone-index"
    assert len(rules.alarms(app, "us-east-1")) == 1


def test_a_variable_that_is_missing_or_not_read_is_found(app):
    environment = app.service["functions"]["appointment-pe"]["environment"]
    del environment["RDS_HOST"]
    environment["RDS_HOTS"] = "x"
    assert rules.variables(app) == [
        "appointment-pe reads RDS_HOST, which is not set",
        "appointment-pe is given RDS_HOTS, which it does not read",
    ]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("RDS_PASSWORD", "hunter2"),
        ("API_TOKEN", "abc"),
        ("ANYTHING", "AKIAIOSFODNN7EXAMPLE"),
        ("ANYTHING", "ldg_VWekLNqNjB_weQcfbSVYa2f1NodTUa61gxmqNigVE3c"),
    ],
)
def test_a_secret_in_clear_is_found(app, place, value):
    variables = app.template["Resources"]["AppointmentLambdaFunction"]["Properties"]["Environment"]["Variables"]
    variables[place] = value
    assert len(rules.secrets(app)) == 1


def test_an_api_key_with_its_value_in_clear_is_found(app):
    app.template["Resources"]["Key"] = {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Value": "x" * 20}}
    assert len(rules.secrets(app)) == 1


def test_an_import_that_nothing_exports_is_found(app):
    infrastructure = services("dev")[0]
    variables = app.template["Resources"]["AppointmentLambdaFunction"]["Properties"]["Environment"]["Variables"]
    variables["X"] = {"Fn::ImportValue": "sls-medical-appointment-scheduling-dev-ServiceEndpoint"}
    assert len(rules.imports(infrastructure, app)) == 1


def test_a_configuration_value_that_is_used_nowhere_is_found(app):
    app.asked = {address for address in app.asked if "logging.retention" not in address}
    found = rules.configuration("dev", (app,))
    assert any("logging.retention" in line for line in found)


def test_a_model_that_differs_from_the_openapi_file_is_found(app):
    schema = app.template["Resources"]["AppointmentRequestModel"]["Properties"]["Schema"]
    schema["properties"]["countryISO"]["enum"].append("AR")
    assert len(rules.api_models(app)) >= 1


def test_an_open_origin_in_production_is_found(app):
    assert len(rules.origins("prod", app)) == 1


def test_a_check_that_is_skipped_without_a_reason_is_found(app):
    skip = app.template["Resources"]["AppointmentsTable"]["Metadata"]["checkov"]["skip"]
    skip[0]["comment"] = "no"
    assert len(rules.suppressions(app)) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_the_dashboard_shows_metrics_that_exist(stage):
    whole = services(stage)[1]
    values = Values(whole.template, whole.stack, "us-east-1", ACCOUNT)
    known = documents.load(SERVERLESS / "metrics.yml")
    body = json.loads(values.of(whole.template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]))
    assert len(body["widgets"]) == 6
    for widget in body["widgets"]:
        namespace = name = None
        for metric in widget["properties"]["metrics"]:
            if metric[0] == "...":
                continue
            namespace = metric[0] if metric[0] != "." else namespace
            name = metric[1]
            assert name in known[namespace]["metrics"], widget["properties"]["title"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_budget_counts_what_has_the_tag_of_the_stage(stage):
    whole = services(stage)[1]
    values = Values(whole.template, whole.stack, "us-east-1", ACCOUNT)
    budget = values.of(whole.template["Resources"]["Budget"]["Properties"]["Budget"])
    assert budget["CostFilters"] == {"TagKeyValue": [f"user:stage${whole.service['provider']['stackTags']['stage']}"]}
    assert whole.service["provider"]["stackTags"]["stage"] == stage


@pytest.mark.parametrize("stage", STAGES)
def test_no_function_logs_in_as_the_databases_administrator(stage):
    infrastructure, app = services(stage)
    administrator = infrastructure.template["Resources"]["Database"]["Properties"]["MasterUsername"]
    logins = {
        (variables[name], variables[name.replace("RDS_USERNAME", "RDS_PASSWORD_PARAMETER")])
        for function in app.service["functions"].values()
        for variables in [function.get("environment", {})]
        for name in variables
        if name.startswith("RDS_USERNAME")
    }
    # Each has a role and a password of its own.
    assert len(logins) == len({user for user, _ in logins}) == len({password for _, password in logins}) == 3
    assert administrator not in {user for user, _ in logins}


@pytest.mark.parametrize("stage", STAGES)
def test_variables_about_a_function_say_what_the_function_has(stage):
    for name in ("Appointment", "AppointmentDashpe", "AppointmentDashcl", "AppointmentDashmirror"):
        function = services(stage)[1].template["Resources"][f"{name}LambdaFunction"]["Properties"]
        variables = function["Environment"]["Variables"]
        assert variables["MAX_CONCURRENT_EXECUTIONS"] == str(function["ReservedConcurrentExecutions"])
        assert variables["LAMBDA_TIMEOUT"] == str(function["Timeout"])
        assert variables["LAMBDA_MEMORY_SIZE"] == str(function["MemorySize"])


# The program that the functions run: what it reads from its environment, and the metrics it writes.
PROGRAM = [ROOT / "Sources" / name for name in ("bootstrap", "LambdaRuntime", "AWSEngine", "PostgresEngine")]


def literals():
    """The texts in quotes of the program's sources."""
    files = [path for folder in PROGRAM for path in folder.rglob("*.swift")]
    return {text for path in files for text in re.findall(r'"([^"\\\n]+)"', path.read_text(encoding="utf-8"))}


def named():
    """The variables that AWSNames makes of the queues and topics, which follow from the table of countries."""
    countries = re.findall(r'code: "([A-Z]{2})"', (ROOT / "Sources/Appointments/Country.swift").read_text())
    messaging = (ROOT / "Sources/Handlers/Messaging/Names.swift").read_text()
    plain = re.findall(r'case \.(main|completion|error): "([a-z-]+)"', messaging)
    assert countries and len(plain) == 3
    queues = [f"APPOINTMENTS_{code}" for code in countries] + [name for case, name in plain if case != "main"]
    topics = [f"APPOINTMENTS_{code}" for code in countries] + [name for case, name in plain if case == "main"]
    endings = {"_QUEUE_URL": queues, "_TOPIC_ARN": topics}
    return {name.upper().replace("-", "_") + ending for ending, names in endings.items() for name in names}


def test_the_program_reads_the_variables_that_the_stack_sets():
    table = documents.load(SERVERLESS / "variables.yml")
    given = {*table["every"], *(name for names in table["functions"].values() for name in names)}
    # PostgresEngine asks for a variable with the ending of a database.
    given = {re.sub(r"_LEDGER$", "", name) for name in given}
    assert given - literals() - named() == set(table["unread"])


def test_the_stack_sets_the_variables_that_the_program_asks_for_by_these_beginnings():
    table = documents.load(SERVERLESS / "variables.yml")
    given = {*table["every"], *(name for names in table["functions"].values() for name in names)}
    kinds = re.compile(
        r"^(APPOINTMENTS|EVENTS|SUBJECTS|PROJECTIONS|EVENTBRIDGE|KMS|API_KEY|LAMBDA_T|LAMBDA_M|MAX)_[A-Z_]+$"
    )
    assert {name for name in literals() | named() if kinds.match(name)} - given - {"LAMBDA_TASK_ROOT"} == set()


def test_the_program_writes_the_metrics_that_alarms_wait_for():
    own = documents.load(SERVERLESS / "metrics.yml")["MedicalAppointments"]["metrics"]
    assert {*own, "MedicalAppointments"} - literals() == set()
