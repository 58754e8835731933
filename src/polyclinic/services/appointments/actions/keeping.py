"""One transaction, its idempotency key, and what of an appointment is kept in it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store import adding
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.foundation import once as keys
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.once import Once, Stored, TooManyRaces
from polyclinic.foundation.vault import Place as Sealed
from polyclinic.foundation.vault import key_id_of
from polyclinic.services.appointments.actions.state import KIND, Desk, draft
from polyclinic.services.appointments.domain import resources
from polyclinic.services.appointments.domain.values import Appointment, Note
from polyclinic.services.appointments.store import appointments
from polyclinic.services.appointments.store.races import RACES

T = TypeVar("T")
Act = Callable[[Transaction], Awaitable[tuple[int, object]]]
ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Kept:
    """A new or changed appointment with all that is written of it."""

    errand: Errand
    appointment: Appointment
    note: Note


async def atomically(desk: Desk, act: Callable[[Transaction], Awaitable[T]]) -> T:
    """Two who wait for each other are told apart by PostgreSQL; the one sent away tries again."""
    for _ in range(ATTEMPTS):
        try:
            async with desk.turn, desk.running.database.transaction() as tx:
                return await act(tx)
        except RACES:
            continue
    raise TooManyRaces


async def carried(
    desk: Desk,
    once: Once | None,
    act: Act,
) -> Stored:
    """Does something once: the key, the deed and the answer are kept together or not at all."""

    async def whole(tx: Transaction) -> Stored:
        if once is not None and (known := await keys.claim(tx, once)) is not None:
            return known
        status, value = await act(tx)
        stored = Stored(status, msgspec.json.encode(value))
        if once is not None:
            await keys.answer(tx, [(once, stored)])
        return stored

    return await atomically(desk, whole)


async def change_resource(desk: Desk, tx: Transaction, kept: Kept, now: datetime) -> None:
    """Puts the FHIR resource of a changed appointment into the same transaction."""
    drafts = await _drafts(desk, [kept], now)
    desk.server.store.drafting.index(drafts[0])
    await desk.server.store.apply(tx, drafts)


async def _drafts(desk: Desk, kept: Sequence[Kept], now: datetime) -> list[Draft]:
    setup = (await desk.world()).setup
    return [
        draft(k.errand, KIND, resources.appointment(k.appointment, k.note, setup, now))
        for k in kept
    ]


def relation(desk: Desk, appointment: Appointment) -> tuple[int, int, bytes]:
    """What opens an appointment to its clinician at the FHIR door."""
    person = desk.server.store.terms.person
    source = blake2b(f"{KIND}/{appointment.id}".encode(), digest_size=16).digest()
    return person(appointment.place.practitioner), person(appointment.patient), source


async def add(desk: Desk, tx: Transaction, kept: Sequence[Kept], now: datetime) -> None:
    """Keeps new appointments, their relations and their resources."""
    made = [k.appointment for k in kept]
    await appointments.add(tx, made, [relation(desk, each) for each in made])
    await adding.add(desk.server.store, tx, await _drafts(desk, kept, now))


async def sealed_notes(desk: Desk, notes: Sequence[tuple[Appointment, Note]]) -> list[bytes | None]:
    """Each note under its patient's key; nothing to say is no envelope."""
    owners = [_owner(desk, each) for each, note in notes if note]
    found = await desk.server.store.keys.of_owners(owners)
    return [
        seal(desk, each, note, found[_owner(desk, each)]) if note else None for each, note in notes
    ]


def seal(desk: Desk, appointment: Appointment, note: Note, key: Any) -> bytes:
    return desk.running.vault.seal(key, _where(appointment), msgspec.json.encode(note))


async def opened_notes(desk: Desk, listed: Sequence[Appointment]) -> list[Note]:
    """The notes of appointments that the caller may see."""
    store = desk.server.store
    await store.keys.load(key_id_of(each.note) for each in listed if each.note is not None)
    return [
        Note()
        if each.note is None
        else msgspec.json.decode(
            desk.running.vault.unseal(
                store.keys.known(key_id_of(each.note)), _where(each), each.note
            ),
            type=Note,
        )
        for each in listed
    ]


def _where(appointment: Appointment) -> Sealed:
    return Sealed("appointment", "note", str(appointment.id), 1)


def _owner(desk: Desk, appointment: Appointment) -> bytes:
    name = appointment.patient.partition("/")[2]
    return desk.running.vault.owner("patient", name)
