"""Billing over its JSON door, as patients use it: bills, payments, plans, estimates, pay links."""

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol, TypeVar
from uuid import UUID

import httpx
import msgspec

from polyclinic.foundation.errors import (
    Conflict,
    NotFound,
    NotProcessable,
    Overloaded,
    Problem,
    Unavailable,
)
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.domain.bills import (
    Estimate,
    Money,
    Opened,
    Owed,
    Payment,
    Plan,
    Statement,
)
from polyclinic.services.portal.gateways.answers import decoded_as, refusal

NAME = "billing"
# How long the second press of a button waits for the answer to the first.
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.75, 1.0, 1.5)
T = TypeVar("T")


class Refused(Conflict):
    """This cannot be done any more."""

    def __init__(
        self, message: str | None = None, *, kind: str = "", place: str | None = None
    ) -> None:
        super().__init__(message, place=place)
        self.kind = kind


class NotAccepted(NotProcessable):
    """This was not accepted; nothing was paid."""

    def __init__(
        self, message: str | None = None, *, kind: str = "", place: str | None = None
    ) -> None:
        super().__init__(message, place=place)
        self.kind = kind


class StillRunning(Unavailable):
    """Your request is still being carried out."""


class CardsSilent(Unavailable):
    """The card company does not answer at the moment. Nothing was paid; try again in a minute."""


class TooOften(Overloaded):
    """This was tried too often; wait a minute."""


class Started(msgspec.Struct, frozen=True):
    """A payment that was begun; nobody has paid yet unless its status says so."""

    payment: str
    status: str
    amount: int
    currency: str
    action_url: str | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A payment by card, and where the card gateway sends people back to."""

    amount: int
    return_url: str
    statement: str | None = None


class Proof(msgspec.Struct, frozen=True):
    """What a guest knows: the word in the bill's link, and when its patient was born."""

    token: str
    birth_date: date


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """All that is owed, in so many parts, from a day on."""

    total: int
    parts: int
    first_day: date


class Billing(Protocol):
    """Billing for patients; every change names its try, so that it is made once."""

    async def money(self, token: str) -> Money: ...

    async def owed(self, token: str) -> Owed: ...

    async def statements(self, token: str) -> tuple[Statement, ...]: ...

    async def statement(self, token: str, statement: str) -> Statement: ...

    async def pay(self, token: str, key: str, wanted: Wanted) -> Started:
        """Raises NotAccepted or Refused, both with billing's own kind."""
        ...

    async def payment(self, token: str, payment: str) -> Payment: ...

    async def settle(self, token: str, key: str, payment: str) -> str:
        """How it stands, after the card gateway was asked."""
        ...

    async def plans(self, token: str) -> tuple[Plan, ...]: ...

    async def agree(self, token: str, key: str, agreed: Agreed) -> Plan: ...

    async def end_plan(self, token: str, key: str, plan: str) -> None: ...

    async def estimates(self, token: str, patient: str) -> tuple[Estimate, ...]: ...

    async def estimate(self, token: str, estimate: str) -> Estimate: ...

    async def statement_pdf(self, token: str, statement: str) -> bytes: ...

    async def receipt_pdf(self, token: str, payment: str) -> bytes: ...

    async def open_link(self, proof: Proof, payment: str | None = None) -> Opened:
        """Raises Gone, NotAccepted (WrongAnswer, NobodyKnows) or TooOften."""
        ...

    async def pay_link(self, key: str, proof: Proof, amount: int, back: str) -> Started: ...


class _Refusal(msgspec.Struct, frozen=True):
    """What a refusal says."""

    kind: str = ""
    error_description: str = ""
    place: str | None = None


class _Settled(msgspec.Struct, frozen=True):
    status: str


class _Statements(msgspec.Struct, frozen=True):
    statements: tuple[Statement, ...] = ()


class _Plans(msgspec.Struct, frozen=True):
    plans: tuple[Plan, ...] = ()


class _Estimates(msgspec.Struct, frozen=True):
    estimates: tuple[Estimate, ...] = ()


