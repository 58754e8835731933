"""The ways out: each kind of receiver with the action that tells it."""

from collections.abc import Callable

from polyclinic.services.integration.actions import webhooks
from polyclinic.services.integration.actions.delivering import Sent, Way
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain.destinations import Destination
from polyclinic.services.integration.store.deliveries import Delivery


def outbound_ways(engine: Callable[[], Engine]) -> dict[str, Way]:
    """By the kind of receiver."""

    async def to_webhook(destination: Destination, sealed: bytes, told: Delivery) -> Sent:
        return await webhooks.send(engine(), destination, sealed, told)

    return {webhooks.WEBHOOK: Way(to_webhook)}
