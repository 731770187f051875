"""Requests: the REST API that the http events of functions add up to."""

from . import names

_REST_API = {"Ref": "ApiGatewayRestApi"}
_HEADERS = [
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amz-User-Agent",
    "X-Amzn-Trace-Id",
]


def compile_requests(service: dict, stage: str, instance: str) -> tuple[dict, dict]:
    """The resources and the outputs of the API; none without an http event."""
    events = [
        (name, {**event["http"], "path": event["http"]["path"].strip("/"), "method": event["http"]["method"].lower()})
        for name, function in service["functions"].items()
        for event in function.get("events", [])
        if "http" in event
    ]
    if not events:
        return {}, {}
    settings = service["provider"].get("apiGateway", {})
    resources = {"ApiGatewayRestApi": _api(service, stage)} | _paths([event for _, event in events])
    methods: list[str] = []
    for path, cors in _cors([event for _, event in events]).items():
        methods.append(names.api_method(path, "options"))
        resources[methods[-1]] = _options(path, cors)
    validator = f"ApiGateway{names.alphanumeric(service['service'])}RequestValidator"
    for name, event in events:
        methods.append(names.api_method(event["path"], event["method"]))
        resources |= _method(name, event, methods[-1], validator)
        resources[f"{names.function(name)}LambdaPermissionApiGateway"] = _permission(name)
    if any("RequestValidatorId" in resources[method]["Properties"] for method in methods):
        resources[validator] = {
            "Type": "AWS::ApiGateway::RequestValidator",
            "Properties": {
                "RestApiId": _REST_API,
                "ValidateRequestBody": True,
                "ValidateRequestParameters": True,
                "Name": f"{service['service']}-{stage} | Validate request body and querystring parameters",
            },
        }
    resources[f"ApiGatewayDeployment{instance}"] = {
        "Type": "AWS::ApiGateway::Deployment",
        "Properties": {"RestApiId": _REST_API, "StageName": settings.get("stage", stage)},
        "DependsOn": methods,
    }
    url = ["https://", _REST_API, ".execute-api.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}, f"/{stage}"]
    return resources, {
        "ServiceEndpoint": {"Description": "URL of the service endpoint", "Value": {"Fn::Join": ["", url]}}
    }


def _api(service: dict, stage: str) -> dict:
    provider = service["provider"]
    settings = provider.get("apiGateway", {})
    policy = settings.get("resourcePolicy")
    return {
        "Type": "AWS::ApiGateway::RestApi",
        "Properties": {
            "Name": provider.get("apiName", f"{stage}-{service['service']}"),
            "Description": settings.get("description"),
            "EndpointConfiguration": {"Types": [provider.get("endpointType", "EDGE").upper()]},
            "Policy": {"Version": "2012-10-17", "Statement": policy} if policy else "",
            "ApiKeySourceType": settings.get("apiKeySourceType"),
            "MinimumCompressionSize": settings.get("minimumCompressionSize"),
        },
    }


def _paths(events: list[dict]) -> dict:
    resources: dict = {}
    for event in events:
        parts = event["path"].split("/")
        for length in range(1, len(parts) + 1):
            parent = "/".join(parts[: length - 1])
            resources[f"ApiGatewayResource{names.path('/'.join(parts[:length]))}"] = {
                "Type": "AWS::ApiGateway::Resource",
                "Properties": {
                    "ParentId": _resource(parent),
                    "PathPart": parts[length - 1],
                    "RestApiId": _REST_API,
                },
            }
    return resources


def _resource(path: str) -> dict:
    if not path:
        return {"Fn::GetAtt": ["ApiGatewayRestApi", "RootResourceId"]}
    return {"Ref": f"ApiGatewayResource{names.path(path)}"}


def _method(function: str, event: dict, logical: str, validator: str) -> dict:
    request = event.get("request", {})
    parameters = {
        f"method.request.{place[:-1]}.{key}": value if isinstance(value, bool) else value.get("required", True)
        for place, keys in request.get("parameters", {}).items()
        for key, value in keys.items()
    }
    uri = ["arn:", {"Ref": "AWS::Partition"}, ":apigateway:", {"Ref": "AWS::Region"}]
    uri += [":lambda:path/2015-03-31/functions/", {"Fn::GetAtt": [names.lambda_function(function), "Arn"]}]
    properties = {
        "HttpMethod": event["method"].upper(),
        "RequestParameters": parameters,
        "ResourceId": _resource(event["path"]),
        "RestApiId": _REST_API,
        "OperationName": event.get("operationId"),
        "ApiKeyRequired": event.get("private", False),
        "AuthorizationType": "NONE",
        "Integration": {
            "IntegrationHttpMethod": "POST",
            "Type": "AWS_PROXY",
            "Uri": {"Fn::Join": ["", [*uri, "/invocations"]]},
        },
        "MethodResponses": [],
    }
    resources = {}
    for content_type, schema in request.get("schemas", {}).items():
        model = names.endpoint_model(event["path"], event["method"], content_type)
        resources[model] = {
            "Type": "AWS::ApiGateway::Model",
            "Properties": {"RestApiId": _REST_API, "ContentType": content_type, "Schema": schema},
        }
        properties.setdefault("RequestModels", {})[content_type] = {"Ref": model}
    if "schemas" in request or any(parameters.values()):
        properties["RequestValidatorId"] = {"Ref": validator}
    resources[logical] = {
        "Type": "AWS::ApiGateway::Method",
        "Properties": properties,
        "DependsOn": [f"{names.function(function)}LambdaPermissionApiGateway"],
    }
    return resources


def _permission(function: str) -> dict:
    arn = ["arn:", {"Ref": "AWS::Partition"}, ":execute-api:", {"Ref": "AWS::Region"}, ":"]
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Fn::GetAtt": [names.lambda_function(function), "Arn"]},
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {"Fn::Join": ["", [*arn, {"Ref": "AWS::AccountId"}, ":", _REST_API, "/*/*"]]},
        },
    }


