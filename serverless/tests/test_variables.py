"""Variables, and YAML as the framework reads it."""

import pytest
from expander import Sources, documents
from expander.errors import ExpansionError
from expander.variables import Resolver


@pytest.fixture
def resolve(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/dev.yml").write_text("logging: {level: DEBUG}\nlist: [a, b]\nown: ${self:service}-x\n")
    sources = Sources("dev", "us-east-1", "111122223333", "i1", {"SET": "from env", "EMPTY": ""})
    sources.stacks, sources.parameters = {"network-dev.Vpc": "vpc-1"}, {"/a/b": "parameter"}
    document = {
        "service": "svc",
        "custom": {
            "stage": "${opt:stage, 'prod'}",
            "config": "${file(config/${self:custom.stage}.yml)}",
            "number": 30,
            "text": "",
            "dotted.name": "dotted",
            "loop": "${self:custom.loop}",
        },
    }
    return Resolver(tmp_path, document, sources).resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${self:service}", "svc"),
        ("${self:custom.config.logging.level}", "DEBUG"),
        ("${self:custom.config.list.1}", "b"),
        ("${self:custom.config.list}", ["a", "b"]),
        ("${self:custom.config.own}", "svc-x"),
        ("${file(config/dev.yml):logging.level}", "DEBUG"),
        ("${self:custom.dotted.name}", "dotted"),
        ("${self:custom.number}", 30),
        ("${self:custom.number}${self:custom.text}", "30"),
        ("a-${self:custom.number}-b", "a-30-b"),
        ("${opt:stage}/${sls:stage}/${sls:instanceId}", "dev/dev/i1"),
        ("${aws:accountId}", "111122223333"),
        ("${env:SET}", "from env"),
        ("${env:MISSING, 'fallback, with a comma'}", "fallback, with a comma"),
        ("${env:MISSING, self:service}", "svc"),
        ("${env:MISSING, env:SET, 'x'}", "from env"),
        ("${env:MISSING, null}", None),
        ("${env:MISSING, 5}", 5),
        ("${env:MISSING, false}", False),
        ("${env:EMPTY, 'x'}", ""),
        ("${cf:network-${sls:stage}.Vpc}", "vpc-1"),
        ("${ssm:/a/b}", "parameter"),
        ("${ssm:/not/there, ''}", ""),
        # These are CloudFormation's.
        ("${AWS::Region}", "${AWS::Region}"),
        ("arn:${AWS::Partition}:${Table.Arn}/${sls:stage}", "arn:${AWS::Partition}:${Table.Arn}/dev"),
        ("$context.requestId", "$context.requestId"),
        # So does the framework: a dollar sign before a variable is lost, however many there are.
        ("user:stage$${sls:stage}", "user:stagedev"),
        ("user:stage$$$${sls:stage}", "user:stagedev"),
        ("$${AWS::Region}", "$${AWS::Region}"),
    ],
)
def test_a_variable_has_the_value_of_its_source(resolve, text, value):
    assert resolve(text) == value


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("${env:MISSING}", "no value and no fallback"),
        ("${cf:other.Output}", "no value and no fallback"),
        ("${self:custom.nowhere}", "no value and no fallback"),
        ("${self:custom.loop}", "leads back to itself"),
        ("${file(config/prod.yml):x}", "is not there"),
        ("${git:sha}", "no source of variables"),
        ("x-${self:custom.config.list}", "is no text"),
        ("${env:MISSING, word}", "put a text in quotes"),
    ],
)
def test_a_variable_without_a_value_is_refused_by_name(resolve, text, complaint):
    with pytest.raises(ExpansionError, match=complaint):
        resolve(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: !Ref B", {"a": {"Ref": "B"}}),
        ("a: !GetAtt B.Arn.More", {"a": {"Fn::GetAtt": ["B", "Arn.More"]}}),
        ("a: !Sub '${B}'", {"a": {"Fn::Sub": "${B}"}}),
        ("a: !Join ['', [!Ref B, c]]", {"a": {"Fn::Join": ["", [{"Ref": "B"}, "c"]]}}),
        ("a: !If [C, !Ref B, d]", {"a": {"Fn::If": ["C", {"Ref": "B"}, "d"]}}),
        ("a: !ImportValue x", {"a": {"Fn::ImportValue": "x"}}),
        # Version 1.2: these are no switches, octal numbers or times.
        ("[on, off, yes, no]", ["on", "off", "yes", "no"]),
        ("[012, 1:30, true]", [12, "1:30", True]),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a: &x {b: 1}\ny: &y {e: 3}\nc: {<<: [*x, *y], b: 2}", {"a": {"b": 1}, "y": {"e": 3}, "c": {"b": 2, "e": 3}}),
    ],
)
def test_yaml_is_read_as_the_framework_reads_it(text, value):
    assert documents.parse(text) == value


@pytest.mark.parametrize(
    ("text", "complaint"), [("Version: 2012-10-17", "put the date in quotes"), ("a: 1\na: 2", "stands here twice")]
)
def test_yaml_that_would_be_misread_is_refused(text, complaint):
    with pytest.raises(ExpansionError, match=complaint):
        documents.parse(text)
