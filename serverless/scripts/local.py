"""Deploys the stage dev to an emulator of AWS on this machine, says where it is, and runs until Ctrl-C.

    local.py [--packages DIRECTORY] [--database HOST:PORT]

The packages are those of package.sh --native. Without --database, functions that need one find none.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from emulator import REGION, SERVERLESS, Emulator, Stage, running


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, default=SERVERLESS.parent / ".build/lambda")
    parser.add_argument("--database", metavar="HOST:PORT")
    given = parser.parse_args()
    program, hooks = given.packages / "bootstrap.zip", given.packages / "hooks.zip"
    for package in (program, hooks):
        if not package.is_file():
            print(f"local.py: {package} is not there: make it with package.sh --native", file=sys.stderr)
            return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="ledger-aws-") as scratch, running(Path(scratch) / "log") as url:
        # Requests to an API carry no signature, and the emulator takes them for this account's.
        stage = Stage(Emulator(url, "000000000000"), "dev", program, hooks, given.database)
        stage.deploy_infrastructure()
        stage.deploy_application("Local")
        print(f"AWS   {url}   (AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=test)")
        print(f"      for example: infrastructure.sh verify dev {REGION}")
        print(f"API   {stage.api}")
        print(f"      curl -X POST {stage.api}/appointments -H 'Content-Type: application/json' \\")
        print("""           -d '{"insuredId":"00123","scheduleId":100,"countryISO":"PE"}'""")
        print("Ctrl-C ends it.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
