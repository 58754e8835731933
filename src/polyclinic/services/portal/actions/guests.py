"""Paying with the link on a bill, without an account: who knows the birth date may pay it."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polyclinic.foundation.errors import Gone
from polyclinic.foundation.vault import DataKey, Place, Unreadable
from polyclinic.services.portal.actions.bills import answered
from polyclinic.services.portal.actions.state import Portal
from polyclinic.services.portal.domain.bills import Opened
from polyclinic.services.portal.gateways.billing import Proof, Started

# As long as somebody may take for a bill and a card page.
KEPT = timedelta(hours=1)
KNOWN_MAX = 1000


class Forgotten(Gone):
    """It is too long ago that you opened this bill; give the birth date again."""


class Known(msgspec.Struct, frozen=True):
    """What was proven; kept sealed in the person's own browser and nowhere else."""

    proof: Proof
    ends: datetime
    payment: str | None = None


@dataclass(frozen=True)
class Begun:
    """A payment at its card page, and what the browser keeps to come back by."""

    started: Started
    kept: str


async def open_bill(portal: Portal, proof: Proof, payment: str | None = None) -> Opened:
    """What is owed; raises Gone, NotAccepted or TooOften."""
    return await answered(portal, portal.billing.open_link(proof, payment))


async def pay(portal: Portal, proof: Proof, wanted: tuple[int, str, str], now: datetime) -> Begun:
    """`wanted`: the amount, where the card page leads back to, and this try's name."""
    amount, back, turn = wanted
    work = portal.billing.pay_link(f"guest-{turn[:60]}", proof, amount, back)
    started = await answered(portal, work)
    return Begun(started, keep(portal, proof, now, started.payment))


def keep(portal: Portal, proof: Proof, now: datetime, payment: str | None = None) -> str:
    known = Known(proof, now + KEPT, payment)
    sealed = portal.vault.seal(_key(portal), _PLACE, msgspec.json.encode(known))
    return base64.urlsafe_b64encode(sealed).decode()


def recall(portal: Portal, kept: str | None, now: datetime, word: str | None = None) -> Known:
    """What was proven less than an hour ago, of this link or of any; raises Forgotten."""
    if not kept or len(kept) > KNOWN_MAX:
        raise Forgotten
    try:
        sealed = base64.b64decode(kept, altchars=b"-_", validate=True)
        plain = portal.vault.unseal(_key(portal), _PLACE, sealed)
    except (binascii.Error, ValueError, Unreadable) as bad:
        raise Forgotten from bad
    known = msgspec.json.decode(plain, type=Known)
    if known.ends <= now or word not in (None, known.proof.token):
        raise Forgotten
    return known


_PLACE = Place("guest", "proof", "-", 1)


def _key(portal: Portal) -> DataKey:
    raw = portal.vault.secret("guests of bills")[:32]
    return DataKey(b"guests of bills\0", 1, AESGCM(raw))
