"""cfn-lint and checkov have nothing to say about any stage's templates, and would say it."""

import json

import pytest
import validate
from validation import linters
from validation.services import STAGES


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    directory = tmp_path_factory.mktemp("templates")
    return [path for stage in STAGES for path in validate.write(directory, stage, "us-east-1")]


def test_cfn_lint_finds_nothing(templates):
    assert linters.lint(templates, "us-east-1") == []


def test_checkov_finds_nothing(templates):
    found, passed = linters.scan(templates)
    assert found == []
    assert passed > 600


def test_both_find_what_is_planted(tmp_path):
    bad = {
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": "long"}},
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"AccessControl": "PublicRead"}},
        }
    }
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(bad))
    assert any("E3012" in line for line in linters.lint([path], "us-east-1"))
    found, _ = linters.scan([path])
    assert any("CKV_AWS_27" in line for line in found) and any("CKV_AWS_20" in line for line in found)
