"""Who may do what with money: patients see and pay their own, billing staff the rest."""

import re

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden
from polyclinic.services.billing.domain.problems import NotYours, StaffOnly

BILLERS = frozenset({"billing", "system"})
# The desk takes cash and sees what is owed; clinicians say what was done.
DESK = BILLERS | {"front-desk"}
CODERS = BILLERS | {"clinician"}
KINDS = (
    "Account|ChargeItem|ChargeItemDefinition|Invoice|PaymentNotice|PaymentReconciliation|Claim"
    "|Coverage|Patient"
)
_SCOPE = re.compile(rf"(?:patient|user|system)/({KINDS}|\*)\.(read|write|\*|c?r?u?d?s?)")
_OLD_STYLE = {"read": "rs", "write": "cud", "*": "cruds"}


def check_scope(caller: Caller, kind: str, interaction: str) -> None:
    """A token that only reads must not post, whoever holds it. `kind` is the FHIR type nearest."""
    for scope in caller.scopes:
        shape = _SCOPE.fullmatch(scope)
        if shape and shape[1] in (kind, "*") and interaction in _OLD_STYLE.get(shape[2], shape[2]):
            return
    raise Forbidden(f"Your access does not include this for {kind}.", place="scope")


def check_biller(caller: Caller, kind: str, interaction: str) -> None:
    if caller.role not in BILLERS:
        raise StaffOnly
    check_scope(caller, kind, interaction)


def check_desk(caller: Caller, kind: str, interaction: str) -> None:
    if caller.role not in DESK:
        raise StaffOnly("Only the front desk and billing may do this.")
    check_scope(caller, kind, interaction)


def check_coder(caller: Caller, kind: str, interaction: str) -> None:
    if caller.role not in CODERS:
        raise StaffOnly("Only clinicians and billing say what was done.")
    check_scope(caller, kind, interaction)


def patient_for(caller: Caller, asked: str | None, kind: str, interaction: str) -> str:
    """The patient that a request is about; patients need not say who they are."""
    check_scope(caller, kind, interaction)
    if caller.role == "patient":
        if caller.person is None or asked not in (None, caller.person):
            raise Forbidden("You can only do this for yourself.", place="patient")
        return caller.person
    if caller.role not in DESK:
        raise StaffOnly
    if asked is None:
        raise Forbidden("Say for which patient.", place="patient")
    return asked


def check_own(caller: Caller, patient: str, kind: str, interaction: str) -> None:
    """Somebody else's looks like none."""
    check_scope(caller, kind, interaction)
    if caller.role in DESK or (caller.role == "patient" and caller.person == patient):
        return
    raise NotYours
