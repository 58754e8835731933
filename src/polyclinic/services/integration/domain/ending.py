"""What a sender is told at the application level once its message has come to its end."""

from polyclinic.services.integration.domain.arriving import ERRORS
from polyclinic.standards.hl7v2 import Fault

# Of table 0357: nothing more exact can be said of what an owner refused.
_INTERNAL, _UNSUPPORTED = "207", "200"


def answered(state: str, reason: str, problem: str) -> tuple[str, tuple[Fault, ...]]:
    """MSA-1 and what stands in ERR; `problem` is our own sentence, without patient data.

    Parked means that it cannot succeed as it is: AE, so that the sender need not wait for the
    person here who may mend it. Set aside by a person: AR.
    """
    if state == "done":
        return "AA", ()
    if state == "ignored":
        place, text = ERRORS[_UNSUPPORTED]
        return "AA", (Fault(place, _UNSUPPORTED, "W", problem or text),)
    if state == "skipped":
        return "AR", (Fault("", _INTERNAL, "E", "Somebody set the message aside."),)
    return "AE", (Fault("", _INTERNAL, "E", problem or f"It was not done: {reason}."),)


def is_wanted(wanted: str, state: str) -> bool:
    """Whether MSH-16 asks for it: always (AL), of success alone (SU), or of errors alone (ER)."""
    is_good = answered(state, "", "")[0] == "AA"
    return wanted in ("AL", "SU" if is_good else "ER")
