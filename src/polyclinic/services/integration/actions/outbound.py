"""The ways out: each kind of receiver with the action that tells it."""

from collections.abc import Callable

from polyclinic.foundation.database import Transaction
from polyclinic.services.integration.actions import answering, notifying, speaking, webhooks
from polyclinic.services.integration.actions.delivering import Sent, Way
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain.destinations import Destination
from polyclinic.services.integration.store.deliveries import Delivery


def outbound_ways(engine: Callable[[], Engine]) -> dict[str, Way]:
    """By the kind of receiver."""

    async def to_webhook(destination: Destination, sealed: bytes, told: Delivery) -> Sent:
        return await webhooks.send(engine(), destination, sealed, told)

    async def to_subscriber(destination: Destination, sealed: bytes, told: Delivery) -> Sent:
        return await notifying.send(engine(), destination, sealed, told)

    async def subscriber_ended(
        tx: Transaction, destination: Destination, _: Delivery, failures: int
    ) -> None:
        await notifying.ended(engine(), tx, destination, failures)

    async def to_system(destination: Destination, sealed: bytes, told: Delivery) -> Sent:
        if told.told.kind == answering.ACKNOWLEDGEMENT:
            return await answering.send(engine(), destination, sealed, told)
        return await speaking.send(engine(), destination, sealed, told)

    return {
        webhooks.WEBHOOK: Way(to_webhook),
        # One connection, one message in flight: so MLLP is spoken.
        speaking.HL7V2: Way(to_system, at_once=1),
        notifying.SUBSCRIPTION: Way(to_subscriber, at_once=1, ended=subscriber_ended),
    }
