"""The API of the stack is the API of the OpenAPI file: its routes, its schemas, its errors."""

import json
import re

import jsonschema
import models
import pytest
import yaml
from validation.services import STAGES, services

OPENAPI = yaml.safe_load(models.OPENAPI.read_text(encoding="utf-8"))
# Answered by a server that holds its connections, or of no use behind a gateway.
LOCAL = {("get", "/metrics")}
# On AWS no checkpoint is signed yet.
LOCAL |= {("get", path) for path in OPENAPI["paths"] if path.startswith("/ledger/")}


@pytest.fixture(scope="module")
def resources():
    return services("prod")[1].template["Resources"]


def events(stage="prod"):
    functions = services(stage)[1].service["functions"].values()
    return [event["http"] for function in functions for event in function.get("events", []) if "http" in event]


def test_every_route_of_the_openapi_file_is_there_and_no_other():
    # HEAD is GET's, and the gateway answers OPTIONS itself.
    described = {(method, path) for path, methods in OPENAPI["paths"].items() for method in methods}
    described = {(method, path) for method, path in described if method not in ("head", "options")}
    assert {(event["method"], event["path"]) for event in events()} == described - LOCAL


def test_operations_have_the_openapi_files_names():
    for event in events():
        assert event["operationId"] == OPENAPI["paths"][event["path"]][event["method"]]["operationId"]


def test_what_needs_a_key_in_the_openapi_file_needs_one_here():
    for event in events():
        is_open = OPENAPI["paths"][event["path"]][event["method"]].get("security") == []
        assert event.get("private", False) is not is_open, event["path"]


@pytest.mark.parametrize(
    ("request_body", "fits"),
    [
        ({"insuredId": "00123", "scheduleId": 100, "countryISO": "PE"}, True),
        ({"insuredId": "123", "scheduleId": 100, "countryISO": "PE"}, False),
        ({"insuredId": "00123", "scheduleId": "100", "countryISO": "PE"}, False),
        ({"insuredId": "00123", "scheduleId": 0, "countryISO": "CL"}, False),
        ({"insuredId": "00123", "scheduleId": 100, "countryISO": "AR"}, False),
        ({"insuredId": "00123", "scheduleId": 100, "countryISO": "PE", "more": 1}, False),
        ({"insuredId": "00123"}, False),
    ],
)
def test_the_model_of_a_request_takes_what_the_api_takes(resources, request_body, fits):
    schema = resources["ApiGatewayMethodAppointmentsPostApplicationJsonModel"]["Properties"]["Schema"]
    assert jsonschema.Draft4Validator(schema).is_valid(request_body) is fits


def test_models_are_valid_for_api_gateway(resources):
    for name in models.MODELS:
        schema = resources[f"{name}Model"]["Properties"]["Schema"]
        jsonschema.Draft4Validator.check_schema(schema)
        assert not re.search(r'"(\$ref|const|contentEncoding)":', json.dumps(schema))


def test_the_resources_file_holds_the_models_as_the_script_writes_them():
    assert models.RESOURCES.read_text(encoding="utf-8").endswith(models.section())


def test_every_answer_of_a_method_that_is_described_has_its_model(resources):
    for event in events():
        described = OPENAPI["paths"][event["path"]][event["method"]]
        logical = next(
            key
            for key, resource in resources.items()
            if resource["Type"] == "AWS::ApiGateway::Method"
            and resource["Properties"].get("OperationName") == event["operationId"]
        )
        answers = resources[logical]["Properties"]["MethodResponses"]
        if "private" not in event:
            assert answers == []
            continue
        statuses = {answer["StatusCode"] for answer in answers}
        assert statuses == set(described["responses"]) - {"default"}
        for answer in answers:
            content = described["responses"][answer["StatusCode"]].get("content")
            if content:
                wanted = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
                assert answer["ResponseModels"] == {"application/json": {"Ref": f"{wanted}Model"}}
            else:
                assert answer["ResponseModels"] == {"application/problem+json": {"Ref": "ProblemModel"}}


def gateway_responses():
    found = services("prod")[1].template["Resources"]
    return {key: r["Properties"] for key, r in found.items() if r["Type"] == "AWS::ApiGateway::GatewayResponse"}


@pytest.mark.parametrize("name", sorted(gateway_responses()))
def test_the_gateways_own_answers_have_the_apis_error_shape(name):
    response = gateway_responses()[name]
    text = response["ResponseTemplates"]["application/json"]
    # A text of a request put into JSON unquoted could break it; this one can't.
    variables = set(re.findall(r"\$context\.[A-Za-z.]+", text))
    assert variables == {"$context.requestId"}
    problem = json.loads(text)
    schema = models.draft4(OPENAPI["components"]["schemas"]["Problem"], OPENAPI["components"]["schemas"])
    jsonschema.Draft4Validator(schema).validate(problem)
    assert str(problem["status"]) == response["StatusCode"]
    assert problem["type"] == "/errors/" + problem["error"]["errorCode"].lower().replace("_", "-")
    parameters = response["ResponseParameters"]
    assert parameters["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    # Of two origins in prod each can read it.
    assert parameters["gatewayresponse.header.Access-Control-Allow-Origin"] == "method.request.header.Origin"
    assert parameters["gatewayresponse.header.Vary"] == "'Origin'"
    has_retry = "gatewayresponse.header.Retry-After" in parameters
    assert has_retry is (response["StatusCode"] in ("429", "503"))


def test_whatever_the_gateway_answers_by_itself_has_the_apis_error_shape():
    kinds = {response["ResponseType"] for response in gateway_responses().values()}
    # Without a response of their own these would be in AWS's words.
    assert kinds >= {"DEFAULT_4XX", "DEFAULT_5XX", "INVALID_SIGNATURE", "EXPIRED_TOKEN", "INVALID_API_KEY", "THROTTLED"}


def test_the_wafs_limit_of_bodies_is_not_below_the_apis(resources):
    (common,) = [rule for rule in resources["Waf"]["Properties"]["Rules"] if rule["Name"] == "common"]
    overrides = common["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    assert overrides == [{"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}}]


@pytest.mark.parametrize("stage", STAGES)
def test_callers_need_keys_outside_of_development(stage):
    private = [event["private"] for event in events(stage) if "private" in event]
    assert len(private) == 6 and set(private) == {stage != "dev"}
