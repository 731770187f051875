"""The names, numbers and patterns that this system has had since its first version."""

import json

import pytest
from validation.services import ACCOUNT, STAGES, services
from validation.values import Values

COUNTRIES = (("PE", "pe"), ("CL", "cl"))


@pytest.fixture(params=STAGES)
def stage(request):
    return request.param


@pytest.fixture
def app(stage):
    return services(stage)[1]


@pytest.fixture
def resources(app):
    return app.template["Resources"]


def of_type(resources, kind):
    return {key: value["Properties"] for key, value in resources.items() if value["Type"] == kind}


@pytest.mark.parametrize(
    ("name", "logical", "vpc"),
    [
        ("appointment", "Appointment", False),
        ("appointment-pe", "AppointmentDashpe", True),
        ("appointment-cl", "AppointmentDashcl", True),
        ("appointment-mirror", "AppointmentDashmirror", True),
    ],
)
def test_functions(stage, resources, name, logical, vpc):
    function = resources[f"{logical}LambdaFunction"]["Properties"]
    assert function["FunctionName"] == f"medical-appointment-scheduling-{stage}-{name}"
    assert (function["MemorySize"], function["Timeout"]) == (512, 30)
    assert (function["Runtime"], function["Architectures"]) == ("provided.al2023", ["arm64"])
    assert function["Handler"] == name and function["ReservedConcurrentExecutions"] > 0
    assert ("VpcConfig" in function) == vpc
    group = resources[f"{logical}LogGroup"]["Properties"]
    assert group["LogGroupName"] == f"/aws/lambda/medical-appointment-scheduling-{stage}-{name}"
    assert group["RetentionInDays"] == {"dev": 7, "staging": 14, "prod": 30}[stage]


def test_triggers(resources):
    sources = {
        key: (mapping["EventSourceArn"]["Fn::GetAtt"][0], mapping["FunctionName"]["Ref"])
        for key, mapping in of_type(resources, "AWS::Lambda::EventSourceMapping").items()
    }
    alias = "LambdaFunctionAliasLive"
    assert set(sources.values()) == {
        ("AppointmentsCompletionQueue", f"Appointment{alias}"),
        ("AppointmentsErrorQueue", f"Appointment{alias}"),
        ("EventsTable", f"Appointment{alias}"),
        ("AppointmentsPEQueue", f"AppointmentDashpe{alias}"),
        ("AppointmentsCLQueue", f"AppointmentDashcl{alias}"),
        ("EventsTable", f"AppointmentDashmirror{alias}"),
    }
    for mapping in of_type(resources, "AWS::Lambda::EventSourceMapping").values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        if mapping["EventSourceArn"]["Fn::GetAtt"][0] == "EventsTable":
            # An outage uses up no tries: only age gives a record up.
            assert (mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]) == (-1, 43200)
            assert mapping["BisectBatchOnFunctionError"] is True


def test_auditors_are_answered_where_the_mirror_is(resources):
    uri = json.dumps(resources["ApiGatewayMethodAuditEventsGet"]["Properties"]["Integration"]["Uri"])
    assert "AppointmentDashmirrorLambdaFunction" in uri


def test_answers_name_the_origins_of_the_stage(stage, app):
    values = Values(app.template, app.stack, "us-east-1", ACCOUNT)
    for logical in ("Appointment", "AppointmentDashmirror"):
        variables = app.template["Resources"][f"{logical}LambdaFunction"]["Properties"]["Environment"]["Variables"]
        origins = values.of(variables["CORS_ORIGINS"])
        assert ("*" in origins) == (stage == "dev")
        assert origins.split(",")[0] in json.dumps(app.service["custom"]["config"]["api"]["cors"]["origins"])


def test_variables_of_the_seed(app):
    given = {key for function in app.service["functions"].values() for key in function.get("environment", {})}
    assert given >= set(
        """STAGE DEPLOYMENT_REGION LOG_LEVEL ENVIRONMENT APPOINTMENTS_TABLE_NAME APPOINTMENTS_TOPIC_ARN
        APPOINTMENTS_PE_TOPIC_ARN APPOINTMENTS_CL_TOPIC_ARN APPOINTMENTS_PE_QUEUE_URL APPOINTMENTS_CL_QUEUE_URL
        APPOINTMENTS_COMPLETION_QUEUE_URL EVENTBRIDGE_BUS_NAME RDS_HOST RDS_DATABASE RDS_PORT RDS_USERNAME KMS_KEY_ID
        API_KEY_SECRET_NAME LAMBDA_TIMEOUT LAMBDA_MEMORY_SIZE MAX_CONCURRENT_EXECUTIONS EVENTS_TABLE_NAME
        SUBJECTS_TABLE_NAME APPOINTMENTS_ERROR_QUEUE_URL""".split()
    )
    # The password is read when a function starts; only where it is kept is given.
    assert "RDS_PASSWORD" not in given


