"""The server does what the OpenAPI file says: Schemathesis sends each operation what the file allows and forbids.

LEDGER_TEST_SPECIFICATION_EXAMPLES=500 looks longer, as make test-long does; its seed is then a new one, and is printed.
"""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PROGRAM = TESTS.parent.parent / ".build/debug/ledger"
EXAMPLES = int(os.environ.get("LEDGER_TEST_SPECIFICATION_EXAMPLES", "0"))

# scripts/test.sh says that the program is to be there: then these tests fail without it.
pytestmark = pytest.mark.skipif(
    not PROGRAM.is_file() and "LEDGER_TEST_PROGRAMS" not in os.environ,
    reason=f"{PROGRAM} is not built: run swift build, or scripts/test.sh",
)


@pytest.fixture
def ledger(tmp_path):
    """A new ledger's directory, and what starts its server."""
    running = []

    def serve():
        log = tmp_path / "log"
        with log.open("wb") as errors:
            command = [PROGRAM, "serve", "--data", tmp_path / "data", "--port", "0"]
            running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors))
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if found := re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text(encoding="utf-8")):
                return f"http://{found[1]}"
            assert running[-1].poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        raise AssertionError(log.read_text(encoding="utf-8"))

    yield tmp_path / "data", serve
    for process in running:
        process.terminate()
        assert process.wait(timeout=60) == 0


def key(data, role):
    """The secret of a new API key with a role."""
    command = [PROGRAM, "keys", "create", "--name", f"tester-{role}", "--role", role, "--data", data]
    made = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(made.stdout)[0]["secret"]


def ask(url, tmp_path, *arguments):
    """Runs Schemathesis with all checks; whatever it finds is a difference between file and server."""
    seed, phases = str(secrets.randbelow(2**32)) if EXAMPLES else "1", "examples,coverage,fuzzing"
    command = [
        Path(sys.executable).with_name("schemathesis"),
        "--config-file",
        TESTS / "schemathesis.toml",
        "run",
        f"{url}/openapi.yaml",
        *("--checks", "all", "--phases", f"{phases},stateful" if EXAMPLES else phases, "--seed", seed),
        *("--max-examples", str(EXAMPLES or 8), "--continue-on-failure"),
        *("--suppress-health-check", "all", "--no-color"),
        *arguments,
    ]
    # Its server is this machine's, whatever proxy there is. What it keeps of a run goes where it runs.
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "no_proxy": "*", "NO_PROXY": "*"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-20000:]}{done.stderr[-2000:]}"
    # A run that asked nothing finds nothing.
    assert int(re.search(r"(\d+) generated", done.stdout)[1]) > 300, done.stdout[-2000:]


def test_without_keys_the_server_does_what_the_file_says(ledger, tmp_path):
    _, serve = ledger
    # A ledger without keys asks for none, as the file says in words: it serves its own machine alone.
    ask(serve(), tmp_path, "--exclude-checks", "ignored_auth")


# An admin may use every route. Others are told that they may not, which is among what the file says.
@pytest.mark.parametrize("role", ["admin", "intake", "operator", "auditor"] if EXAMPLES else ["admin", "auditor"])
def test_with_a_key_the_server_does_what_the_file_says(ledger, tmp_path, role):
    data, serve = ledger
    secret = key(data, role)
    ask(serve(), tmp_path, "--header", f"X-API-Key: {secret}")
