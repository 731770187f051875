"""The models of API Gateway, made from the schemas of the OpenAPI file.

    models.py            prints them as the section of resources/api-gateway.yml that they are
    models.py --write    puts them into that file

API Gateway reads JSON Schema draft 4 without references between models: references are put in place, and what draft 4
does not know is said otherwise (const) or left out (contentEncoding).
"""

import sys
from pathlib import Path

import yaml

SERVERLESS = Path(__file__).resolve().parent.parent
OPENAPI = SERVERLESS.parent / "Sources/API/openapi.yaml"
RESOURCES = SERVERLESS / "resources/api-gateway.yml"
MODELS = [
    "AppointmentRequest",
    "AppointmentCreated",
    "Appointment",
    "PersonAppointments",
    "AppointmentPage",
    "History",
    "AuditPage",
    "Problem",
]
MARK = "  # The models below are made by scripts/models.py --write from the OpenAPI file's schemas.\n"


def draft4(schema: object, schemas: dict) -> object:
    """A schema of OpenAPI 3.1 as draft 4 says it."""
    if isinstance(schema, list):
        return [draft4(item, schemas) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return draft4(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    result = {}
    for key, value in schema.items():
        if key == "const":
            result["enum"] = [value]
        elif key == "properties":
            result[key] = {name: draft4(item, schemas) for name, item in value.items()}
        elif key not in ("contentEncoding", "description"):
            result[key] = draft4(value, schemas)
    return result


def models() -> dict:
    """The resources, by logical id."""
    schemas = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))["components"]["schemas"]
    return {
        f"{name}Model": {
            "Type": "AWS::ApiGateway::Model",
            "Properties": {
                "RestApiId": {"Ref": "ApiGatewayRestApi"},
                "Name": name,
                "ContentType": "application/problem+json" if name == "Problem" else "application/json",
                "Schema": {
                    "$schema": "http://json-schema.org/draft-04/schema#",
                    "title": name,
                    **draft4(schemas[name], schemas),
                },
            },
        }
        for name in MODELS
    }


class _Plain(yaml.SafeDumper):
    """Without anchors: what repeats is written again."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def section() -> str:
    """The models as text of the resources file."""
    text = yaml.dump(models(), Dumper=_Plain, sort_keys=False, width=100, default_flow_style=None)
    return MARK + "".join(f"  {line}\n" for line in text.splitlines())


def main() -> None:
    if sys.argv[1:] == ["--write"]:
        before = RESOURCES.read_text(encoding="utf-8").split(MARK)[0]
        RESOURCES.write_text(before + section(), encoding="utf-8")
    else:
        print(section(), end="")


if __name__ == "__main__":
    main()
