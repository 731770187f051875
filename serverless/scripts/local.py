"""Deploys the stage dev to an emulator of AWS on this machine, says where it is, and runs until Ctrl-C.

    local.py [--packages DIRECTORY] [--ledger FILE] [--database HOST:PORT]

The packages are those of package.sh --native, and the ledger is the program that scripts are run with: it brings the
databases to today's schema and makes an API key. Without --database a PostgreSQL server is started for as long as this
runs; one that is named has its databases and its schema already.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import databases
from emulator import REGION, SERVERLESS, Emulator, Stage, running

BUILD = SERVERLESS.parent / ".build"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, default=BUILD / "lambda")
    parser.add_argument("--ledger", type=Path, default=BUILD / "release/ledger")
    parser.add_argument("--database", metavar="HOST:PORT")
    given = parser.parse_args()
    program, hooks = given.packages / "bootstrap.zip", given.packages / "hooks.zip"
    wanted = {program: "package.sh --native", hooks: "package.sh --native", given.ledger: "make build"}
    for file, maker in wanted.items():
        if not file.is_file():
            print(f"local.py: {file} is not there: make it with {maker}", file=sys.stderr)
            return 1
    # A shell without job control has its background jobs ignore this one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with ExitStack() as stack:
            database = given.database or stack.enter_context(databases.running("dev", given.ledger))
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ledger-aws-")))
            url = stack.enter_context(running(scratch / "log"))
            # Requests to an API carry no signature, and the emulator takes them for this account's.
            stage = Stage(Emulator(url, "000000000000"), "dev", program, hooks, database)
            stage.deploy_infrastructure()
            stage.deploy_application("Local")
            tell(stage, key(stage, given.ledger), database)
            signal.pause()
    except KeyboardInterrupt:
        print()
    return 0


def key(stage: Stage, ledger: Path) -> str:
    """The secret of a new API key that may do everything, made as an operator makes one."""
    command = [SERVERLESS / "scripts/key.sh", stage.stage, REGION, "--name", "local", "--role", "admin"]
    environment = {**stage.emulator.environment(), "LEDGER": str(ledger.resolve())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"no API key could be made: {done.stderr.strip()}")
    return done.stdout.strip()


def tell(stage: Stage, secret: str, database: str) -> None:
    """Says where everything is."""
    url = stage.emulator.url
    print(f"AWS         {url}   (AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=test)")
    print(f"            for example: infrastructure.sh verify dev {REGION}")
    print(f"PostgreSQL  {database}")
    print(f"API         {stage.api}")
    print(f"API key     {secret}")
    print(f"            curl -X POST {stage.api}/appointments -H 'X-API-Key: {secret}' \\")
    print("""                 -H 'Content-Type: application/json' \\""")
    print("""                 -d '{"insuredId":"00123","scheduleId":100,"countryISO":"PE"}'""")
    print("Ctrl-C ends it.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
