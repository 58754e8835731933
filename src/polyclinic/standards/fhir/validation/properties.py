"""The check of one property of an object, made of the check of one value."""

from collections.abc import Callable
from typing import Any

from polyclinic.standards.fhir.validation.findings import Findings, Where
from polyclinic.standards.fhir.validation.primitives import Test

Check = Callable[[Any, Where, Findings], None]  # of one value
# Of a property: its value, the object that holds it, the place of that object.
PropertyCheck = Callable[[Any, dict[str, Any], Where, Findings], None]

NOT_ARRAY = "This is a JSON array, never empty."


# Only the arrays of primitives look at their holder, for the entries of "_name".
# ruff: noqa: ARG001


def one_primitive(display: str, test: Test, code: str) -> PropertyCheck:
    def check(inner: Any, holder: dict[str, Any], where: Where, found: Findings) -> None:
        problem = test(inner)
        if problem is not None:
            found.add(code, (where, display, None), problem)

    return check


def many_primitives(key: str, test: Test, code: str) -> PropertyCheck:
    def check(inner: Any, holder: dict[str, Any], where: Where, found: Findings) -> None:
        if type(inner) is not list or not inner:
            found.add("structure", (where, key, None), NOT_ARRAY)
            return
        companions = holder.get("_" + key)
        for index, one in enumerate(inner):
            # A null keeps the place of a value that has only extensions.
            if one is not None or not _at(companions, index):
                problem = test(one)
                if problem is not None:
                    found.add(code, (where, key, index), problem)

    return check


def many_companions(key: str, element: Check) -> PropertyCheck:
    def check(inner: Any, holder: dict[str, Any], where: Where, found: Findings) -> None:
        values = holder.get(key)
        if type(inner) is not list or not inner:
            found.add("structure", (where, key, None), NOT_ARRAY)
            return
        if type(values) is list and len(values) != len(inner):
            text = f"{key} and _{key} have as many entries, with null where there is nothing."
            found.add("structure", (where, key, None), text)
            return
        for index, one in enumerate(inner):
            if one is not None:
                element(one, (where, key, index), found)
            elif values is None:
                found.add(
                    "structure", (where, key, index), "There is neither a value nor an extension."
                )

    return check


def _at(companions: Any, index: int) -> bool:
    return type(companions) is list and index < len(companions) and bool(companions[index])


def one(display: str, check: Check) -> PropertyCheck:
    def check_one(inner: Any, holder: dict[str, Any], where: Where, found: Findings) -> None:
        check(inner, (where, display, None), found)

    return check_one


def many(display: str, check: Check, least: int) -> PropertyCheck:
    def check_many(inner: Any, holder: dict[str, Any], where: Where, found: Findings) -> None:
        if type(inner) is not list or not inner:
            found.add("structure", (where, display, None), NOT_ARRAY)
            return
        if len(inner) < least:
            found.add("required", (where, display, None), f"There are at least {least}.")
        for index, one in enumerate(inner):
            check(one, (where, display, index), found)

    return check_many
