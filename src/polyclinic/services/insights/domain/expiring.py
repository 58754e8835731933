"""When a score stops to hold though nothing changes: a value in it becomes too old."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from polyclinic.services.insights.domain.calculators import Calculator, Scored, registry

# A resource, its version, and when it is to be looked at.
Due = tuple[str, int, datetime]
# A value may be used longer than its date says, as a stay is that lasted: it is looked at again.
AGAIN = timedelta(days=1)
_MOMENT = timedelta(seconds=1)


def expiry(calculator: Calculator, scored: Scored, now: datetime) -> Due | None:
    """The first value that becomes too old, by its look-back; none where none ever does."""
    days = dict(_look_backs(calculator))
    found = [
        (each.date + timedelta(days=limit) + _MOMENT, each)
        for each in scored.used
        if each.date is not None and each.reference and (limit := days.get(each.input))
    ]
    if not found:
        return None
    at, first = min(found, key=lambda each: each[0])
    version = first.version or ""
    number = int(version) if version.isdecimal() else 1
    return first.reference, number, at if at > now else now + AGAIN


def _look_backs(calculator: Calculator) -> Iterable[tuple[str, int]]:
    """In days by the name under which a value is used, also of what an input is computed from.

    Visits are counted back from a stay: time takes none of them away.
    """
    for each in (*calculator.inputs, *(gate.input for gate in calculator.gates)):
        if each.look_back_days and each.kind != "visits":
            yield each.name, each.look_back_days
        if each.derived:
            for name, days in _look_backs(registry()[each.derived[0]]):
                yield f"{each.name}.{name}", days
