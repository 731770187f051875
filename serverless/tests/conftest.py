"""What the tests share: the way to the programs under test, and one emulator for all that need it."""

import os
import sys
from pathlib import Path

SERVERLESS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(SERVERLESS / "scripts"), str(SERVERLESS / "hooks")]
# The hooks are packed from their folder: nothing else may come to be in it.
sys.dont_write_bytecode = True

import pytest  # noqa: E402
from emulator import running  # noqa: E402

# Nothing here may find its way to the real AWS.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = "/nonexistent"


@pytest.fixture(scope="session")
def emulator_url(tmp_path_factory):
    """Where the emulator is."""
    with running(tmp_path_factory.mktemp("emulator") / "log") as url:
        yield url
