"""What a small service expands to, by the framework's published rules."""

import json

import pytest
from expander import Sources, expand
from expander.errors import ExpansionError

SERVICE = """
service: small-service
plugins: [serverless-plugin-canary-deployments]
custom:
  deploymentSettings: {alias: Live, codeDeployRole: !GetAtt DeployRole.Arn}
provider:
  name: aws
  stage: ${opt:stage}
  runtime: provided.al2023
  architecture: arm64
  memorySize: 512
  logRetentionInDays: 7
  deploymentBucket: packages
  environment: {COMMON: all, OVER: provider}
  tracing: {lambda: true}
package: {artifact: bootstrap.zip}
functions:
  some-worker:
    handler: worker
    role: WorkerRole
    timeout: 30
    reservedConcurrency: 3
    environment: {OVER: function, QUEUE: !Ref Queue}
    vpc: {securityGroupIds: [sg-1], subnetIds: [!ImportValue x]}
    deploymentSettings: {type: Canary10Percent30Minutes, preTrafficHook: hook, alarms: [WorkerAlarm]}
    events:
      - http:
          method: POST
          path: /things/{thingId}
          private: true
          operationId: makeThing
          cors: {origins: ["https://a.example", "https://*.b.example"], headers: [Content-Type], maxAge: 60}
          request:
            parameters: {paths: {thingId: true}, querystrings: {q: false}}
            schemas: {application/json: {type: object}}
      - http: {method: get, path: /things/open-data.yaml}
      - sqs:
          arn: !GetAtt Queue.Arn
          batchSize: 5
          functionResponseType: ReportBatchItemFailures
          maximumConcurrency: 2
      - stream:
          arn: !GetAtt Table.StreamArn
          type: dynamodb
          batchSize: 100
          batchWindow: 1
          startingPosition: TRIM_HORIZON
          parallelizationFactor: 2
          bisectBatchOnFunctionError: true
          maximumRetryAttempts: 3
          maximumRecordAgeInSeconds: 600
          functionResponseType: ReportBatchItemFailures
          filterPatterns: [{eventName: [INSERT]}]
          destinations: {onFailure: {arn: !GetAtt Queue.Arn, type: sqs}}
      - schedule: {rate: [rate(1 minute), rate(2 hours)], description: often, input: {task: sweep}}
  hook:
    handler: hook
    role: HookRole
resources:
  - Resources:
      Queue: {Type: "AWS::SQS::Queue", Properties: {QueueName: !Sub "q-${AWS::Region}", Nothing: null}}
      Table: {Type: "AWS::DynamoDB::Table", Properties: {TableName: t}}
    Outputs: {Q: {Value: !Ref Queue}}
  - Conditions: {Yes: !Equals [a, a]}
    Resources: {Queue: {Type: "AWS::SQS::Queue", Properties: {DelaySeconds: 1}}}
    extensions:
      SomeDashworkerLambdaFunction: {Properties: {Timeout: 31}, DependsOn: [Queue], Metadata: {why: because}}
"""


@pytest.fixture
def template(tmp_path):
    return write(tmp_path, SERVICE)


def write(directory, text, stage="dev"):
    (directory / "serverless.yml").write_text(text)
    return expand(directory, Sources(stage, "us-east-1", instance="Now", environment={})).template


def properties(template, logical):
    return template["Resources"][logical]["Properties"]


def test_a_function_has_what_it_and_the_provider_say(template):
    function = template["Resources"]["SomeDashworkerLambdaFunction"]
    assert function["DependsOn"] == ["SomeDashworkerLogGroup", "WorkerRole", "Queue"]
    assert function["Properties"] == {
        "Code": {"S3Bucket": "packages", "S3Key": "serverless/small-service/dev/Now/bootstrap.zip"},
        "Handler": "worker",
        "Runtime": "provided.al2023",
        "FunctionName": "small-service-dev-some-worker",
        "MemorySize": 512,
        "Timeout": 31,
        "Architectures": ["arm64"],
        "TracingConfig": {"Mode": "Active"},
        "Environment": {"Variables": {"COMMON": "all", "OVER": "function", "QUEUE": {"Ref": "Queue"}}},
        "Role": {"Fn::GetAtt": ["WorkerRole", "Arn"]},
        "ReservedConcurrentExecutions": 3,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "SubnetIds": [{"Fn::ImportValue": "x"}]},
    }
    assert properties(template, "SomeDashworkerLogGroup") == {
        "LogGroupName": "/aws/lambda/small-service-dev-some-worker",
        "RetentionInDays": 7,
    }


