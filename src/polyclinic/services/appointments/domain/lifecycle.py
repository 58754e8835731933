"""The states of an appointment, in FHIR R4's words, and how one leads to another."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from polyclinic.foundation.errors import Invalid
from polyclinic.services.appointments.domain.problems import NotYet, WrongState, closed_at

BOOKED, ARRIVED, CHECKED_IN, FULFILLED = "booked", "arrived", "checked-in", "fulfilled"
CANCELLED, NO_SHOW, PENDING = "cancelled", "noshow", "pending"
IN_ERROR = "entered-in-error"

# In these it is over.
OVER = (FULFILLED, NO_SHOW, CANCELLED)
# In these an appointment keeps its time: nobody else gets it.
HOLDING = (PENDING, BOOKED, ARRIVED, CHECKED_IN, FULFILLED, NO_SHOW)

# How long before its beginning a visit may be over. Another system is the clock of its own visits:
# who was seen early there, or said this morning that they stay away, is so; days ahead is a slip.
AT_ITS_TIME, AHEAD_ELSEWHERE = timedelta(0), timedelta(days=1)

_FROM: Mapping[str, tuple[str, ...]] = {
    "arrive": (BOOKED, NO_SHOW),
    "check-in": (BOOKED, ARRIVED, NO_SHOW),
    "fulfil": (ARRIVED, CHECKED_IN),
    "no-show": (BOOKED,),
    "cancel": (PENDING, BOOKED, ARRIVED, CHECKED_IN),
    "reschedule": (PENDING, BOOKED),
    "undo": (ARRIVED, CHECKED_IN, NO_SHOW, FULFILLED),
}
_TO: Mapping[str, str] = {
    "arrive": ARRIVED,
    "check-in": CHECKED_IN,
    "fulfil": FULFILLED,
    "no-show": NO_SHOW,
    "cancel": CANCELLED,
    "reschedule": BOOKED,
}
_BACK: Mapping[str, str] = {
    ARRIVED: BOOKED,
    CHECKED_IN: ARRIVED,
    NO_SHOW: BOOKED,
    FULFILLED: CHECKED_IN,
}

CANCEL_SYSTEM = "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason"
# The standard's codes that a desk needs, in its own words.
PATIENT_REASONS: Mapping[str, str] = {
    "pat": "Patient",
    "pat-crs": "Patient: Canceled via automated reminder system",
    "pat-dec": "Patient: Deceased",
    "pat-fb": "Patient: Feeling Better",
    "pat-lt": "Patient: Lack of Transportation",
    "pat-mt": "Patient: Member Terminated",
    "pat-mv": "Patient: Moved",
    "pat-preg": "Patient: Pregnant",
    "pat-swl": "Patient: Scheduled from Wait List",
    "pat-uwp": "Patient: Unhappy/Changed Provider",
}
CLINIC_REASONS: Mapping[str, str] = {
    "prov": "Provider",
    "prov-pers": "Provider: Personal",
    "prov-hosp": "Provider: Hospital",
    "maint": "Equipment Maintenance/Repair",
    "meds-inc": "Prep/Med Incomplete",
    "other": "Other",
    "oth-err": "Other: Error",
    "oth-room": "Other: Room/Resource Maintenance",
    "oth-weath": "Other: Weather",
}
REASONS: Mapping[str, str] = {**PATIENT_REASONS, **CLINIC_REASONS}


def next_status(status: str, verb: str) -> str:
    """The state after a deed; raises WrongState when it cannot be done in this one."""
    if status not in _FROM[verb]:
        raise WrongState(f"The appointment is {status}; this cannot be done to it any more.")
    return _BACK[status] if verb == "undo" else _TO[verb]


def verb_for(status: str, wanted: str) -> str:
    """The deed that leads from one state to another, for clients that only name the state."""
    for verb in ("arrive", "check-in", "fulfil", "no-show", "cancel"):
        if _TO[verb] == wanted and status in _FROM[verb]:
            return verb
    if _BACK.get(status) == wanted:
        return "undo"
    raise WrongState(f"An appointment does not go from {status} to {wanted}.", place="status")


def way_to(status: str, wanted: str) -> tuple[str, ...]:
    """The fewest deeds that lead from one state to another; raises WrongState when none do."""
    ways: dict[str, tuple[str, ...]] = {status: ()}
    open_ends = [status]
    while open_ends and wanted not in ways:
        here = open_ends.pop(0)
        for verb in (each for each in _FROM if each != "reschedule" and here in _FROM[each]):
            there = next_status(here, verb)
            if there not in ways:
                ways[there] = (*ways[here], verb)
                open_ends.append(there)
    if wanted not in ways:
        raise WrongState(f"An appointment does not go from {status} to {wanted}.", place="status")
    return ways[wanted]


def check_reason(code: str, *, is_patient: bool) -> str:
    """A cancel reason that this caller may give."""
    if code not in (PATIENT_REASONS if is_patient else REASONS):
        raise Invalid("This is not a reason to cancel that is known here.", place="reason")
    return code


def check_cut_off(now: datetime, start: datetime, hours: int) -> None:
    """Patients change and cancel until some hours before the visit."""
    cut_off = start - timedelta(hours=hours)
    if now > cut_off:
        raise closed_at(cut_off)


def is_history(status: str, now: datetime, start: datetime) -> bool:
    """Whether it is over or has begun: to write it down now sends nobody to two places."""
    return status in OVER or start <= now


def check_begun(now: datetime, start: datetime, ahead: timedelta = AT_ITS_TIME) -> None:
    """Nobody has missed what has not begun; `ahead`: how long before, they may have."""
    if now + ahead < start:
        raise NotYet
