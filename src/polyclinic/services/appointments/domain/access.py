"""Who may do what: patients for themselves, staff for the clinic, administrators set it up."""

import re

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden
from polyclinic.services.appointments.domain.problems import NotYours, StaffOnly

STAFF = frozenset({"clinician", "front-desk", "system"})
_SCOPE = re.compile(r"(?:patient|user|system)/(?:Appointment|\*)\.(read|write|\*|c?r?u?d?s?)")
_OLD_STYLE = {"read": "rs", "write": "cud", "*": "cruds"}


def is_staff(caller: Caller) -> bool:
    return caller.role in STAFF


def check_scope(caller: Caller, interaction: str) -> None:
    """A token that only reads must not book, whoever holds it."""
    for scope in caller.scopes:
        shape = _SCOPE.fullmatch(scope)
        if shape and interaction in _OLD_STYLE.get(shape[1], shape[1]):
            return
    raise Forbidden("Your access does not include this for appointments.", place="scope")


def check_staff(caller: Caller, interaction: str = "u") -> None:
    check_scope(caller, interaction)
    if not is_staff(caller):
        raise StaffOnly


def check_operator(caller: Caller, interaction: str) -> None:
    """What other systems booked is brought by operators' programs only."""
    check_scope(caller, interaction)
    if caller.role != "system":
        raise StaffOnly("Only an operator's program may do this.")


def check_setup(caller: Caller) -> None:
    """The week is set up by administrators, and by operators' programs."""
    if caller.role == "system":
        check_scope(caller, "u")
    elif caller.role != "administrator":
        raise StaffOnly("Only an administrator sets up the clinic's week.")


def patient_for(caller: Caller, asked: str | None, interaction: str) -> str:
    """The patient that a request is about; patients need not say who they are."""
    check_scope(caller, interaction)
    if caller.role == "patient":
        if caller.person is None or asked not in (None, caller.person):
            raise Forbidden("You can only do this for yourself.", place="patient")
        return caller.person
    if not is_staff(caller):
        raise StaffOnly
    if asked is None:
        raise Forbidden("Say for which patient.", place="patient")
    return asked


def check_own(caller: Caller, patient: str, interaction: str) -> None:
    """Somebody else's appointment looks like none."""
    check_scope(caller, interaction)
    if is_staff(caller) or (caller.role == "patient" and caller.person == patient):
        return
    raise NotYours


def may_read_why(caller: Caller, patient: str, practitioner: str) -> bool:
    """The patient, their clinician and the house's programs; the desk needs who and when only."""
    if caller.role == "clinician":
        return caller.person == practitioner
    return caller.role == "system" or (caller.role == "patient" and caller.person == patient)
