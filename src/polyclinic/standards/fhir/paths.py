"""The part of FHIRPath that R4's search parameters use, read into steps.

Paths, alternatives (`|`), parentheses, `ofType(X)`, `where(resolve() is X)` and `where(a='b')`.
"""

import re
from typing import NamedTuple


class Unsupported(ValueError):
    """The expression goes beyond the part of FHIRPath that is read here."""


class Child(NamedTuple):
    """The elements of that name; a choice `value[x]` is meant by `value`."""

    name: str


class OfType(NamedTuple):
    """Only values of that type."""

    type: str


class WhereEqual(NamedTuple):
    """Only elements whose child is that text."""

    name: str
    text: str


class WhereTarget(NamedTuple):
    """Only references that point at that type."""

    type: str


Step = Child | OfType | WhereEqual | WhereTarget
Path = tuple[Step, ...]

_STEPS = re.compile(
    r"""\.?(?:
        ofType\((?P<of_type>\w+)\)
      | where\(resolve\(\)\ is\ (?P<target>\w+)\)
      | where\((?P<name>\w+)='(?P<text>[^']*)'\)
      | (?P<child>\w+)(?![\w(\[])
    )""",
    re.VERBOSE,
)


def parse(expression: str) -> tuple[Path, ...]:
    """Each alternative as the steps from its first name (a type, or an element) onwards."""
    return tuple(_path(alternative.strip()) for alternative in expression.split("|"))


def _path(text: str) -> Path:
    # Parentheses only ever surround the beginning of a path: "(A.b.ofType(C)).d".
    inner = _without_parentheses(text)
    steps: list[Step] = []
    at = 0
    while at < len(inner):
        found = _STEPS.match(inner, at)
        if found is None or found.end() == at:
            raise Unsupported(text)
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _without_parentheses(text: str) -> str:
    while text.startswith("("):
        depth = 0
        for index, character in enumerate(text):
            depth += (character == "(") - (character == ")")
            if depth == 0:
                text = text[1:index] + text[index + 1 :]
                break
        else:
            raise Unsupported(text)
    return text


def _step(found: re.Match[str]) -> Step:
    if found["of_type"]:
        return OfType(found["of_type"])
    if found["target"]:
        return WhereTarget(found["target"])
    if found["name"]:
        return WhereEqual(found["name"], found["text"])
    return Child(found["child"])
