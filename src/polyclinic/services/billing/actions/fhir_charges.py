"""ChargeItem at the FHIR door: created, it is a charge on a visit; in error, it is taken back."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import msgspec

from polyclinic.fhirserver.rest.registered import Registered, Write
from polyclinic.fhirserver.store.store import Outcome
from polyclinic.foundation import clock, ids, once
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Forbidden, Invalid, NotFound, NotProcessable, Stale
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import aborting, coding, visits
from polyclinic.services.billing.actions.aborting import TakingBack
from polyclinic.services.billing.actions.coding import CodingBody
from polyclinic.services.billing.actions.state import OWN_WORD, Asker, Books, calling
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.charge_reading import ChargeAsked, read_charge
from polyclinic.services.billing.domain.charges import TO_CODE, Visit
from polyclinic.services.billing.domain.encounters import Came
from polyclinic.services.billing.store import visits as rows

KIND = "ChargeItem"
_PLACES = {
    "code": f"{KIND}.code",
    "modifiers": f"{KIND}.code",
    "units": f"{KIND}.quantity",
    "amount": f"{KIND}.priceOverride",
    "pointers": f"{KIND}.reason",
}


@dataclass(frozen=True, slots=True)
class ChargeDoor:
    """The FHIR door's way to charges; who calls is told by the route."""

    find: Callable[[], Books]

    def registered(self) -> Registered:
        return Registered(create=self.create, update=self.update)

    async def create(self, write: Write) -> Outcome:
        books, asker = self.find(), Asker(calling.get(), write.errand, clock.now())
        access.check_coder(asker.caller, KIND, "c")
        assert write.resource is not None
        settings = books.settings
        asked = read_charge(write.resource, settings.time_zone, settings.currency)
        asked = _by(asker, asked)
        body = CodingBody(diagnoses=asked.diagnoses, lines=(asked.line,))
        key = once.once_of(asker.caller, write.idempotency_key, f"POST {KIND}", write.resource)
        with _fhir_places():
            stored = await self._charge(asker, asked, body, key)
        name = msgspec.json.decode(stored.body)["charge"]
        return await _outcome(books, write, name, created=True)

    async def _charge(
        self, asker: Asker, asked: ChargeAsked, body: CodingBody, key: Once | None
    ) -> Stored:
        books = self.find()
        body = await coding.checked_coding(body)

        async def act(tx: Transaction) -> tuple[int, object]:
            visit = await _visit(books, tx, asker, asked)
            put_in = coding.code_in if visit.status == TO_CODE else coding.add_in
            made = await put_in(books, tx, asker, visit, body)
            return 201, {"charge": str(made[0].id)}

        return await books.carried(key, act)

    async def update(self, write: Write) -> Outcome:
        """A charge is not changed: it is taken back, and another one is made."""
        books, asker = self.find(), Asker(calling.get(), write.errand, clock.now())
        access.check_biller(asker.caller, KIND, "u")
        assert write.resource is not None
        if write.resource.get("status") != "entered-in-error":
            text = "A charge is not changed; mark it entered-in-error and make another one."
            raise NotProcessable(text, place=f"{KIND}.status")
        name = _uuid(write.id)
        before = await _outcome(books, write, str(name), created=False)
        if write.if_match is not None and write.if_match != before.document.version:
            raise Stale(place=f"{KIND}/{name}")
        key = once.once_of(asker.caller, write.idempotency_key, f"PUT {KIND}", write.resource)
        await aborting.abort(books, asker, name, TakingBack("entered-in-error"), key)
        return await _outcome(books, write, str(name), created=False)


@contextmanager
def _fhir_places() -> Generator[None, None, None]:
    """What is wrong with a line is said in the words of the resource that it came in."""
    try:
        yield
    except Invalid as wrong:
        issues = tuple(replace(each, place=_place(each.place)) for each in wrong.issues)
        raise type(wrong)(wrong.message, place=issues[0].place, issues=issues) from wrong


def _place(place: str | None) -> str:
    if place is None or place.startswith(KIND):
        return place or KIND
    if place.startswith("diagnoses"):
        return f"{KIND}.reason{place.removeprefix('diagnoses')}"
    return _PLACES.get(place.rpartition(".")[2], KIND)


def _by(asker: Asker, asked: ChargeAsked) -> ChargeAsked:
    """Clinicians charge for what they did themselves."""
    if asker.caller.role != "clinician":
        return asked
    if asked.practitioner not in ("", asker.caller.person):
        raise Forbidden("Clinicians charge for their own visits.", place=f"{KIND}.performer")
    return replace(asked, practitioner=asker.caller.person or "")


async def _visit(books: Books, tx: Transaction, asker: Asker, asked: ChargeAsked) -> Visit:
    """The encounter's visit, or that of the day; a new one where there is none."""
    day = asked.day or books.today()
    if day > books.today():
        text = "What is still to come has no charges."
        raise Invalid(text, place=f"{KIND}.occurrenceDateTime")
    name = None
    if asked.encounter is None:
        found = await rows.same_day(tx, asked.patient, asked.practitioner, day)
        name = None if found is None else found["id"]
    if name is None:
        source = asked.encounter or f"Hand/{ids.new_uuid()}"
        came = Came(source, asked.patient, asked.practitioner, day, asked.encounter)
        name, _ = await visits.open_visit(books, tx, came)
    visit = await visits.need(tx, books, name)
    if visit.patient != asked.patient:
        raise Invalid("That encounter is somebody else's.", place=f"{KIND}.context")
    visits.check_own(asker, visit)
    return visit


async def _outcome(books: Books, write: Write, name: str, *, created: bool) -> Outcome:
    """The resource as it is now, to the caller who has just written it; the look is logged."""
    document = await books.server.store.read(write.errand, OWN_WORD, KIND, name)
    return Outcome(document, created)


def _uuid(name: str | None) -> UUID:
    try:
        return UUID(name or "")
    except ValueError:
        raise NotFound(place=KIND) from None
