"""The framework's variables: self, opt, file, env, ssm, cf, aws and sls, with addresses and fallbacks."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from . import documents
from .errors import ExpansionError

# A variable without another one inside it. `${AWS::Region}` and `${Table.Arn}` belong to CloudFormation. The framework
# drops all dollar signs that stand before a variable.
_INNERMOST = re.compile(r"\$*\$\{(?=[a-zA-Z]+(?:\([^${}]*\)|(?:\([^${}]*\))?:(?!:)))([^${}]*)\}")
_SOURCE = re.compile(r"^([a-zA-Z]+)(?:\(([^)]*)\))?(?::(.*))?$", re.DOTALL)
_LITERAL = re.compile(r"""^(?:'([^']*)'|"([^"]*)"|(-?[0-9]+)|(true|false|null))$""")


@dataclass
class Sources:
    """Where variables come from that are not in the files. Missing entries fall through to the fallback."""

    stage: str
    region: str
    account: str = "000000000000"
    instance: str = "instance"
    environment: dict = field(default_factory=lambda: dict(os.environ))
    # Outputs of deployed stacks: "STACK.OUTPUT" to value.
    stacks: dict = field(default_factory=dict)
    # Parameters of the Parameter Store: name to value.
    parameters: dict = field(default_factory=dict)


class Resolver:
    """Resolves the variables of one service. Values that `self` reaches are resolved when they are reached."""

    def __init__(self, directory: Path, document: dict, sources: Sources):
        self.directory = directory
        self.document = document
        self.sources = sources
        # The addresses that `self` was asked for: what of a configuration is used.
        self.asked: set[str] = set()
        self._open: list[str] = []

    def resolve(self, value: object) -> object:
        """A value with every variable in it replaced."""
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> object:
        while match := _INNERMOST.search(text):
            found = self._variable(match[1])
            if match[0] == text:
                return found
            if not isinstance(found, (str, int, float)):
                raise ExpansionError(f"{match[0]} is no text, so it can't stand within '{text}'")
            shown = str(found).lower() if isinstance(found, bool) else str(found)
            text = text[: match.start()] + shown + text[match.end() :]
        return text

    def _variable(self, content: str) -> object:
        for part in _alternatives(content):
            literal = _LITERAL.match(part)
            found = _literal(literal) if literal else self._source(part)
            if found is not None:
                return found
        if re.search(r"\bnull$", content):
            return None
        raise ExpansionError(f"${{{content}}} has no value and no fallback")

    def _source(self, part: str) -> object:
        match = _SOURCE.match(part)
        if not match or match[2] is None and match[3] is None:
            raise ExpansionError(f"'{part}' is neither a variable nor a literal: put a text in quotes")
        kind, parameter, address = match[1], match[2], (match[3] or "").strip()
        if part in self._open:
            raise ExpansionError(f"${{{part}}} leads back to itself: {' → '.join(self._open)}")
        self._open.append(part)
        try:
            match kind:
                case "self":
                    self.asked.add(address)
                    return self._walk(self.document, address)
                case "file":
                    return self._walk(documents.load(self.directory / (parameter or "")), address)
                case "env":
                    return self.sources.environment.get(address)
                case "ssm":
                    return self.sources.parameters.get(address)
                case "cf":
                    return self.sources.stacks.get(address)
                case "opt":
                    return {"stage": self.sources.stage, "region": self.sources.region}.get(address)
                case "sls":
                    return {"stage": self.sources.stage, "instanceId": self.sources.instance}.get(address)
                case "aws":
                    return {"accountId": self.sources.account, "region": self.sources.region}.get(address)
            raise ExpansionError(f"'{kind}' is no source of variables that is known here")
        finally:
            self._open.pop()

    def _walk(self, value: object, address: str) -> object:
        """What stands at an address. Names may hold dots: the longest that fits is taken."""
        value = self._text(value) if isinstance(value, str) else value
        if not address:
            return self.resolve(value)
        names = address.split(".")
        for length in range(len(names), 0, -1):
            name, rest = ".".join(names[:length]), ".".join(names[length:])
            if isinstance(value, dict) and name in value:
                return self._walk(value[name], rest)
            if isinstance(value, list) and name.isdigit() and int(name) < len(value):
                return self._walk(value[int(name)], rest)
        return None


def _alternatives(content: str) -> list[str]:
    """The parts between commas that are neither quoted nor in parentheses."""
    parts, depth, quote, part = [], 0, "", ""
    for character in content:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "," and depth == 0:
            parts.append(part.strip())
            part = ""
            continue
        part += character
    return parts + [part.strip()]


def _literal(match: re.Match) -> object:
    single, double, number, word = match.groups()
    if number is not None:
        return int(number)
    if word is not None:
        return {"true": True, "false": False, "null": None}[word]
    return single if single is not None else double