class BillingDoor:
    """How anything is asked of billing; the patients' and the staff's half share it."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def ask(self, token: str, method: str, path: str, kind: type[T], **sent: Any) -> T:
        answer = checked(await self.send(token, method, path, **sent))
        return decoded_as(answer.content, kind, NAME)

    async def tell(
        self, token: str, key: str, path: str, kind: type[T], body: Mapping[str, Any]
    ) -> T:
        """A change; whoever presses twice waits for the answer to the first press."""
        for pause in PAUSES:
            try:
                return await self.ask(token, "POST", path, kind, key=key, json=body)
            except StillRunning:
                await asyncio.sleep(pause)
        return await self.ask(token, "POST", path, kind, key=key, json=body)

    async def send(
        self, token: str, method: str, path: str, key: str | None = None, **sent: Any
    ) -> httpx.Response:
        headers = {"accept": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if key is not None:
            headers["idempotency-key"] = key
        return await self._peers.send("billing", method, f"/{NAME}{path}", headers=headers, **sent)


class HttpBilling(BillingDoor):
    """Billing as its door speaks to patients."""

    async def money(self, token: str) -> Money:
        return await self.ask(token, "GET", "/payments", Money)

    async def owed(self, token: str) -> Owed:
        return await self.ask(token, "GET", "/owed", Owed)

    async def statements(self, token: str) -> tuple[Statement, ...]:
        return (await self.ask(token, "GET", "/statements", _Statements)).statements

    async def statement(self, token: str, statement: str) -> Statement:
        return await self.ask(token, "GET", f"/statements/{_id(statement)}", Statement)

    async def pay(self, token: str, key: str, wanted: Wanted) -> Started:
        body = {**msgspec.to_builtins(wanted), "method": "card"}
        return await self.tell(token, key, "/payments", Started, body)

    async def payment(self, token: str, payment: str) -> Payment:
        return await self.ask(token, "GET", f"/payments/{_id(payment)}", Payment)

    async def settle(self, token: str, key: str, payment: str) -> str:
        path = f"/payments/{_id(payment)}/settle"
        return (await self.tell(token, key, path, _Settled, {})).status

    async def plans(self, token: str) -> tuple[Plan, ...]:
        return (await self.ask(token, "GET", "/plans", _Plans)).plans

    async def agree(self, token: str, key: str, agreed: Agreed) -> Plan:
        return await self.tell(token, key, "/plans", Plan, msgspec.to_builtins(agreed))

    async def end_plan(self, token: str, key: str, plan: str) -> None:
        await self.tell(token, key, f"/plans/{_id(plan)}/cancel", dict[str, Any], {})

    async def estimates(self, token: str, patient: str) -> tuple[Estimate, ...]:
        asked = {"patient": patient}
        found = await self.ask(token, "GET", "/estimates", _Estimates, params=asked)
        return found.estimates

    async def estimate(self, token: str, estimate: str) -> Estimate:
        return await self.ask(token, "GET", f"/estimates/{_id(estimate)}", Estimate)

    async def statement_pdf(self, token: str, statement: str) -> bytes:
        return checked(await self.send(token, "GET", f"/statements/{_id(statement)}.pdf")).content

    async def receipt_pdf(self, token: str, payment: str) -> bytes:
        return checked(await self.send(token, "GET", f"/payments/{_id(payment)}.pdf")).content

    async def open_link(self, proof: Proof, payment: str | None = None) -> Opened:
        body = {**msgspec.to_builtins(proof), **({"payment": payment} if payment else {})}
        return await self.ask("", "POST", "/pay-links/open", Opened, json=body)

    async def pay_link(self, key: str, proof: Proof, amount: int, back: str) -> Started:
        body = {**msgspec.to_builtins(proof), "amount": amount, "return_url": back}
        return await self.tell("", key, "/pay-links/pay", Started, body)


def checked(answer: httpx.Response) -> httpx.Response:
    """Raises what a refusal means for a page."""
    if answer.is_success:
        return answer
    if answer.status_code == 429:
        raise TooOften(place=NAME)
    if answer.status_code in (409, 422):
        raise _refused(answer.status_code, decoded_as(answer.content, _Refusal, NAME))
    if answer.status_code == 503 and _place(answer) == "cards":
        raise CardsSilent(place="cards")
    raise refusal(answer.status_code, NAME)


def _place(answer: httpx.Response) -> str | None:
    """Who does not answer, where billing itself said so rather than something before it."""
    try:
        return msgspec.json.decode(answer.content, type=_Refusal).place
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _refused(status: int, said: _Refusal) -> Problem:
    message = said.error_description or None
    if said.kind == "StillRunning":
        return StillRunning(place=NAME)
    kind = NotAccepted if status == 422 else Refused
    return kind(message, kind=said.kind, place=said.place)


def _id(name: str) -> str:
    """What stands in an address of ours goes into an address of billing's: ids only."""
    try:
        return str(UUID(name))
    except ValueError:
        raise NotFound("There is no such thing of yours.", place=NAME) from None