def test_canaries(stage, resources):
    groups = of_type(resources, "AWS::CodeDeploy::DeploymentGroup")
    assert len(groups) == 4
    for group in groups.values():
        config = group["DeploymentConfigName"]["Fn::Sub"][1]["ConfigName"]
        assert config == ("AllAtOnce" if stage == "dev" else "Canary10Percent30Minutes")
        assert group["AlarmConfiguration"]["Alarms"] and group["AutoRollbackConfiguration"]["Enabled"]
        for alarm in group["AlarmConfiguration"]["Alarms"]:
            assert resources[alarm["Name"]["Ref"]]["Type"] == "AWS::CloudWatch::Alarm"
    for name in ("Appointment", "AppointmentDashpe", "AppointmentDashcl", "AppointmentDashmirror"):
        update = resources[f"{name}LambdaFunctionAliasLive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert update["BeforeAllowTrafficHook"] == {"Ref": "PreTrafficValidationLambdaFunction"}
        assert update["AfterAllowTrafficHook"] == {"Ref": "PostTrafficValidationLambdaFunction"}


def test_tables(stage, resources):
    tables = of_type(resources, "AWS::DynamoDB::Table")
    events, appointments = tables["EventsTable"], tables["AppointmentsTable"]
    assert appointments["TableName"] == f"appointments-table-{stage}"
    assert appointments["KeySchema"] == [{"AttributeName": "appointmentId", "KeyType": "HASH"}]
    indexes = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in appointments["GlobalSecondaryIndexes"]
    }
    assert indexes == {
        "insuredId-createdAt-index": ["insuredId", "createdAt"],
        "status-createdAt-index": ["status", "createdAt"],
        "countryISO-createdAt-index": ["countryISO", "createdAt"],
    }
    assert [key["AttributeName"] for key in events["KeySchema"]] == ["streamId", "version"]
    assert events["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert events["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert set(tables) == {"EventsTable", "AppointmentsTable", "SubjectsTable", "ProjectionsTable"}
    assert tables["ProjectionsTable"]["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}
    for table in tables.values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": ["AppointmentsKey", "Arn"]}
        assert table["DeletionProtectionEnabled"] is (stage == "prod")


def test_topics(stage, resources):
    names = {key: topic["TopicName"] for key, topic in of_type(resources, "AWS::SNS::Topic").items()}
    prefix = "medical-appointment-scheduling-appointments"
    assert names.pop("AlertsTopic")
    assert names == {
        "AppointmentsTopic": f"{prefix}-{stage}",
        "AppointmentsPETopic": f"{prefix}-pe-{stage}",
        "AppointmentsCLTopic": f"{prefix}-cl-{stage}",
    }
    for country, _ in COUNTRIES:
        subscription = resources[f"Appointments{country}Subscription"]["Properties"]
        assert subscription["TopicArn"] == {"Ref": f"Appointments{country}Topic"}
        assert subscription["Endpoint"] == {"Fn::GetAtt": [f"Appointments{country}Queue", "Arn"]}
        assert (subscription["Protocol"], subscription["RawMessageDelivery"]) == ("sqs", False)
        assert "FilterPolicy" not in subscription


@pytest.mark.parametrize("name", ["PE", "CL", "Completion", "Error"])
def test_queues(app, resources, name):
    queue = resources[f"Appointments{name}Queue"]["Properties"]
    dead = resources[f"Appointments{name}DLQ"]["Properties"]
    assert queue["VisibilityTimeout"] == 180
    assert queue["VisibilityTimeout"] >= 6 * app.service["provider"]["timeout"]
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [f"Appointments{name}DLQ", "Arn"]},
        "maxReceiveCount": 3,
    }
    for one in (queue, dead):
        assert (one["MessageRetentionPeriod"], one["ReceiveMessageWaitTimeSeconds"]) == (14 * 86400, 20)
        assert one["KmsMasterKeyId"] == {"Fn::GetAtt": ["AppointmentsKey", "Arn"]}
    values = Values(app.template, app.stack, "us-east-1", ACCOUNT)
    assert values.of(dead["RedriveAllowPolicy"]) == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [values.arn(f"Appointments{name}Queue")],
    }


