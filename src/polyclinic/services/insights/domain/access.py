"""Who may do what with scores, lists and models.

A score is part of a chart: clinicians see those of patients whom they care for (records decides,
by their own token), patients their own once it was released. Administrators and operators run
queues, hold-outs and models, and see numbers of groups only.
"""

import re

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden

_SCOPE = re.compile(r"(?:user|patient|system)/(RiskAssessment|\*)\.(read|write|\*|c?r?u?d?s?)")
_OLD_STYLE = {"read": "rs", "write": "cud", "*": "cruds"}


class CliniciansOnly(Forbidden):
    """Only clinicians work with risks of patients."""


class OperatorsOnly(Forbidden):
    """Only administrators and operators' programs run this."""


class SignersOnly(Forbidden):
    """Administrators and clinicians sign for a model; programs and patients do not."""


class PatientsOnly(Forbidden):
    """This is what patients are shown of themselves."""


def check_scope(caller: Caller, interaction: str) -> None:
    """A token that only reads must not change anything, whoever holds it."""
    for scope in caller.scopes:
        shape = _SCOPE.fullmatch(scope)
        if shape and interaction in _OLD_STYLE.get(shape[2], shape[2]):
            return
    raise Forbidden("Your access does not include this for RiskAssessment.", place="scope")


def check_clinician(caller: Caller, interaction: str = "r") -> None:
    """Worklist, chart and cards; `interaction` u for decisions and releases."""
    if caller.role not in ("clinician", "system"):
        raise CliniciansOnly
    check_scope(caller, interaction)


def check_operator(caller: Caller, interaction: str = "r") -> None:
    """Queues, hold-outs, models. Administrators need no scope for it: their tokens have few."""
    if caller.role == "administrator":
        return
    if caller.role != "system":
        raise OperatorsOnly
    check_scope(caller, interaction)


def check_staff(caller: Caller) -> None:
    """Who looks at models: whoever runs them, and clinicians who act on what they say."""
    if caller.role == "clinician":
        check_scope(caller, "r")
    else:
        check_operator(caller)


def check_signer(caller: Caller) -> None:
    """Who signs for a model: people who run the service, and clinicians who will act on it."""
    if caller.role == "clinician":
        check_scope(caller, "u")
    elif caller.role != "administrator":
        raise SignersOnly


def check_patient(caller: Caller) -> str:
    """The `Patient/<id>` that a patient is."""
    if caller.role != "patient" or not (caller.person or "").startswith("Patient/"):
        raise PatientsOnly
    check_scope(caller, "r")
    assert caller.person is not None
    return caller.person
