"""A Coverage of the chart as billing's own: what can be used of it, and why not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from polyclinic.services.billing.domain.coverage import RELATIONSHIPS, Coverage, Member
from polyclinic.services.billing.domain.payers import Payer
from polyclinic.services.billing.domain.people import Person


@dataclass(frozen=True, slots=True)
class Found:
    """Either a coverage, or the reason why there is none. `subscriber` is still to be read."""

    coverage: Coverage | None
    reason: str = ""
    subscriber: str = ""

    def insured_by(self, person: Person | None) -> "Found":
        if person is None or self.coverage is None:
            return Found(None, "subscriber unknown")
        member = replace(self.coverage.member, subscriber=person)
        return Found(replace(self.coverage, member=member))


def found_in_chart(
    name: UUID, resource: dict[str, Any], patient: str, payers: Sequence[Payer], today: date
) -> Found:
    """`name` is the id that it gets here, if it can be used."""
    if resource.get("status") != "active":
        return Found(None, "not active")
    payer = _payer(resource, payers)
    if payer is None:
        return Found(None, "unknown payer")
    member_id = _text(resource.get("subscriberId")) or _identifier(resource)
    if not member_id:
        return Found(None, "no member id")
    relationship = _relationship(resource)
    subscriber = _text(_dict(resource.get("subscriber")).get("reference"))
    is_self = relationship == "self"
    if not is_self and not subscriber.startswith("Patient/"):
        return Found(None, "subscriber unknown")
    period = _dict(resource.get("period"))
    order = resource.get("order")
    made = Coverage(
        name, patient, payer.id, order if isinstance(order, int) else 1,
        _day(period.get("start")) or today, _day(period.get("end")),
        Member(member_id, _group(resource), relationship),
    )  # fmt: skip
    return Found(made, "", "" if is_self else subscriber)


def _payer(resource: dict[str, Any], payers: Sequence[Payer]) -> Payer | None:
    """By the id that we know it by, its X12 id, or exactly its name."""
    for payor in _dicts(resource.get("payor")):
        named = {
            _text(payor.get("display")).casefold(),
            _text(payor.get("reference")).partition("/")[2].casefold(),
            _text(_dict(payor.get("identifier")).get("value")).casefold(),
        } - {""}
        for payer in payers:
            if named & {payer.id.casefold(), payer.x12_id.casefold(), payer.name.casefold()}:
                return payer
    return None


def _relationship(resource: dict[str, Any]) -> str:
    codings = _dicts(_dict(resource.get("relationship")).get("coding"))
    codes = [_text(coding.get("code")) for coding in codings]
    if not codes:
        return "self"
    return next((code for code in codes if code in RELATIONSHIPS), "other")


def _identifier(resource: dict[str, Any]) -> str:
    found = [_text(each.get("value")) for each in _dicts(resource.get("identifier"))]
    return next(filter(None, found), "")


def _group(resource: dict[str, Any]) -> str:
    for each in _dicts(resource.get("class")):
        codes = _dicts(_dict(each.get("type")).get("coding"))
        if any(coding.get("code") == "group" for coding in codes):
            return _text(each.get("value"))[:30]
    return ""


def _day(value: Any) -> date | None:
    """The day of a FHIR date or dateTime; a month or year alone is none."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
