"""Checks the deployment of a stage without deploying anything.

    validate.py STAGE [REGION] [--no-linters] [--templates DIRECTORY]

The framework's schema, our own rules, cfn-lint and checkov. The last line says what was found; templates are kept
where --templates says.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from expander.errors import ExpansionError
from validation import linters, rules
from validation.services import STAGES, services


def check(stage: str, region: str) -> list[str]:
    """What our own rules find."""
    infrastructure, app = services(stage, region)
    return [
        *rules.alarms(app, region),
        *rules.variables(app),
        *rules.secrets(infrastructure),
        *rules.secrets(app),
        *rules.imports(infrastructure, app),
        *rules.configuration(stage, (infrastructure, app)),
        *rules.api_models(app),
        *rules.origins(stage, app),
        *rules.suppressions(infrastructure),
        *rules.suppressions(app),
    ]


def write(directory: Path, stage: str, region: str) -> list[Path]:
    """Writes both templates of a stage."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for expansion in services(stage, region):
        paths.append(directory / f"{expansion.stack}.json")
        paths[-1].write_text(json.dumps(expansion.template, indent=1), encoding="utf-8")
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("region", nargs="?", default="us-east-1")
    parser.add_argument("--no-linters", action="store_true", help="leaves cfn-lint and checkov out")
    parser.add_argument("--templates", type=Path, metavar="DIRECTORY")
    given = parser.parse_args()
    passed = 0
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = check(given.stage, given.region)
            templates = write(given.templates or Path(scratch), given.stage, given.region)
        except ExpansionError as error:
            print(f"validate: {error}", file=sys.stderr)
            return 1
        if not given.no_linters:
            found += linters.lint(templates, given.region)
            complaints, passed = linters.scan(templates)
            found += complaints
    for line in found:
        print(f"validate: {line}", file=sys.stderr)
    linted = "" if given.no_linters else f", {passed} checks of checkov passed"
    print(f"{given.stage} in {given.region}: {len(found)} found{linted}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
