"""What a card gateway says, in our words: intents, refunds, disputes and events."""

from dataclasses import dataclass
from datetime import datetime

from polyclinic.foundation.errors import Invalid, NotProcessable, NotSupported

STARTING, ACTION, PROCESSING = "starting", "requires_action", "processing"
SUCCEEDED, FAILED, CANCELED = "succeeded", "failed", "canceled"
OPEN, WON, LOST = "open", "won", "lost"


class NoCards(NotSupported):
    """Card payments are not offered here; pay at the desk."""


class CardsRefused(NotProcessable):
    """The card gateway does not accept this; nothing was paid."""

    def __init__(self, reason: str = "refused") -> None:
        super().__init__()
        self.reason = reason


class BadSignature(Invalid):
    """This was not signed by our card gateway, or too long ago."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A payment to be made. `payment` is our id and the key: asked twice, it is made once."""

    payment: str
    amount: int
    currency: str
    return_url: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment as the gateway knows it. `charge` is what a refund is made from, once there is."""

    id: str
    payment: str
    state: str
    amount: int
    currency: str
    action_url: str | None = None
    failure: str | None = None
    charge: str | None = None


@dataclass(frozen=True, slots=True)
class AskedBack:
    """Money to be given back. `refund` is our id and the key."""

    refund: str
    charge: str
    amount: int


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund as the gateway knows it; `refund` is ours, empty when somebody made it there."""

    id: str
    refund: str
    charge: str
    state: str
    amount: int


@dataclass(frozen=True, slots=True)
class Dispute:
    """A cardholder's objection; `inquiry` moves no money yet."""

    id: str
    charge: str
    state: str
    amount: int


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment in the gateway's own list, for the nightly comparison."""

    charge: str
    payment: str
    state: str
    amount: int


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """Something happened to `subject`; `about` is intent, charge, refund, dispute or other.

    What it says of the state is not read: events come twice, late and out of order.
    """

    id: str
    about: str
    subject: str
