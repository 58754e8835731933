"""How searches of AuditEvents are written: patient, agent, date, _count, and the next page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from polyclinic.foundation.errors import Invalid
from polyclinic.services.audit.actions.finding import Wanted
from polyclinic.services.audit.store.finding import Span
from polyclinic.standards.fhir.dates import EARLIEST, LATEST, date_range

COUNT, COUNT_MAX = 50, 1000
SEQ_MAX = 1 << 62
_START = (LATEST, SEQ_MAX)
_TICK = timedelta(microseconds=1)
_PLAIN = frozenset({"_format", "_pretty"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A search and its parameters again, for the next page's link."""

    wanted: Wanted
    again: tuple[tuple[str, str], ...]


def asked_of(pairs: Sequence[tuple[str, str]]) -> Asked:
    """Raises Invalid that names the parameter; an unknown one is refused."""
    wanted = Wanted(Span(EARLIEST, LATEST, _START, COUNT))
    for name, value in pairs:
        wanted = _with(wanted, name, value)
    return Asked(wanted, tuple(pair for pair in pairs if pair[0] != "_page"))


def _with(wanted: Wanted, name: str, value: str) -> Wanted:
    span = wanted.span
    match name:
        case "patient":
            return replace(wanted, patient=_patient(value))
        case "agent" | "agent:identifier":
            return replace(wanted, agent=_agent(name, value))
        case "date":
            return replace(wanted, span=_dated(span, value))
        case "_count":
            return replace(wanted, span=replace(span, limit=_count(value)))
        case "_page":
            return replace(wanted, span=replace(span, before=place_of(value)))
        case _ if name in _PLAIN:
            return wanted
        case _:
            raise Invalid("AuditEvents are searched by patient, agent and date.", place=name)


def _patient(value: str) -> str:
    kind, _, name = value.rpartition("/")
    if kind not in ("", "Patient") or not name or "," in name:
        raise Invalid("patient is one Patient/id.", place="patient")
    return f"Patient/{name}"


def _agent(name: str, value: str) -> str:
    text = value.rpartition("|")[2]
    if not text or "/" in text or "," in text:
        raise Invalid("agent is an account's id or a program's name.", place=name)
    return text


def _count(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value)):
        raise Invalid("_count is a number from 1 on.", place="_count")
    return min(int(value), COUNT_MAX)


def _dated(span: Span, value: str) -> Span:
    prefix, text = (value[:2], value[2:]) if value[:2].isalpha() else ("eq", value)
    try:
        low, high = date_range(text)
    except ValueError as odd:
        raise Invalid(str(odd), place="date") from odd
    match prefix:
        case "eq":
            return replace(span, low=max(span.low, low), high=min(span.high, high))
        case "ge":
            return replace(span, low=max(span.low, low))
        case "gt" | "sa":
            return replace(span, low=max(span.low, high))
        case "le":
            return replace(span, high=min(span.high, high))
        case "lt" | "eb":
            return replace(span, high=min(span.high, low))
        case _:
            raise Invalid("date takes eq, ge, gt, le, lt, sa and eb.", place="date")


def place_text(place: tuple[datetime, int]) -> str:
    """Where a page ends, as its link says it."""
    micros = (place[0] - EARLIEST) // _TICK
    return f"{micros}.{place[1]}"


def place_of(text: str) -> tuple[datetime, int]:
    micros, _, seq = text.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 20 for part in (micros, seq)):
        raise Invalid("This is no place in a list.", place="_page")
    try:
        return EARLIEST + int(micros) * _TICK, int(seq)
    except OverflowError as odd:
        raise Invalid("This is no place in a list.", place="_page") from odd
