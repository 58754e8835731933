"""Who may do what with messages and channels.

Administrators and operators run channels and queues: they see what kind of message came when, where
it stands and why, and may have it tried again. What a message says is part of a chart: clinicians
see messages of patients whom they care for, system clients what their scope says.
"""

import re

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden
from polyclinic.services.integration.domain.problems import OperatorsOnly, RegistrarsOnly

_SCOPE = re.compile(r"(?:user|system)/(MessageHeader|\*)\.(read|write|\*|c?r?u?d?s?)")
_PATIENTS = re.compile(r"(?:user|system)/(?:Patient|\*)\.(read|write|\*|c?r?u?d?s?)")
_OLD_STYLE = {"read": "rs", "write": "cud", "*": "cruds"}


def check_scope(caller: Caller, interaction: str) -> None:
    """A token that only reads must not post, whoever holds it."""
    if not _has_scope(caller, interaction):
        raise Forbidden("Your access does not include this for MessageHeader.", place="scope")


def _has_scope(caller: Caller, interaction: str) -> bool:
    for scope in caller.scopes:
        shape = _SCOPE.fullmatch(scope)
        if shape and interaction in _OLD_STYLE.get(shape[2], shape[2]):
            return True
    return False


def check_operator(caller: Caller, interaction: str) -> None:
    """Channels, queues, replays. Administrators need no scope for it: their tokens have few."""
    if caller.role == "administrator":
        return
    if caller.role != "system":
        raise OperatorsOnly
    check_scope(caller, interaction)


def check_staff(caller: Caller) -> None:
    """Whoever may see that messages came: operators, and clinicians for their own patients."""
    if caller.role == "clinician":
        check_scope(caller, "r")
    else:
        check_operator(caller, "r")


def check_staff_or_desk(caller: Caller) -> None:
    """Who sees what waits for people: operators, and the desk that says whose it is."""
    if caller.role == "front-desk":
        check_registrar(caller)
    else:
        check_operator(caller, "r")


def check_registrar(caller: Caller) -> None:
    """Who says whose a message is: the front desk, and programs that may change patients."""
    if caller.role not in ("front-desk", "system"):
        raise RegistrarsOnly
    for scope in caller.scopes:
        shape = _PATIENTS.fullmatch(scope)
        if shape and "u" in _OLD_STYLE.get(shape[1], shape[1]):
            return
    raise Forbidden("Your access does not include this for Patient.", place="scope")


def check_sender(caller: Caller, clients: tuple[str, ...]) -> None:
    """Who hands messages in: a system client that the channel knows."""
    if caller.role != "system" or (clients and caller.client not in clients):
        raise Forbidden("This channel does not take messages from this client.", place="channel")
    check_scope(caller, "c")


def reads_content(caller: Caller, interaction: str = "r") -> bool:
    """Whether the role may read messages at all; of clinicians the patient decides as well."""
    return caller.role in ("system", "clinician") and _has_scope(caller, interaction)
