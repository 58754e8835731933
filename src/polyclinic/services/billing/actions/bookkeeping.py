"""Posts to the ledger, takes entries back, proves it, and closes its days."""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, NotFound, NotProcessable
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import stating
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.ledger import Account, Entry, Line, patient_account
from polyclinic.services.billing.domain.problems import AlreadyReversed, DayStillOpen
from polyclinic.services.billing.store import closing, ledger

REASONS = ("entered-in-error", "duplicate", "courtesy", "insurance-corrected", "other")
# What the clinic itself said. A payment, refund or remittance is a fact of somebody else's books:
# it is answered by a refund, or by the payer's own reversal.
REVERSIBLE = frozenset({"charge", "to-patient", "write-off", "withheld"})
GENESIS = bytes(32)  # what the first closed day follows


async def post(books: Books, tx: Transaction, entries: list[Entry]) -> set[str]:
    """Posts on the clinic's day; answers the causes that were new. Call it once a transaction.

    Bills, plans and credits of the patients whose account it touches say so at once.
    """
    new = await ledger.post(tx, books.today(), entries, books.settings.currency)
    touched = {
        line.patient
        for entry in entries
        if entry.source in new
        for line in entry.lines
        if line.patient is not None and line.account == patient_account(line.patient)
    }
    await stating.moved(books, tx, touched)
    return new


class Reversal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entry is taken back, and why: one of `REASONS`."""

    entry: UUID
    reason: str


async def reverse(books: Books, asker: Asker, asked: Reversal, key: Once | None) -> Stored:
    """Posts the mirror of an entry; the entry itself stays. Raises AlreadyReversed."""
    access.check_biller(asker.caller, "Account", "u")
    if asked.reason not in REASONS:
        raise Invalid(f"Say why: {', '.join(REASONS)}.", place="reason")

    async def act(tx: Transaction) -> tuple[int, object]:
        if await ledger.is_reversed(tx, asked.entry):
            raise AlreadyReversed(place="entry")
        made = await _mirror(tx, asked, asker.name)
        if not await post(books, tx, [made]):
            raise AlreadyReversed(place="entry")
        return 201, {"entry": str(asked.entry), "status": "reversed"}

    return await books.carried(key, act)


async def _mirror(tx: Transaction, asked: Reversal, author: str) -> Entry:
    kind = await ledger.kind_of(tx, asked.entry)
    if kind is None:
        raise NotFound("There is no such entry.", place="entry")
    if kind not in REVERSIBLE:
        text = "Money that came or went is not taken back by hand: give a refund, or let the payer."
        raise NotProcessable(text, place="entry")
    rows = await ledger.lines(tx, asked.entry)
    lines = tuple(
        Line(
            Account(row["account"], row["kind"]), -row["amount"], row["patient"], row["claim"],
            row["charge"], row["what"],
        )
        for row in rows
    )  # fmt: skip
    source = f"reversal/{asked.entry}"
    return Entry("reversal", source, author, lines, asked.entry, asked.reason)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the nightly proof found; nothing in it is what everybody hopes for."""

    wrong_balances: int
    unbalanced: int
    broken_days: tuple[date, ...]

    @property
    def holds(self) -> bool:
        return not (self.wrong_balances or self.unbalanced or self.broken_days)


async def prove(books: Books) -> Proof:
    """Adds everything up again and recomputes the digest of every closed day."""
    database = books.running.database
    wrong = await ledger.wrong_balances(database)
    return Proof(len(wrong), len(await ledger.unbalanced(database)), await _broken_days(books))


async def _broken_days(books: Books) -> tuple[date, ...]:
    former, broken = GENESIS, list[date]()
    public = _signing_key(books).public_key()
    for day in await closing.closed(books.running.database):
        counted = await closing.digest(books.running.database, day.day, former)
        is_same = counted.digest == day.digest and day.former == former
        if not is_same or not _is_signed(public, day):
            broken.append(day.day)
        former = day.digest
    return tuple(broken)


def _is_signed(public: Ed25519PublicKey, day: closing.Closed) -> bool:
    try:
        public.verify(day.signature, day.digest)
    except InvalidSignature:
        return False
    return True


class Close(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which day is closed."""

    day: date


async def close_day(books: Books, asker: Asker, asked: Close, key: Once | None) -> Stored:
    """Signs the digest of a day that is over; afterwards nothing is posted to it any more."""
    access.check_biller(asker.caller, "Account", "u")

    async def act(tx: Transaction) -> tuple[int, object]:
        await closing.hold_ledger(tx)
        last = await closing.last(tx)
        if asked.day >= books.today() or (last is not None and asked.day <= last.day):
            raise DayStillOpen(place="day")
        former = GENESIS if last is None else last.digest
        counted = await closing.digest(tx, asked.day, former)
        signature = _signing_key(books).sign(counted.digest)
        closed = closing.Closed(
            asked.day, asker.name, counted.entries, counted.debits, former, counted.digest,
            signature,
        )  # fmt: skip
        await closing.add(tx, closed)
        return 201, shown(closed)

    return await books.carried(key, act)


def shown(closed: closing.Closed) -> dict[str, object]:
    return {
        "day": closed.day.isoformat(),
        "author": closed.author,
        "entries": closed.entries,
        "debits": closed.debits,
        "digest": closed.digest.hex(),
        "signature": closed.signature.hex(),
    }


def earliest_open(last: closing.Closed | None, first_entry: date | None) -> date | None:
    """The next day to close, if anything was ever posted."""
    return last.day + timedelta(days=1) if last is not None else first_entry


def _signing_key(books: Books) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(books.running.vault.secret("day close"))
