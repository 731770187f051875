"""Prints the template of a service: python -m expander DIRECTORY --stage dev --region us-east-1"""

import argparse
import json
import sys
from pathlib import Path

from . import Sources, expand
from .errors import ExpansionError


def _pairs(texts: list[str]) -> dict:
    return dict(text.split("=", 1) for text in texts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="expander", description=__doc__)
    parser.add_argument("directory", type=Path, help="where serverless.yml is")
    parser.add_argument("--stage", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--account", default="000000000000")
    parser.add_argument("--instance", default="instance", help="what is new with every deployment")
    parser.add_argument("--cf", action="append", default=[], metavar="STACK.OUTPUT=VALUE")
    parser.add_argument("--ssm", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    sources = Sources(given.stage, given.region, given.account, given.instance)
    sources.stacks, sources.parameters = _pairs(given.cf), _pairs(given.ssm)
    try:
        expansion = expand(given.directory, sources)
    except ExpansionError as error:
        print(f"expander: {error}", file=sys.stderr)
        return 1
    json.dump(expansion.template, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
