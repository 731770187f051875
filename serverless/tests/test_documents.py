"""docs/deployment.md is complete, and its arithmetic is right."""

import re

import pytest
from expander import documents
from validation.services import ROOT, SERVERLESS, services

TEXT = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(
    "title",
    [
        "Overview", "Components", "Environments", "Variables", "Use", "Promotion", "Rollback",
        "Migrations without downtime", "Monitoring", "Runbooks", "Cost", "Security", "Backup and recovery",
        "Troubleshooting", "Updates", "Dependencies",
    ],
)  # fmt: skip
def test_a_handbook_has_this_section(title):
    assert len(SECTIONS[title].strip()) > 200


def test_every_alarm_has_a_runbook_and_every_runbook_an_alarm():
    resources = services("prod")[1].template["Resources"]
    alarms = {
        resource["Properties"]["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for resource in resources.values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    headings = "".join(re.findall(r"^### (.*)$", SECTIONS["Runbooks"], re.MULTILINE))
    assert set(re.findall(r"`([^`]+)`", headings)) == alarms


def test_every_variable_is_explained():
    table = documents.load(SERVERLESS / "variables.yml")
    variables = {*table["every"], *(name for names in table["functions"].values() for name in names)}
    explained = set(re.findall(r"`([A-Z][A-Z_]+)`", SECTIONS["Variables"]))
    assert explained >= variables
    assert explained - variables == {"LAMBDA_ARCHITECTURE", "BOOTSTRAP_PACKAGE", "HOOKS_PACKAGE", "SWIFT_IMAGE", "INFO"}


def rows(first):
    """The numbers of a table's rows, below the header that begins so."""
    body = SECTIONS["Cost"].split(f"| {first}")[1]
    for line in body.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip(" *") for cell in line.strip("|").split("|")]


def test_cost_is_quantity_times_price():
    total = 0.0
    for what, quantity, _, price, cost in rows("per million appointments"):
        if what in ("all", "all in prod"):
            assert round(total, 2) == float(cost)
            if what == "all in prod":
                return
            continue
        # A million appointments, and a price for a million units.
        assert round(float(quantity) * float(price), 2) == float(cost), what
        total += float(cost)
    raise AssertionError("the table has no sum")


def test_fixed_costs_add_up():
    found = list(rows("each month"))
    *parts, (_, dev, prod) = found
    assert round(sum(float(part[1]) for part in parts), 2) == float(dev)
    assert round(sum(float(part[2]) for part in parts), 2) == float(prod)
    resources = services("prod")[1].template["Resources"]
    alarms = sum(resource["Type"] == "AWS::CloudWatch::Alarm" for resource in resources.values())
    assert f"alarms ({alarms} × 0.10)" in TEXT
    own = documents.load(SERVERLESS / "metrics.yml")["MedicalAppointments"]["metrics"]
    assert f"custom metrics ({len(own)} × 0.30)" in TEXT
    network = [
        r["Properties"] for r in services("prod")[0].template["Resources"].values() if "VPCEndpoint" in r["Type"]
    ]
    interfaces = sum(endpoint["VpcEndpointType"] == "Interface" for endpoint in network)
    assert f"endpoints ({interfaces} products × 2 zones" in TEXT


def test_stages_are_described_as_they_are_configured():
    table = SECTIONS["Environments"]
    configurations = [documents.load(SERVERLESS / f"config/{stage}.yml") for stage in ("dev", "staging", "prod")]

    def row(title):
        (line,) = [line for line in table.splitlines() if line.startswith(f"| {title} |")]
        return [cell.strip() for cell in line.strip("|").split("|")][1:]

    assert row("log level, retention") == [
        f"{c['logging']['level']}, {c['logging']['retention']} days" for c in configurations
    ]
    throttling = [c["api"]["throttling"] for c in configurations]
    assert row("requests a second, burst") == [f"{t['rateLimit']:,}, {t['burstLimit']:,}" for t in throttling]
    # The ledger asks for one everywhere.
    by = {True: "by the ledger and a usage plan", False: "by the ledger"}
    assert row("API key needed") == [by[c["api"]["keyRequired"]] for c in configurations]
    for cell, configuration in zip(row("database"), configurations, strict=True):
        assert configuration["rds"]["instanceClass"] in cell
        assert ("two zones" in cell) is configuration["rds"]["multiAZ"]


def test_commands_of_the_handbook_are_those_of_the_scripts():
    script = (SERVERLESS / "scripts/infrastructure.sh").read_text(encoding="utf-8")
    for command in re.findall(r"infrastructure\.sh (\w+) ", SECTIONS["Use"] + SECTIONS["Promotion"]):
        assert re.search(rf"\b{command}\b", script.rsplit("case", 1)[1]), command
