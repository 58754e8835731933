"""Appointments, where bookings are kept: read as FHIR, taken in by their owner's own door."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx

from polyclinic.contracts.appointments import elsewhere_id
from polyclinic.foundation import ids
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.service import Running
from polyclinic.services.migration.domain.crossing import BUSY, NOT_BEGUN, TAKEN, Refused
from polyclinic.services.migration.gateways.batches import (
    Ask,
    Headers,
    Resource,
    Said,
    by_batches,
    token_of,
)
from polyclinic.standards.fhir import codec

STEP_MINUTES = 5  # appointments keeps no finer time; what it would round is not taken over
VISIT_SYSTEM = "urn:polyclinic:visit-type"
# These say nothing of the booking; any other is an answer to this one, a fault of its own too.
_NO_ANSWER = (401, 403, 429, 502, 503, 504)
_REASONS = {
    "PlaceTaken": TAKEN,
    "AlreadyThere": BUSY,
    "Anothers": "it was another patient's before",
    "NotOffered": "the clinic has none such",
    "NotYet": NOT_BEGUN,
    "WrongState": "its state here does not allow it",
}


class Bookings:
    """Asks appointments; raises Unavailable where it does not answer any more."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def answers(self, asks: Sequence[Ask]) -> AsyncIterator[tuple[int, Said]]:
        reads = [n for n, ask in enumerate(asks) if ask.resource is None]
        async for n, said in by_batches(self._running, self._read, [asks[n] for n in reads]):
            yield reads[n], said
        for n, ask in enumerate(asks):
            if ask.resource is not None:
                yield n, await self._take_in(ask)

    async def _read(self, headers: Headers, content: bytes) -> httpx.Response:
        return await self._running.peers.send(
            "appointments", "POST", "/fhir", headers=headers, content=content
        )

    async def _take_in(self, ask: Ask) -> Said:
        """Each request has a key of its own: the row's number makes it the same booking."""
        assert ask.resource is not None
        booking = _booking(ask, ask.resource)
        try:
            _check_steps(booking)
        except Refused as refused:
            return Said(422, 0, None, refused.column, refused.reason)
        headers = {**await token_of(self._running), "content-type": "application/json"}
        answer = await self._running.peers.send(
            "appointments",
            "POST",
            "/appointments/elsewhere",
            headers={**headers, "idempotency-key": ids.new_id()},
            content=codec.encode(booking),
        )
        if answer.status_code == 401:
            self._running.tokens.forget()
        if answer.status_code in _NO_ANSWER:
            raise Unavailable("Appointments does not answer.", place="appointments")
        if answer.is_server_error:  # it fails on this one, for ever perhaps
            return Said(answer.status_code, 0, None, "", "refused by appointments")
        value = codec.decode(answer.content)
        if answer.is_success:
            return Said(answer.status_code, value["appointment"]["version"], None)
        kind = str(value.get("kind"))
        if kind == "TooManyRaces":
            raise Unavailable("Appointments has too much to do.", place="appointments")
        reason = _REASONS.get(kind, "refused by appointments")
        return Said(answer.status_code, 0, None, str(value.get("place") or ""), reason)


def _booking(ask: Ask, resource: Resource) -> dict[str, Any]:
    """What the old system says of it; what its rows do not have stays as it is here."""
    source, key = ask.row
    people = _all(resource, "participant")
    actors = [str(each.get("actor", {}).get("reference", "")) for each in people]
    codings = [c for each in _all(resource, "serviceType") for c in _all(each, "coding")]
    minutes = resource.get("minutesDuration")
    booking = {
        "source": source,
        "key": key,
        "patient": _first(actors, "Patient/"),
        "practitioner": _first(actors, "Practitioner/"),
        "site": _first(actors, "Location/") or None,
        "start": resource.get("start", ""),
        "minutes": minutes,
        "visit_type": next((c["code"] for c in codings if c.get("system") == VISIT_SYSTEM), ""),
        "status": resource.get("status"),
        "reason": next((each.get("text", "") for each in _all(resource, "reasonCode")), ""),
        "comment": resource.get("comment", ""),
        "version": ask.if_match,
    }
    is_from_here = ask.id != str(elsewhere_id(source, key))
    return {**booking, "appointment": ask.id} if is_from_here else booking


def _check_steps(booking: dict[str, Any]) -> None:
    """Raises Refused for a time between steps, or none; empty times are the owner's to refuse."""
    if booking["minutes"] is None or not booking["start"]:
        return
    for place, minutes, unreadable in _TIMES:
        try:
            is_between = minutes(booking[place]) % STEP_MINUTES != 0
        except (ValueError, TypeError, ArithmeticError):
            raise Refused(place, unreadable) from None
        if is_between:
            raise Refused(place, f"no multiple of {STEP_MINUTES} minutes")


def _minutes_of(start: str) -> Decimal:
    return Decimal(datetime.fromisoformat(start).timestamp()) / 60


_TIMES = (("minutes", Decimal, "no number"), ("start", _minutes_of, "no time"))


def _first(references: Sequence[str], start: str) -> str:
    return next((each for each in references if each.startswith(start)), "")


def _all(value: Resource, name: str) -> list[Any]:
    return value.get(name) or []