def test_rules_and_their_patterns(app, resources):
    rules = {key: rule for key, rule in of_type(resources, "AWS::Events::Rule").items() if "EventPattern" in rule}
    assert {key: (rule["Name"], rule["EventPattern"]) for key, rule in rules.items()} == {
        "AppointmentProcessedPERule": (
            "AppointmentProcessedPERule",
            {
                "source": ["medical.appointment.pe"],
                "detail-type": ["Appointment Processed"],
                "detail": {"status": ["PROCESSED"], "countryISO": ["PE"]},
            },
        ),
        "AppointmentProcessedCLRule": (
            "AppointmentProcessedCLRule",
            {
                "source": ["medical.appointment.cl"],
                "detail-type": ["Appointment Processed"],
                "detail": {"status": ["PROCESSED"], "countryISO": ["CL"]},
            },
        ),
        "AppointmentErrorRule": (
            "AppointmentErrorRule",
            {
                "source": ["medical.appointment"],
                "detail-type": ["Processing Error"],
                "detail": {"status": ["FAILED"]},
            },
        ),
    }
    for key, rule in rules.items():
        queue = "AppointmentsErrorQueue" if "Error" in key else "AppointmentsCompletionQueue"
        assert rule["EventBusName"] == {"Ref": "MedicalAppointmentsEventBus"}
        assert [target["Arn"] for target in rule["Targets"]] == [{"Fn::GetAtt": [queue, "Arn"]}]
        assert all("DeadLetterConfig" in target for target in rule["Targets"])
    # What the bus itself can't encrypt or decrypt comes to no target.
    bus = resources["MedicalAppointmentsEventBus"]["Properties"]
    assert bus["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["AppointmentsBusDLQ", "Arn"]}}
    archive = resources["MedicalAppointmentsArchive"]["Properties"]
    assert archive["SourceArn"] == {"Fn::GetAtt": ["MedicalAppointmentsEventBus", "Arn"]}


def test_the_api_throttles_and_logs(stage, resources):
    serving = resources["AppointmentsStage"]["Properties"]
    limits = {"dev": (100, 200), "staging": (500, 1000), "prod": (1000, 2000)}[stage]
    settings = serving["MethodSettings"][0]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == limits
    assert settings["DataTraceEnabled"] is False
    plan = resources["FrontDeskPlan"]["Properties"]
    assert (plan["Throttle"]["RateLimit"], plan["Throttle"]["BurstLimit"]) == limits
    assert plan["Quota"]["Period"] == "DAY"
    group = resources["ApiAccessLogGroup"]["Properties"]
    assert group["LogGroupName"] == f"/aws/apigateway/medical-appointment-scheduling-{stage}"
    # A path holds an insuredId; the route does not.
    log = serving["AccessLogSetting"]["Format"]
    assert "$context.path" not in log and "$context.resourcePath" in log


def test_the_bus_queues_topics_and_tables_share_one_rotating_key(resources):
    (key,) = of_type(resources, "AWS::KMS::Key").values()
    assert key["EnableKeyRotation"] is True


def test_production_has_two_zones_and_keeps_what_it_has():
    infrastructure, app = services("prod")
    database = infrastructure.template["Resources"]["Database"]
    assert database["Properties"]["MultiAZ"] is True and database["Properties"]["BackupRetentionPeriod"] == 35
    assert database["DeletionPolicy"] == "Snapshot"
    for name in ("EventsTable", "AppointmentsTable", "SubjectsTable", "ProjectionsTable", "AppointmentsKey"):
        assert app.template["Resources"][name]["DeletionPolicy"] == "Retain"


def test_the_database_is_private_and_encrypted(stage):
    resources = services(stage)[0].template["Resources"]
    database = resources["Database"]["Properties"]
    # AWS chooses the minor version, and takes old ones out of service.
    assert database["EngineVersion"] == "17" and database["AutoMinorVersionUpgrade"] is True
    assert resources["DatabaseParameters"]["Properties"]["Family"] == "postgres17"
    assert (database["Engine"], database["StorageEncrypted"], database["PubliclyAccessible"]) == (
        "postgres",
        True,
        False,
    )
    assert database["MasterUserPassword"].startswith("{{resolve:ssm-secure:/medical-appointment/")
    assert not of_type(resources, "AWS::EC2::InternetGateway")
    lock = resources["CheckpointBucket"]["Properties"]["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"]["Mode"] == ("COMPLIANCE" if stage == "prod" else "GOVERNANCE")
