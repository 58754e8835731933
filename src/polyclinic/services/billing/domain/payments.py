"""What becomes of payments, refunds and disputes, and what each posts to the ledger."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from polyclinic.foundation.errors import Conflict, Invalid, NotProcessable
from polyclinic.services.billing.domain import cards
from polyclinic.services.billing.domain.ledger import (
    CARD,
    DISPUTED,
    About,
    Entry,
    patient_account,
    till,
    transfer,
)

CARD_METHOD = "card"
METHODS = (CARD_METHOD, "cash", "check", "other")
REFUND_REASONS = ("overpaid", "duplicate", "service-not-given", "insurance-paid", "courtesy",
                  "other")  # fmt: skip
# A second press, or a second window, within this time means the same payment.
SAME_WITHIN = timedelta(minutes=2)
# How long a card page stays open; the gateway wants at least half an hour.
PAGE_OPEN = timedelta(hours=12)
UNSETTLED_AFTER = timedelta(seconds=30)
# Gateways forget keys after a day: a repeat is safe well before that only.
KEY_LIVES = timedelta(hours=20)
ENDED = frozenset({cards.SUCCEEDED, cards.FAILED, cards.CANCELED})
OPEN_PAGE = frozenset({cards.STARTING, cards.ACTION})
_OWN_COMPUTER = re.compile(r"http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?/", re.ASCII)
_RANK = {cards.STARTING: 0, cards.ACTION: 1, cards.PROCESSING: 2}


class MoreThanOwed(NotProcessable):
    """This is more than what is owed; only the front desk takes more, as a credit."""


class CannotGiveBack(Conflict):
    """Only a payment that arrived and is not disputed can be given back."""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money from a patient; `refunded` is what was given back or is reserved for it."""

    id: UUID
    patient: str
    method: str
    amount: int
    currency: str
    status: str
    author: str
    made: datetime
    changed: datetime
    refunded: int = 0
    disputed: bool = False
    statement: UUID | None = None
    asked: bytes | None = None
    intent: str | None = None
    charge: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back out of one payment."""

    id: UUID
    payment: UUID
    amount: int
    status: str
    reason: str
    author: str
    made: datetime
    asked: bytes | None = None
    gateway: str | None = None


def name_of(hashed: bytes) -> UUID:
    """The id of what an idempotency key asked for: a UUID of version 8 (RFC 9562)."""
    bits = int.from_bytes(hashed[:16], "big")
    return UUID(int=(bits & ~(0xF << 76) & ~(0x3 << 62)) | (0x8 << 76) | (0x2 << 62))


def next_status(now: str, told: str) -> str:
    """What a payment is after the gateway said `told`; late news never takes anything back.

    What was given up comes back to life only by money that arrived after all or is under way.
    """
    if now in (cards.SUCCEEDED, told):
        return now
    if told == cards.SUCCEEDED:
        return told
    if now in ENDED:
        return told if now == cards.CANCELED and told == cards.PROCESSING else now
    if told in ENDED:
        return told
    return told if _RANK[told] > _RANK[now] else now


def next_refund(now: str, told: str) -> str:
    """A refund may fail after it had succeeded (a closed account); nothing follows a failure."""
    if now == cards.FAILED:
        return now
    if told == cards.FAILED:
        return told
    if now == cards.SUCCEEDED:
        return now
    return told if told in (cards.PROCESSING, cards.SUCCEEDED) else now


def next_dispute(now: str | None, told: str) -> str:
    return now if now in (cards.WON, cards.LOST) else told


def is_same(former: Payment, amount: int, statement: UUID | None, now: datetime) -> bool:
    """Whether a new request means the payment that is already open."""
    young = now - former.made <= SAME_WITHIN
    return young and former.amount == amount and former.statement == statement


def check_method(method: str) -> str:
    if method not in METHODS:
        raise Invalid(f"A payment is made by {', '.join(METHODS)}.", place="method")
    return method


def check_reason(reason: str) -> str:
    if reason not in REFUND_REASONS:
        raise Invalid(f"Say why: {', '.join(REFUND_REASONS)}.", place="reason")
    return reason


def check_return(url: str | None, public: str | None) -> str:
    """The gateway sends people back to us and nowhere else; nobody knows our address: to here."""
    given = url or ""
    ours = given.startswith(f"{public}/") if public else bool(_OWN_COMPUTER.match(given))
    if not ours or len(given) > 1000 or not given.isascii() or not given.isprintable():
        raise Invalid("return_url is a page of this clinic's own address.", place="return_url")
    return given


def paid(payment: Payment) -> Entry:
    """What is owed sinks, the till fills."""
    owed = patient_account(payment.patient)
    about = About(payment.patient, what=payment.method)
    lines = transfer(till(payment.method), owed, payment.amount, about)
    return Entry("payment", f"payment/{payment.id}", payment.author, tuple(lines))


def given_back(payment: Payment, refund: Refund) -> Entry:
    owed = patient_account(payment.patient)
    about = About(payment.patient, what=refund.reason)
    lines = transfer(owed, till(payment.method), refund.amount, about)
    return Entry("refund", f"refund/{refund.id}", refund.author, tuple(lines))


def came_back(payment: Payment, refund: Refund) -> Entry:
    """A refund that had succeeded and then failed: the money is in the till again."""
    owed = patient_account(payment.patient)
    about = About(payment.patient, what=refund.reason)
    lines = transfer(till(payment.method), owed, refund.amount, about)
    return Entry("refund", f"refund/{refund.id}/failed", refund.author, tuple(lines))


def disputed(payment: Payment, dispute: cards.Dispute, state: str) -> list[Entry]:
    """Everything up to `state`: what is known already is posted once anyway."""
    about = About(payment.patient, what="dispute")
    owed = patient_account(payment.patient)
    steps = {
        cards.OPEN: transfer(DISPUTED, CARD, dispute.amount, about),
        cards.WON: transfer(CARD, DISPUTED, dispute.amount, about),
        cards.LOST: transfer(owed, DISPUTED, dispute.amount, about),
    }
    reached = [cards.OPEN] if state == cards.OPEN else [cards.OPEN, state]
    return [
        Entry("dispute", f"dispute/{dispute.id}/{step}", "cards", tuple(steps[step]))
        for step in reached
    ]
