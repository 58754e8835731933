"""Brings fee schedules in, whole or not at all, and closes the former one when told to."""

import asyncio
from datetime import date, timedelta
from uuid import UUID

import msgspec

from polyclinic.foundation import ids, work
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict, Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, charge_items
from polyclinic.services.billing.domain.fees import Fee, Schedule, covered, read_fees
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.store import fees, payers

PIECE = 100  # resources at a time, so that others get their turn


class Overlapping(Conflict):
    """Another schedule of the same payer is valid in that time; close it first."""


class ScheduleBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A schedule as it comes in; `close_former` ends the one before on the day before."""

    name: str
    from_day: date
    csv: str
    currency: str
    payer: str | None = None
    until_day: date | None = None
    close_former: bool = False


async def import_schedule(
    books: Books, asker: Asker, asked: ScheduleBody, key: Once | None
) -> Stored:
    """Keeps all fees or none; raises Invalid, naming line and column, or Overlapping."""
    access.check_biller(asker.caller, "ChargeItemDefinition", "c")
    _check(books, asked)
    read = await work.in_thread(read_fees, asked.csv, asked.currency)
    made = Schedule(
        ids.new_uuid(), asked.name.strip(), asked.payer, asked.from_day, asked.until_day,
        asked.currency,
    )  # fmt: skip

    async def act(tx: Transaction) -> tuple[int, object]:
        await fees.lock(tx)
        if asked.payer is not None and await payers.find(tx, asked.payer) is None:
            raise Invalid("There is no such payer.", place="payer")
        closed = await _make_room(books, tx, asker, made, close=asked.close_former)
        await fees.add(tx, made, read, asker.name)
        await _publish(books, tx, asker, made, read)
        return 201, {"schedule": str(made.id), "fees": len(read), "closed": closed}

    return await books.carried(key, act)


def _check(books: Books, asked: ScheduleBody) -> None:
    if not asked.name.strip() or len(asked.name) > 120:
        raise Invalid("A schedule has a name of 120 characters at most.", place="name")
    if asked.until_day is not None and asked.until_day < asked.from_day:
        raise Invalid("It ends before it begins.", place="until_day")
    if asked.currency != books.settings.currency:
        raise Invalid(f"This clinic's currency is {books.settings.currency}.", place="currency")


async def _make_room(
    books: Books, tx: Transaction, asker: Asker, made: Schedule, *, close: bool
) -> list[str]:
    """The schedules that end on the day before; nothing is shortened unless it was asked for."""
    others = [each for each in await fees.of_payer(tx, made.payer) if covered(made, each)]
    if others and not close:
        raise Overlapping(place="from_day")
    closed: list[str] = []
    for other in others:
        if other.from_day >= made.from_day:
            text = "A schedule that begins on that day or later is there already."
            raise Overlapping(text, place="from_day")
        until = made.from_day - timedelta(days=1)
        await fees.end(tx, other.id, until)
        ended = Schedule(other.id, other.name, other.payer, other.from_day, until, other.currency)
        await _publish(books, tx, asker, ended, await fees.fees(tx, other.id))
        closed.append(str(other.id))
    return closed


async def _publish(
    books: Books, tx: Transaction, asker: Asker, schedule: Schedule, listed: list[Fee]
) -> None:
    """Each fee as a ChargeItemDefinition at the FHIR door."""
    made = [charge_items.definition(schedule, fee) for fee in listed]
    for start in range(0, len(made), PIECE):
        await books.put(tx, asker, made[start : start + PIECE])
        await asyncio.sleep(0)


async def listed(books: Books, asker: Asker) -> list[Schedule]:
    """Prices are no secret: whoever may read them at the FHIR door may here."""
    access.check_scope(asker.caller, "ChargeItemDefinition", "s")
    return await fees.list_all(books.running.database)


async def one(books: Books, asker: Asker, schedule: UUID) -> tuple[Schedule, list[Fee]]:
    access.check_scope(asker.caller, "ChargeItemDefinition", "r")
    found = await fees.find(books.running.database, schedule)
    if found is None:
        raise NotYours("There is no such schedule.", place="schedule")
    return found, await fees.fees(books.running.database, schedule)
