"""Spreadsheets of patients: each row is one person, by a table of columns that clinics write."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from polyclinic.foundation.errors import Invalid, NotProcessable
from polyclinic.services.integration.domain.channels import Channel
from polyclinic.services.integration.domain.intents import (
    Identifier,
    Keep,
    Person,
    Step,
    Translation,
)

KIND = "ROW"
# 0203: the number by which the clinic that wrote the sheet knows the person.
NUMBER = "MR"
_GENDERS = {"m": "male", "male": "male", "f": "female", "female": "female", "o": "other",
            "other": "other", "x": "other", "u": "unknown", "unknown": "unknown"}  # fmt: skip
_DATES = ("%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y", "%Y%m%d")
_WORDS_MAX = 500
BORN_MIN = 1880
Column = Annotated[str, Meta(min_length=1, max_length=200)]


class Number(Struct, frozen=True, forbid_unknown_fields=True):
    """A column of identifiers, and whose they are."""

    column: Column
    system: Annotated[str, Meta(min_length=1)]
    kind: str = NUMBER


class Columns(Struct, frozen=True, forbid_unknown_fields=True):
    """Which column holds what; what is not named is left out."""

    numbers: Annotated[tuple[Number, ...], Meta(min_length=1)]
    family: Column
    given: Column
    birth_date: Column
    sex: Column = ""
    phone: Column = ""
    email: Column = ""
    line: Column = ""
    city: Column = ""
    state: Column = ""
    postal_code: Column = ""
    country: Column = ""
    language: Column = ""
    dates: str = ""  # as strptime writes it, where the sheet has another form
    sexes: dict[str, str] = {}


class RowRefused(NotProcessable):
    """This row is no person."""


def columns_of(channel: Channel) -> Columns:
    """The table of a channel; raises Invalid naming the field."""
    try:
        return msgspec.convert(channel.mapping.get("columns"), Columns)
    except msgspec.ValidationError as refused:
        text, _, place = str(refused).partition(" - at `$")
        raise Invalid(f"{text}.", place=f"mapping.columns{place.rstrip('`')}") from None


def missing(columns: Columns, header: Mapping[str, Any]) -> list[str]:
    """Columns that the table names and the sheet has not."""
    names = [each.column for each in columns.numbers]
    names += [
        value
        for field in columns.__struct_fields__
        if field not in ("numbers", "dates", "sexes") and (value := getattr(columns, field))
    ]
    return [name for name in names if name not in header]


def translation(row: Mapping[str, str], channel: Channel) -> Translation:
    """Raises RowRefused with the column; what stands in it is never quoted."""
    columns = columns_of(channel)
    cells = {name: " ".join(value.split()) for name, value in row.items()}
    for name, value in cells.items():
        if len(value) > _WORDS_MAX:
            raise RowRefused("The cell is too long.", place=name)
    numbers = tuple(
        Identifier(each.system, cells[each.column], each.kind)
        for each in columns.numbers
        if cells.get(each.column)
    )
    if not numbers:
        raise RowRefused("The row has no number.", place=columns.numbers[0].column)
    person = Person(numbers, _patient(columns, cells, numbers))
    return Translation(
        KIND, "", person, (Keep(person, create_person=True),),
        trace=tuple(Step("columns", name, "Patient") for name in cells if cells[name]),
        order_key_parts=tuple(f"{each.system}|{each.value}" for each in numbers),
    )  # fmt: skip


def _patient(
    columns: Columns, cells: Mapping[str, str], numbers: tuple[Identifier, ...]
) -> dict[str, Any]:
    name = {"family": _needed(cells, columns.family), "given": [_needed(cells, columns.given)]}
    found: dict[str, Any] = {
        "resourceType": "Patient",
        "identifier": [{"system": each.system, "value": each.value} for each in numbers],
        "name": [name],
        "birthDate": _birth_date(columns, cells),
    }
    if sex := cells.get(columns.sex):
        found["gender"] = _gender(columns, sex)
    telecom = [
        {"system": system, "value": value}
        for system, column in (("phone", columns.phone), ("email", columns.email))
        if (value := cells.get(column))
    ]
    if telecom:
        found["telecom"] = telecom
    if address := _address(columns, cells):
        found["address"] = [address]
    if language := cells.get(columns.language):
        found["communication"] = [{"language": {"text": language}}]
    return found


def _needed(cells: Mapping[str, str], column: str) -> str:
    value = cells.get(column)
    if not value:
        raise RowRefused("The cell is empty.", place=column)
    return value


def _birth_date(columns: Columns, cells: Mapping[str, str]) -> str:
    """A day that somebody alive may have been born on."""
    text = _needed(cells, columns.birth_date)
    for form in (columns.dates,) if columns.dates else _DATES:
        try:
            found = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        if found.year >= BORN_MIN:
            return found.isoformat()
    raise RowRefused("The cell is no date of the form that is expected.", place=columns.birth_date)


def _gender(columns: Columns, text: str) -> str:
    found = columns.sexes.get(text) or _GENDERS.get(text.lower())
    if found is None or found not in _GENDERS.values():
        raise RowRefused("The cell is none of the words for a sex.", place=columns.sex)
    return found


def _address(columns: Columns, cells: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: value
        for name, column in (("city", columns.city), ("state", columns.state),
                             ("postalCode", columns.postal_code), ("country", columns.country))
        if (value := cells.get(column))
    }  # fmt: skip
    if line := cells.get(columns.line):
        found["line"] = [line]
    return found
