"""The port of card gateways: what billing asks of whoever takes card payments."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Protocol

from polyclinic.services.billing.domain.cards import (
    Asked,
    AskedBack,
    Dispute,
    GatewayEvent,
    GivenBack,
    Intent,
    Paid,
)


class PaymentGateway(Protocol):
    """Raises Unavailable when the outcome is unknown, CardsRefused when nothing was done.

    Whatever is created carries our id as its idempotency key and in its metadata, and nothing else
    of ours: no name, no reason. Asked twice with one id, it is made once.
    """

    async def create(self, asked: Asked) -> Intent: ...

    async def read(self, intent: str) -> Intent: ...

    async def find(self, payment: str, made: datetime) -> Intent | None:
        """By our id, where an answer was lost; `made` is when we asked."""
        ...

    async def cancel(self, intent: str) -> Intent:
        """Ends what nobody has paid yet; answers the state either way."""
        ...

    async def refund(self, asked: AskedBack) -> GivenBack: ...

    async def read_refund(self, refund: str) -> GivenBack: ...

    async def find_refund(self, refund: str, charge: str) -> GivenBack | None: ...

    async def read_dispute(self, dispute: str) -> Dispute: ...

    async def read_charge(self, charge: str) -> Paid: ...

    def paid_since(self, since: datetime) -> AsyncIterator[Paid]: ...

    def refunds_since(self, since: datetime) -> AsyncIterator[GivenBack]: ...

    def hear(self, payload: bytes, signature: str, now: datetime) -> GatewayEvent:
        """An event whose signature holds; raises BadSignature."""
        ...


class Transport(Protocol):
    """How requests reach the gateway."""

    async def ask(
        self, method: str, path: str, values: Mapping[str, object], key: str | None = None
    ) -> dict[str, object]: ...

    async def close(self) -> None: ...
