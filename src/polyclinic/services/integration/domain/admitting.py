"""What the front desk may read and mend of a message: who is meant and which visit, no more."""

import re

# Fields by segment. Of a visit its number, place and times; nothing of why somebody came.
FIELDS: dict[str, frozenset[int]] = {
    "PID": frozenset((2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 18, 19, 29, 30)),
    "MRG": frozenset((1, 2, 3, 4, 5, 7)),
    "PV1": frozenset((2, 3, 7, 19, 44, 45)),
}
# Whom these wait for is in doubt, though somebody may be known.
DOUBTED = ("wrong patient", "person", "unknown person")
_PATH = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[\d+\])?-(\d{1,3})(?:\[\d+\])?(?:\.\d+){0,2}")


def is_for_the_desk(state: str, reason: str, kind: str, patients: list[str]) -> bool:
    """A message that stopped before it was somebody's: no clinician may open it, and the desk says
    who somebody is. Where nothing could be read there is nothing to mend."""
    if state not in ("waiting", "parked") or not kind:
        return False
    return not patients or (state == "waiting" and reason in DOUBTED)


def may_read(segment: str, field: int) -> bool:
    return field in FIELDS.get(segment, ())


def may_mend(path: str) -> bool:
    """`PID-3[1].1`: a field that the desk may read, or a part of it."""
    found = _PATH.fullmatch(path)
    return found is not None and may_read(found[1], int(found[2]))
