"""Charges of DFT: FT1 by FT1; the number of a line is what makes it one."""

from decimal import Decimal
from typing import Any

from polyclinic.services.integration.domain.intents import Charge, Coded, Intent, Keep, Refused
from polyclinic.services.integration.domain.mapping import keys, parties, tables
from polyclinic.services.integration.domain.mapping.documents import Making, filled_by, scopes
from polyclinic.services.integration.domain.mapping.persons import need_person
from polyclinic.services.integration.domain.mapping.reading import Scope
from polyclinic.services.integration.domain.mapping.tables import Trigger

_TAKES_BACK = frozenset({"CD"})  # a credit is a negative line, never the deletion of one


def charge(trigger: Trigger, making: Making) -> tuple[Intent, ...]:
    """Raises Refused where a line has no number: it could be charged twice."""
    person = need_person(trigger.person, making)
    for name in trigger.documents:
        making.make(tables.recipes()[name])
    documents = tuple(making.made.values())
    found: list[Intent] = [Keep(person, documents)] if documents else []
    visit = keys.first(keys.VISIT, Scope(making.reading)) or ""
    seen: set[str] = set()
    for scope in scopes("FT1", making.reading):
        said = filled_by(("FT1[Charge]",), scope, "Charge").resource
        key = _key(said, scope)
        if key in seen:
            raise Refused("Two lines have the same number.", place="FT1-2")
        seen.add(key)
        found.append(
            Charge(
                key=key,
                kind=said["kind"],
                person=person,
                code=said.get("code") or Coded(""),
                units=_signed(said, "units") or "1",
                amount=_signed(said, "amount") or _extended(said),
                currency=said.get("currency", ""),
                day=said.get("day", ""),
                visit=visit,
                diagnoses=tuple(said.get("diagnoses", ())) or _diagnoses(making),
                modifiers=tuple(said.get("modifiers", ())),
                practitioner=said.get("practitioner"),
                text=said.get("text", ""),
            )
        )
    return tuple(found)


def _key(said: dict[str, Any], scope: Scope) -> str:
    """FT1-2 at this sender. Raises Refused."""
    number = said.get("key")
    if not parties.is_number(number):
        raise Refused("FT1-2 is missing: nothing would keep the line from being charged twice.",
                      place="FT1-2")  # fmt: skip
    if said.get("kind") is None:
        raise Refused("FT1-6 says no kind of line that we know.", place="FT1-6")
    if said["kind"] in ("CG", "CD") and not said.get("code"):
        raise Refused("Neither FT1-25 nor FT1-7 says what was done.", place="FT1-25")
    sender = scope.reading.message.sender
    return "|".join((*sender, str(number)))


def _signed(said: dict[str, Any], name: str) -> str:
    """Credits are negative, whichever sign their sender gave them."""
    text = said.get(name)
    if not text:
        return "-1" if name == "units" and said["kind"] in _TAKES_BACK else ""
    value = Decimal(text)
    return f"{-abs(value):f}" if said["kind"] in _TAKES_BACK else f"{value:f}"


def _extended(said: dict[str, Any]) -> str:
    """Units by the price of one."""
    price = said.get("unit_price")
    if not price:
        return ""
    return f"{Decimal(price) * Decimal(_signed(said, 'units') or '1'):f}"


def _diagnoses(making: Making) -> tuple[Coded, ...]:
    """Of DG1, where the lines name none."""
    found: list[Coded] = []
    for document in making.made.values():
        if document.kind != "Condition":
            continue
        for coding in document.resource.get("code", {}).get("coding", ())[:1]:
            found.append(Coded(coding["code"], coding.get("system", ""), coding.get("display", "")))
    return tuple(found)
