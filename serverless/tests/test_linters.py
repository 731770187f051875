"""cfn-lint and checkov have nothing to say about any stage's templates, and would say it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import validate
from validation import linters
from validation.services import SERVERLESS, STAGES


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    directory = tmp_path_factory.mktemp("templates")
    return [path for stage in STAGES for path in validate.write(directory, stage, "us-east-1")]


def test_ruff_finds_nothing_in_the_python_files():
    ruff = [str(Path(sys.executable).with_name("ruff"))]
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run([*ruff, *command, str(SERVERLESS)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_no_line_is_too_long():
    files = [path for kind in ("yml", "sh", "py", "md") for path in SERVERLESS.rglob(f"*.{kind}")]
    long = [
        f"{path.relative_to(SERVERLESS)}:{number}"
        for path in files
        if "node_modules" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 120
    ]
    assert len(files) > 40 and long == []


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
