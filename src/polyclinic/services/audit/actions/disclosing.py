"""Writes disclosures down and accounts for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import msgspec

from polyclinic.foundation import clock, ids
from polyclinic.foundation.database import Row, Transaction
from polyclinic.foundation.errors import NotFound
from polyclinic.foundation.once import Once, Stored, carried
from polyclinic.foundation.vault import Place, key_id_of
from polyclinic.services.audit.actions import finding
from polyclinic.services.audit.actions.state import Asker, Engine
from polyclinic.services.audit.domain import access
from polyclinic.services.audit.domain import disclosures as rules
from polyclinic.services.audit.domain.disclosures import (
    Disclosure,
    Line,
    NewDisclosure,
    NewSuppression,
    Told,
)
from polyclinic.services.audit.store import disclosures as store

KIND = "disclosure"


@dataclass(frozen=True, slots=True)
class Accounting:
    """What a patient is told: the days it covers and its lines."""

    low: date
    high: date
    lines: list[Line]


class NoSuchDisclosure(NotFound):
    """There is no such disclosure."""


async def record(engine: Engine, asker: Asker, new: NewDisclosure, key: Once) -> Stored:
    """One disclosure, once for each key."""
    access.check_officer(asker.caller)
    rules.check(new, clock.today())

    async def act(tx: Transaction) -> tuple[int, object]:
        [made] = await write_down(engine, tx, asker.caller.subject, [new])
        return 201, {"disclosure": str(made)}

    return await carried(engine.database, key, act)


async def write_down(
    engine: Engine, tx: Transaction, actor: str, new: Sequence[NewDisclosure]
) -> list[UUID]:
    """Seals what says something of a patient and adds the rows."""
    vault, keys = engine.running.vault, engine.server.store.keys
    owners = {each.patient: vault.owner("patient", each.patient) for each in new}
    found = await keys.of_owners(owners.values())
    made = [ids.new_uuid() for _ in new]
    envelopes = [
        vault.seal(
            found[owners[each.patient]], _place(name, each.patient), msgspec.json.encode(each.told)
        )
        for name, each in zip(made, new, strict=True)
    ]
    person = engine.server.store.terms.person
    columns = (
        made,
        [person(each.patient) for each in new],
        [each.day for each in new],
        [each.basis for each in new],
        [each.made_by for each in new],
        [each.series for each in new],
        [each.protocol for each in new],
        [actor] * len(made),
        envelopes,
    )
    await store.add_disclosures(tx, columns)
    return made


async def suppress(
    engine: Engine, asker: Asker, disclosure: UUID, new: NewSuppression, key: Once
) -> Stored:
    """An agency asked that the patient be not told of it for a time."""
    access.check_officer(asker.caller)
    basis = await store.find_basis(engine.database, disclosure)
    if basis is None:
        raise NoSuchDisclosure
    rules.check_suppression(new, basis, clock.today())

    async def act(tx: Transaction) -> tuple[int, object]:
        said = (new.statement, asker.caller.subject)
        await store.add_suppression(tx, ids.new_uuid(), disclosure, new.until, said)
        return 201, {"suppressed_until": new.until}

    return await carried(engine.database, key, act)


async def account_for(
    engine: Engine, asker: Asker, patient: str, low: date | None, high: date | None
) -> Accounting:
    """The accounting of at most six years: patients of their own, officers of anybody's."""
    if asker.caller.role == "patient":
        access.check_scope(asker.caller, "s")
        patient = access.own_record(asker.caller)
    else:
        access.check_officer(asker.caller)
    today = clock.today()
    low, high = max(low or date.min, rules.since_of(today)), min(high or today, today)
    found = await _listed(engine, patient, low, high)
    lines = rules.account(found, today)
    await finding.log(engine, asker, patient, len(lines), 0)
    return Accounting(low, high, lines)


async def _listed(engine: Engine, patient: str, low: date, high: date) -> list[Disclosure]:
    names = [patient, *await finding.aliases(engine, patient)]
    person = engine.server.store.terms.person
    by_number = {person(name): name for name in names}
    rows = await store.list_disclosures(engine.database, list(by_number), low, high)
    await engine.server.store.keys.load(key_id_of(row["envelope"]) for row in rows)
    return [_opened(engine, row, by_number[row["patient"]]) for row in rows]


def _opened(engine: Engine, row: Row, patient: str) -> Disclosure:
    key = engine.server.store.keys.known(key_id_of(row["envelope"]))
    plain = engine.running.vault.unseal(key, _place(row["id"], patient), row["envelope"])
    return Disclosure(
        row["id"], row["day"], row["basis"], row["made_by"], row["series"], row["protocol"],
        msgspec.json.decode(plain, type=Told), row["suppressed"],
    )  # fmt: skip


def _place(name: UUID, patient: str) -> Place:
    return Place(KIND, patient, str(name), 1)
