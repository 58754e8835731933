"""What records says besides that resources changed: which records are one person's."""

from datetime import datetime

from polyclinic.foundation.events import Event


class PatientsMerged(Event, frozen=True, kw_only=True):
    """Two records turned out to be one person's; `loser` is the one that is given up."""

    merge: str
    winner: str
    loser: str
    at: datetime


class PatientsParted(Event, frozen=True, kw_only=True):
    """A merge was taken back: they are two people after all."""

    merge: str
    winner: str
    loser: str
    at: datetime
