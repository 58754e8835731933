"""Who may see what of the audit log.

Patients see what was done to their own record; staff what they did themselves; administrators and
programs with the scope see all of it: ids, times and deeds, never a chart. Provers read trails and
leaves under a scope of their own (foundation/trail).
"""

import re
from dataclasses import dataclass

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden

_SCOPE = re.compile(r"(?:user|patient|system)/(?:AuditEvent|\*)\.(read|write|\*|c?r?u?d?s?)")
_OLD_STYLE = {"read": "rs", "write": "cud", "*": "cruds"}


class PatientsOnly(Forbidden):
    """This is what patients are shown of their own record."""


class OfficersOnly(Forbidden):
    """Only administrators and programs of theirs keep the ledger of disclosures."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose rows somebody may see: one patient's, one's own deeds, or all (both None)."""

    patient: str | None = None
    actor: str | None = None


def reach_of(caller: Caller, interaction: str) -> Reach:
    """`interaction` is r or s; raises Forbidden without the scope for AuditEvent."""
    check_scope(caller, interaction)
    if caller.role == "patient":
        return Reach(patient=own_record(caller))
    if caller.role in ("administrator", "system"):
        return Reach()
    return Reach(actor=caller.subject)


def check_scope(caller: Caller, interaction: str) -> None:
    for scope in caller.scopes:
        shape = _SCOPE.fullmatch(scope)
        if shape and interaction in _OLD_STYLE.get(shape[1], shape[1]):
            return
    raise Forbidden("Your access does not include this for AuditEvent.", place="scope")


def own_record(caller: Caller) -> str:
    """The `Patient/<id>` that a patient is."""
    if caller.role != "patient" or not (caller.person or "").startswith("Patient/"):
        raise PatientsOnly
    assert caller.person is not None
    return caller.person


def check_officer(caller: Caller) -> None:
    """Who writes down and accounts for disclosures."""
    if caller.role == "administrator":
        return
    if caller.role != "system" or "system/*.cruds" not in caller.scopes:
        raise OfficersOnly