def _cors(events: list[dict]) -> dict:
    """What a path answers to OPTIONS: the union of what its methods ask for."""
    paths: dict = {}
    for event in events:
        cors = event.get("cors")
        if not cors:
            continue
        cors = {} if cors is True else cors
        path = paths.setdefault(event["path"], {"origins": [], "headers": [], "methods": [], "maxAge": None})
        for key, more in {
            "origins": cors.get("origins", ["*"]),
            "headers": cors.get("headers", _HEADERS),
            "methods": [*cors.get("methods", []), "OPTIONS", event["method"].upper()],
        }.items():
            path[key] += [item for item in more if item not in path[key]]
        path["maxAge"] = cors.get("maxAge", path["maxAge"])
    return paths


def _options(path: str, cors: dict) -> dict:
    headers = {
        "Access-Control-Allow-Origin": cors["origins"][0],
        "Access-Control-Allow-Headers": ",".join(cors["headers"]),
        "Access-Control-Allow-Methods": ",".join(cors["methods"]),
    }
    if cors["maxAge"]:
        headers["Access-Control-Max-Age"] = cors["maxAge"]
    tests = [f'$origin.matches("{_pattern(origin)}")' for origin in cors["origins"]]
    template = (
        '#set($origin = $input.params("Origin"))\n'
        '#if($origin == "") #set($origin = $input.params("origin")) #end\n'
        f"#if({' || '.join(tests)}) "
        "#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin) #end"
    )
    return {
        "Type": "AWS::ApiGateway::Method",
        "Properties": {
            "AuthorizationType": "NONE",
            "HttpMethod": "OPTIONS",
            "MethodResponses": [
                {
                    "StatusCode": "200",
                    "ResponseParameters": {f"method.response.header.{name}": True for name in headers},
                    "ResponseModels": {},
                }
            ],
            "RequestParameters": {},
            "Integration": {
                "Type": "MOCK",
                "RequestTemplates": {"application/json": "{statusCode:200}"},
                "ContentHandling": "CONVERT_TO_TEXT",
                "IntegrationResponses": [
                    {
                        "StatusCode": "200",
                        "ResponseParameters": {f"method.response.header.{k}": f"'{v}'" for k, v in headers.items()},
                        "ResponseTemplates": {"application/json": template},
                    }
                ],
            },
            "ResourceId": _resource(path),
            "RestApiId": _REST_API,
        },
    }


def _pattern(origin: str) -> str:
    return origin.replace(".", "[.]").replace("*", ".+")
