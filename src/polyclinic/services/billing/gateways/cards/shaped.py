"""Card payments in Stripe's words: a hosted page (Checkout), PaymentIntents, refunds, disputes.

Card data never comes near us: the person is sent to the gateway's own page (PCI DSS SAQ A).
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec

from polyclinic.services.billing.domain import cards
from polyclinic.services.billing.domain.cards import (
    Asked,
    AskedBack,
    BadSignature,
    CardsRefused,
    Dispute,
    GatewayEvent,
    GivenBack,
    Intent,
    Paid,
)
from polyclinic.services.billing.gateways.cards.port import Transport

TOLERANCE = timedelta(minutes=5)  # as Stripe's own libraries have it
_PAGE = 100
_WINDOW = timedelta(hours=1)
_SESSIONS = "/v1/checkout/sessions"
_WHOLE: dict[str, object] = {"expand": ["payment_intent"]}
_STATES = {
    "succeeded": cards.SUCCEEDED,
    "processing": cards.PROCESSING,
    "canceled": cards.CANCELED,
    "requires_payment_method": cards.FAILED,
}
_REFUNDS = {"pending": cards.PROCESSING, "requires_action": cards.PROCESSING,
            "succeeded": cards.SUCCEEDED, "failed": cards.FAILED,
            "canceled": cards.FAILED}  # fmt: skip
_ABOUT = {"checkout.session": "intent", "payment_intent": "charge", "refund": "refund",
          "dispute": "dispute"}  # fmt: skip
Json = dict[str, Any]


class Shaped:
    """The port over any transport that speaks this shape."""

    def __init__(self, transport: Transport, secret: str) -> None:
        self._transport, self._secret = transport, secret.encode()

    async def create(self, asked: Asked) -> Intent:
        """`product_data` is what the person's card statement page says: never what was done."""
        marks = {"payment": asked.payment}
        price = {
            "currency": asked.currency.lower(),
            "unit_amount": asked.amount,
            "product_data": {"name": "Payment"},
        }
        values: dict[str, object] = {
            "mode": "payment",
            "client_reference_id": asked.payment,
            "metadata": marks,
            "payment_intent_data": {"metadata": marks},
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": asked.return_url,
            "cancel_url": asked.return_url,
            "expires_at": int(asked.expires.timestamp()),
            **_WHOLE,
        }
        return _intent(await self._transport.ask("POST", _SESSIONS, values, asked.payment))

    async def read(self, intent: str) -> Intent:
        return _intent(await self._transport.ask("GET", f"{_SESSIONS}/{intent}", _WHOLE))

    async def find(self, payment: str, made: datetime) -> Intent | None:
        since = {"gte": _seconds(made - _WINDOW), "lte": _seconds(made + 24 * _WINDOW)}
        async for each in self._all(_SESSIONS, {"created": since}):
            if each.get("client_reference_id") == payment:
                return await self.read(each["id"])
        return None

    async def cancel(self, intent: str) -> Intent:
        path = f"{_SESSIONS}/{intent}/expire"
        try:
            return _intent(await self._transport.ask("POST", path, _WHOLE, f"cancel-{intent}"))
        except CardsRefused:  # complete or expired already: the state says which
            return await self.read(intent)

    async def refund(self, asked: AskedBack) -> GivenBack:
        values: dict[str, object] = {
            "payment_intent": asked.charge,
            "amount": asked.amount,
            "metadata": {"refund": asked.refund},
        }
        return _given_back(await self._transport.ask("POST", "/v1/refunds", values, asked.refund))

    async def read_refund(self, refund: str) -> GivenBack:
        return _given_back(await self._transport.ask("GET", f"/v1/refunds/{refund}", {}))

    async def find_refund(self, refund: str, charge: str) -> GivenBack | None:
        async for each in self._all("/v1/refunds", {"payment_intent": charge}):
            if _mark(each, "refund") == refund:
                return _given_back(each)
        return None

    async def read_dispute(self, dispute: str) -> Dispute:
        found: Json = await self._transport.ask("GET", f"/v1/disputes/{dispute}", {})
        state = _dispute_state(found["status"])
        return Dispute(found["id"], found.get("payment_intent") or "", state, found["amount"])

    async def read_charge(self, charge: str) -> Paid:
        return _paid(await self._transport.ask("GET", f"/v1/payment_intents/{charge}", {}))

    async def paid_since(self, since: datetime) -> AsyncIterator[Paid]:
        created = {"created": {"gte": _seconds(since)}}
        async for each in self._all("/v1/payment_intents", created):
            yield _paid(each)

    async def refunds_since(self, since: datetime) -> AsyncIterator[GivenBack]:
        async for each in self._all("/v1/refunds", {"created": {"gte": _seconds(since)}}):
            yield _given_back(each)

    def hear(self, payload: bytes, signature: str, now: datetime) -> GatewayEvent:
        check(payload, signature, self._secret, now)
        try:
            event = msgspec.json.decode(payload, type=dict[str, Any])
            about = event["data"]["object"]
            kind = _ABOUT.get(about["object"], "other")
            return GatewayEvent(str(event["id"])[:255], kind, str(about["id"])[:255])
        except (msgspec.DecodeError, KeyError, TypeError) as broken:
            raise BadSignature("This is no event of the card gateway.") from broken

    async def _all(self, path: str, values: Mapping[str, object]) -> AsyncIterator[Json]:
        asked: dict[str, object] = {**values, "limit": _PAGE}
        while True:
            page: Json = await self._transport.ask("GET", path, asked)
            for each in page["data"]:
                yield each
            if not page.get("has_more"):
                return
            asked = {**asked, "starting_after": page["data"][-1]["id"]}