def version(template):
    return next(key for key in template["Resources"] if key.startswith("SomeDashworkerLambdaVersion"))


def test_a_version_changes_with_code_and_settings_and_with_nothing_else(tmp_path):
    first = version(write(tmp_path, SERVICE))
    assert version(write(tmp_path, SERVICE)) == first
    assert version(write(tmp_path, SERVICE.replace("reservedConcurrency: 3", "reservedConcurrency: 4"))) == first
    assert version(write(tmp_path, SERVICE.replace("timeout: 30", "timeout: 29"))) != first
    (tmp_path / "bootstrap.zip").write_bytes(b"code")
    assert version(write(tmp_path, SERVICE)) != first


def test_requests_become_an_api(template):
    resources = template["Resources"]
    assert properties(template, "ApiGatewayRestApi")["Name"] == "dev-small-service"
    assert properties(template, "ApiGatewayResourceThings")["ParentId"] == {
        "Fn::GetAtt": ["ApiGatewayRestApi", "RootResourceId"]
    }
    assert properties(template, "ApiGatewayResourceThingsThingidVar") == {
        "ParentId": {"Ref": "ApiGatewayResourceThings"},
        "PathPart": "{thingId}",
        "RestApiId": {"Ref": "ApiGatewayRestApi"},
    }
    post = properties(template, "ApiGatewayMethodThingsThingidVarPost")
    assert post["ApiKeyRequired"] is True and post["OperationName"] == "makeThing"
    assert post["RequestParameters"] == {"method.request.path.thingId": True, "method.request.querystring.q": False}
    assert post["RequestValidatorId"] == {"Ref": "ApiGatewaySmallserviceRequestValidator"}
    model = post["RequestModels"]["application/json"]["Ref"]
    assert model == "ApiGatewayMethodThingsThingidVarPostApplicationJsonModel"
    assert properties(template, model)["Schema"] == {"type": "object"}
    get = properties(template, "ApiGatewayMethodThingsOpenDashdatayamlGet")
    assert get["ApiKeyRequired"] is False and "RequestValidatorId" not in get
    assert resources["ApiGatewayDeploymentNow"]["DependsOn"] == [
        "ApiGatewayMethodThingsThingidVarOptions",
        "ApiGatewayMethodThingsThingidVarPost",
        "ApiGatewayMethodThingsOpenDashdatayamlGet",
    ]
    assert properties(template, "ApiGatewayDeploymentNow")["StageName"] == "dev"


def test_options_answer_the_named_origins(template):
    integration = properties(template, "ApiGatewayMethodThingsThingidVarOptions")["Integration"]
    answer = integration["IntegrationResponses"][0]
    assert answer["ResponseParameters"]["method.response.header.Access-Control-Allow-Origin"] == "'https://a.example'"
    assert answer["ResponseParameters"]["method.response.header.Access-Control-Allow-Methods"] == "'OPTIONS,POST'"
    assert answer["ResponseParameters"]["method.response.header.Access-Control-Max-Age"] == "'60'"
    tests = answer["ResponseTemplates"]["application/json"]
    assert '$origin.matches("https://a[.]example") || $origin.matches("https://.+[.]b[.]example")' in tests
    assert "ApiGatewayMethodThingsOpenDashdatayamlOptions" not in template["Resources"]


def test_queues_and_streams_become_mappings(template):
    alias = {"Ref": "SomeDashworkerLambdaFunctionAliasLive"}
    queue = template["Resources"]["SomeDashworkerEventSourceMappingSQSQueue"]
    assert queue["DependsOn"] == ["WorkerRole"]
    assert queue["Properties"] == {
        "BatchSize": 5,
        "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
        "FunctionName": alias,
        "Enabled": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 2},
    }
    assert properties(template, "SomeDashworkerEventSourceMappingDynamodbTable") == {
        "BatchSize": 100,
        "Enabled": True,
        "EventSourceArn": {"Fn::GetAtt": ["Table", "StreamArn"]},
        "FunctionName": alias,
        "ParallelizationFactor": 2,
        "StartingPosition": "TRIM_HORIZON",
        "MaximumBatchingWindowInSeconds": 1,
        "MaximumRetryAttempts": 3,
        "BisectBatchOnFunctionError": True,
        "MaximumRecordAgeInSeconds": 600,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Queue", "Arn"]}}},
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
    }


