"""The rules of the framework's schema for what is used here."""

from functools import cache
from pathlib import Path

import jsonschema

from . import documents
from .errors import ExpansionError


@cache
def _validator() -> jsonschema.Draft7Validator:
    rules = documents.load(Path(__file__).with_name("schema.yml"))
    jsonschema.Draft7Validator.check_schema(rules)
    return jsonschema.Draft7Validator(rules)


def check(service: dict) -> None:
    """Raises ExpansionError with every rule of the schema that a resolved service breaks."""
    broken = []
    for error in _validator().iter_errors(service):
        # Of alternatives the one that fits best says most.
        error = jsonschema.exceptions.best_match([error])
        place = ".".join(str(part) for part in error.absolute_path) or "the document"
        broken.append(f"{place}: {error.message[:300]}")
    if broken:
        raise ExpansionError("the framework's schema refuses " + "; ".join(sorted(broken)))