def check(payload: bytes, signature: str, secret: bytes, now: datetime) -> None:
    """`t=…,v1=…`: HMAC-SHA256 over time and raw body; several v1 while a secret is changed."""
    parts = [part.strip().partition("=") for part in signature.split(",")[:16]]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) < 12):
        raise BadSignature(place="stripe-signature")
    wanted = hmac.new(secret, times[0].encode() + b"." + payload, hashlib.sha256).hexdigest()
    # Every one is compared, in constant time.
    matches = [hmac.compare_digest(wanted.encode(), each.encode()) for each in given]
    if not any(matches) or abs(_seconds(now) - int(times[0])) > TOLERANCE.total_seconds():
        raise BadSignature(place="stripe-signature")


def _intent(session: Json) -> Intent:
    whole = session.get("payment_intent")
    charge = cast("Json", whole) if isinstance(whole, dict) else {}
    error: Json = charge.get("last_payment_error") or {}
    state = _session_state(session["status"], charge.get("status"))
    return Intent(
        session["id"],
        session.get("client_reference_id") or "",
        state,
        session["amount_total"],
        session["currency"].upper(),
        session.get("url") if state == cards.ACTION else None,
        str(error.get("code") or "failed")[:64] if state == cards.FAILED else None,
        charge.get("id"),
    )


def _session_state(session: str, charge: str | None) -> str:
    if session == "expired":
        return cards.CANCELED
    if session == "open":
        return cards.ACTION
    return _STATES.get(charge or "", cards.PROCESSING)


def _given_back(found: Json) -> GivenBack:
    state = _REFUNDS.get(found["status"], cards.PROCESSING)
    charge = found.get("payment_intent") or ""
    return GivenBack(found["id"], _mark(found, "refund"), charge, state, found["amount"])


def _paid(found: Json) -> Paid:
    state = _STATES.get(found["status"], cards.ACTION)
    return Paid(found["id"], _mark(found, "payment"), state, found["amount"])


def _dispute_state(status: str) -> str:
    """An inquiry (`warning_…`) moves no money and is none of the ledger's."""
    if status in (cards.WON, cards.LOST):
        return status
    return "inquiry" if status.startswith("warning") else cards.OPEN


def _mark(found: Json, name: str) -> str:
    return str((found.get("metadata") or {}).get(name) or "")


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