def test_each_rate_becomes_a_rule_that_may_call_the_function(template):
    for number, rate in ((1, "rate(1 minute)"), (2, "rate(2 hours)")):
        rule = properties(template, f"SomeDashworkerEventsRuleSchedule{number}")
        assert rule["ScheduleExpression"] == rate and rule["Description"] == "often"
        assert rule["Targets"] == [
            {
                "Arn": {"Ref": "SomeDashworkerLambdaFunctionAliasLive"},
                "Id": "some-workerSchedule",
                "Input": '{"task":"sweep"}',
            }
        ]
        permission = properties(template, f"SomeDashworkerLambdaPermissionEventsRuleSchedule{number}")
        assert permission["Principal"] == "events.amazonaws.com"
        assert permission["SourceArn"] == {"Fn::GetAtt": [f"SomeDashworkerEventsRuleSchedule{number}", "Arn"]}


def test_a_canary_shifts_the_alias_that_all_events_go_to(template):
    alias = template["Resources"]["SomeDashworkerLambdaFunctionAliasLive"]
    assert alias["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [version(template), "Version"]}
    assert alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"] == {
        "ApplicationName": {"Ref": "SmallservicedevDeploymentApplication"},
        "DeploymentGroupName": {"Ref": "SomeDashworkerLambdaFunctionDeploymentGroup"},
        "BeforeAllowTrafficHook": {"Ref": "HookLambdaFunction"},
    }
    group = properties(template, "SomeDashworkerLambdaFunctionDeploymentGroup")
    assert group["DeploymentConfigName"]["Fn::Sub"][1] == {"ConfigName": "Canary10Percent30Minutes"}
    assert group["AlarmConfiguration"] == {"Alarms": [{"Name": {"Ref": "WorkerAlarm"}}], "Enabled": True}
    uri = properties(template, "ApiGatewayMethodThingsThingidVarPost")["Integration"]["Uri"]
    assert {"Ref": "SomeDashworkerLambdaFunctionAliasLive"} in uri["Fn::Join"][1]
    for key, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Permission":
            assert resource["Properties"]["FunctionName"] == {"Ref": "SomeDashworkerLambdaFunctionAliasLive"}, key


def test_resources_are_merged_by_key_and_extended_last(template):
    assert template["Resources"]["Queue"]["Properties"] == {
        "QueueName": {"Fn::Sub": "q-${AWS::Region}"},
        "DelaySeconds": 1,
    }
    assert template["Conditions"] == {"Yes": {"Fn::Equals": ["a", "a"]}}
    assert template["Resources"]["SomeDashworkerLambdaFunction"]["Metadata"] == {"why": "because"}
    assert template["Outputs"]["Q"] == {"Value": {"Ref": "Queue"}}
    exported = template["Outputs"]["ServiceEndpoint"]["Export"]["Name"]
    assert exported == "sls-small-service-dev-ServiceEndpoint"


def test_the_framework_makes_a_bucket_unless_one_is_named(tmp_path, template):
    assert "ServerlessDeploymentBucket" not in template["Resources"]
    made = write(tmp_path, SERVICE.replace("deploymentBucket: packages", "deploymentBucket: {blockPublicAccess: true}"))
    assert properties(made, "ServerlessDeploymentBucket")["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    policy = properties(made, "ServerlessDeploymentBucketPolicy")["PolicyDocument"]
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": False}}


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("handler: worker", "handlr: worker", "handlr"),
        ("timeout: 30", "timeout: 901", "901"),
        ("memorySize: 512", "memorySize: large", "large"),
        ("batchSize: 5", "batchSize: 0", "0 is less than"),
        ("rate(1 minute)", "rate(1 minutes)", "rate"),
        ("Canary10Percent30Minutes", "Canary50Percent", "Canary50Percent"),
        ("provided.al2023", "swift6", "swift6"),
        ("COMMON: all", "COMMON: 5", "COMMON"),
        ("- Conditions:", "- Conditons:", "Conditons"),
        ("      SomeDashworkerLambdaFunction:", "      OtherLambdaFunction:", "can't extend OtherLambdaFunction"),
        ("    role: WorkerRole\n", "", "names no role"),
        ("package: {artifact: bootstrap.zip}", "package: {individually: true}", "no package.artifact"),
    ],
)
def test_what_the_framework_would_refuse_is_refused(tmp_path, before, after, complaint):
    assert before in SERVICE
    with pytest.raises(ExpansionError, match=complaint):
        write(tmp_path, SERVICE.replace(before, after))


def test_a_template_is_plain_json(template):
    assert json.loads(json.dumps(template)) == template
