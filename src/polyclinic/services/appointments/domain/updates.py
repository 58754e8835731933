"""An update of an Appointment: its state may differ from what is kept, and nothing else."""

from collections.abc import Mapping
from typing import Any

from polyclinic.foundation.errors import NotProcessable
from polyclinic.services.appointments.domain.lifecycle import CANCEL_SYSTEM, CANCELLED
from polyclinic.services.appointments.domain.reading import coded, moment

Resource = Mapping[str, Any]

_ABOUT = frozenset({"resourceType", "meta", "text", "status"})  # no part of what is agreed
_DERIVED = frozenset({"created", "minutesDuration", "extension", "identifier"})  # may be left out
_WHY = frozenset({"reasonCode", "comment"})
_INSTANTS = frozenset({"start", "end", "created"})


class OnlyTheState(NotProcessable):
    """An update changes the state only; move an appointment by rescheduling it."""


def check_state_only(asked: Resource, kept: Resource, *, may_read_why: bool) -> None:
    """Raises OnlyTheState for the first element that asks for more; better than to obey half.

    Who may not read why somebody comes leaves that out, and does not ask for its removal.
    """
    missing_ok = _DERIVED if may_read_why else _DERIVED | _WHY
    for name in sorted({*asked, *kept} - _ABOUT):
        if name not in asked and name in missing_ok:
            continue
        if name == "cancelationReason" and _gives_reason(asked, kept):
            continue
        if _meant(name, asked.get(name)) != _meant(name, kept.get(name)):
            raise OnlyTheState(place=f"Appointment.{name}")


def cancel_reason(resource: Resource) -> str | None:
    given = resource.get("cancelationReason")
    return coded([given], CANCEL_SYSTEM, "cancelationReason") if given else None


def _gives_reason(asked: Resource, kept: Resource) -> bool:
    """A reason belongs to the cancelling; afterwards it stands, and others have none."""
    return asked["status"] == CANCELLED != kept["status"]


def _meant(name: str, value: Any) -> Any:
    """What an element says: displays are not kept, and a moment may be written in any offset."""
    if value is None:
        return None
    if name in _INSTANTS:
        return moment(value, f"Appointment.{name}")
    if name == "participant":
        return sorted((_participant(each) for each in value), key=repr)
    if name == "serviceType":
        return [[_coding(c) for c in each.get("coding", ())] for each in value]
    if name == "cancelationReason":
        return [_coding(c) for c in value.get("coding", ())]
    return value


def _participant(each: Resource) -> dict[str, Any]:
    actor = {name: value for name, value in each.get("actor", {}).items() if name != "display"}
    return {**each, "actor": actor}


def _coding(coding: Resource) -> dict[str, Any]:
    return {name: value for name, value in coding.items() if name != "display"}
