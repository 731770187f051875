"""The logical ids that the framework gives to what it makes."""

import re


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


def function(name: str) -> str:
    """The beginning of the logical ids of everything that belongs to a function."""
    return _first(name.replace("-", "Dash").replace("_", "Underscore"))


def lambda_function(name: str) -> str:
    return f"{function(name)}LambdaFunction"


def alphanumeric(name: str) -> str:
    return _first(re.sub(r"[^0-9A-Za-z]", "", name))


def path_part(part: str) -> str:
    text = (part[:1].upper() + part[1:].lower()).replace("-", "Dash")
    text = re.sub(r"\{(.*)\}", r"\1Var", text)
    return _first(re.sub(r"[^0-9A-Za-z]", "", text))


def path(path_text: str) -> str:
    return "".join(path_part(part) for part in path_text.split("/"))


def api_method(path_text: str, method: str) -> str:
    return f"ApiGatewayMethod{path(path_text)}{_first(method.lower())}"


def endpoint_model(path_text: str, method: str, content_type: str) -> str:
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", content_type)
    return f"{api_method(path_text, method)}{''.join(_first(word) for word in words)}Model"
