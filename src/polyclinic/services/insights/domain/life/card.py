"""One record says all that is known of a model; three checklists are answered from it.

What nobody has recorded is answered `Not known`, never left out and never made up. What this clinic
measures itself (`validity_local` and its like) comes from the life of the model.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from polyclinic.foundation.errors import Invalid

NOT_KNOWN = "Not known: nobody has recorded it."
TEXT_MAX = 4000
_CHECKLISTS = Path(__file__).parent / "checklists.yaml"
# What a record cannot say of itself, because it is measured where the model is used.
MEASURED = ("validity_local", "fairness_local", "stage", "safety_result")


class BadRecord(Invalid):
    """This is no record of a model."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An item of a checklist with what is known of it."""

    number: str
    title: str
    text: str

    @property
    def known(self) -> bool:
        return self.text != NOT_KNOWN


@dataclass(frozen=True, slots=True)
class _Item:
    number: str
    title: str
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """All three checklists, answered."""

    hti1: tuple[Answer, ...]
    tripod_ai: tuple[Answer, ...]
    chai: tuple[Answer, ...]

    def as_json(self) -> dict[str, Any]:
        """Lists of number, title, text and whether it is known."""
        return {
            name: [
                {"number": a.number, "title": a.title, "text": a.text, "known": a.known}
                for a in answers
            ]
            for name, answers in (
                ("hti1", self.hti1), ("tripodAi", self.tripod_ai), ("chai", self.chai)
            )
        }  # fmt: skip

    def as_xml(self) -> bytes:
        """The CHAI card with the element names of its checklist; UTF-8."""
        root = ET.Element("AppliedModelCard")
        for answer in self.chai:
            at = root
            for name in answer.number.split("/"):
                found = at.find(name)
                at = ET.SubElement(at, name) if found is None else found
            at.text = _printable(answer.text)
        return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def read_record(said: Mapping[str, Any]) -> dict[str, str]:
    """The statements of a record; raises BadRecord for an unknown name or what is no short text."""
    for name, text in said.items():
        if name not in statements() or name in MEASURED:
            raise BadRecord("A record has no such statement.", place=f"record.{name[:40]}")
        if not isinstance(text, str) or not text.strip() or len(text) > TEXT_MAX:
            raise BadRecord(f"A statement has 1 to {TEXT_MAX} characters.", place=f"record.{name}")
    return {name: text.strip() for name, text in said.items()}


def card_of(record: Mapping[str, str], measured: Mapping[str, str]) -> Card:
    """The card of a record with what was measured here, by the names of `MEASURED`."""
    known = {**record, **measured}
    lists = _checklists()
    return Card(*(_answered(lists[name], known) for name in ("hti1", "tripod_ai", "chai")))


def statements() -> frozenset[str]:
    """The names of everything that a record may say."""
    return frozenset(name for items in _checklists().values() for item in items for name in item.of)


def _answered(items: Sequence[_Item], known: Mapping[str, str]) -> tuple[Answer, ...]:
    return tuple(Answer(each.number, each.title, _text(each.of, known)) for each in items)


def _text(names: Sequence[str], known: Mapping[str, str]) -> str:
    """What is known; where only a part is, the other parts are said to be not known."""
    told = [known[name] for name in names if name in known]
    if not told:
        return NOT_KNOWN
    lacking = [name.replace("_", " ") for name in names if name not in known]
    rest = [f"Not known: {', '.join(lacking)}."] if lacking else []
    return "\n".join([*told, *rest])


def _printable(text: str) -> str:
    """XML 1.0 has no way to write control characters."""
    return "".join(each for each in text if each in "\n\t" or each >= " ")


@cache
def _checklists() -> Mapping[str, tuple[_Item, ...]]:
    read = yaml.safe_load(_CHECKLISTS.read_text(encoding="utf-8"))
    return {
        name: tuple(
            _Item(
                str(item.get("number") or item["path"]),
                item.get("title") or item["path"].rpartition("/")[2],
                tuple(item["of"]),
            )
            for item in items
        )
        for name, items in read.items()
    }
