"""YAML as the framework reads it: version 1.2 scalars and CloudFormation's short tags."""

import re
from functools import cache
from pathlib import Path

import yaml

from .errors import ExpansionError


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Version 1.2 of YAML's core schema: `on` is a word, `012` is no octal number, and dates are refused."""

    yaml_implicit_resolvers: dict = {}


for _tag, _pattern, _first in [
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", ["<"]),
    ("timestamp", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}", list("0123456789")),
]:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def _refuse_date(_: _Loader, node: yaml.Node) -> None:
    # The framework's reader makes a date of it, which CloudFormation then gets as a time.
    raise ExpansionError(f"{node.start_mark.name}:{node.start_mark.line + 1}: put the date in quotes")


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ExpansionError(f"{node.start_mark.name}:{node.start_mark.line + 1}: {sorted(twice)} stands here twice")
    loader.flatten_mapping(node)
    return {loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value}


def _short_tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 10))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _refuse_date)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_multi_constructor("!", _short_tag)


def load(path: Path) -> object:
    """The document in a file. It is shared by all who ask for it, so nobody may change it."""
    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise ExpansionError(f"{path} is not there") from None
    except yaml.YAMLError as error:
        raise ExpansionError(f"{path} is no YAML: {error}") from None


# One file is asked for once a variable.
@cache
def _parsed(path: Path, _changed: int) -> object:
    with path.open(encoding="utf-8") as file:
        return yaml.load(file, Loader=_Loader)


def parse(text: str) -> object:
    """The document in a text, for tests."""
    return yaml.load(text, Loader=_Loader)
