"""cfn-lint and checkov over expanded templates."""

import json
import os
import subprocess
import sys
from pathlib import Path

# W3005: the framework's functions name their role twice, by DependsOn and by GetAtt.
# W8003: conditions compare what the stage's configuration says, so one template has one answer.
_IGNORED = "W3005,W8003"


def lint(templates: list[Path], region: str) -> list[str]:
    """What cfn-lint complains about: errors and warnings alike."""
    command = [_tool("cfn-lint"), "--regions", region, "--ignore-checks", _IGNORED, "--format", "parseable"]
    done = subprocess.run([*command, "--template", *map(str, templates)], capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if line.strip()]
    return found if found or done.returncode == 0 else [f"cfn-lint failed: {done.stderr.strip()[-500:]}"]


def scan(templates: list[Path]) -> tuple[list[str], int]:
    """What checkov complains about, and how many checks passed."""
    command = [_tool("checkov"), "--framework", "cloudformation", "--skip-download", "--compact", "--output", "json"]
    done = subprocess.run(
        [*command, *(part for template in templates for part in ("--file", str(template)))],
        capture_output=True,
        text=True,
        check=False,
        # It would look for a newer one of itself.
        env={**os.environ, "LOG_LEVEL": "ERROR", "CHECKOV_DISABLE_UPDATE_CHECK": "1"},
    )
    try:
        results = json.loads(done.stdout)
    except json.JSONDecodeError:
        return [f"checkov failed: {done.stderr.strip()[-500:]}"], 0
    results = results if isinstance(results, list) else [results]
    found, passed = [], 0
    for result in results:
        passed += result["summary"]["passed"]
        found += [f"{c['resource']}: {c['check_id']} {c['check_name']}" for c in result["results"]["failed_checks"]]
        found += [f"checkov can't read {file}" for file in result["results"].get("parsing_errors", [])]
    return found, passed


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
