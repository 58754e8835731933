"""What stands in for mapping and effects until they are there: nothing is made of a message."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from polyclinic.foundation.service import Running
from polyclinic.services.integration.domain.channels import Channel
from polyclinic.services.integration.domain.outcomes import Outcome
from polyclinic.standards.hl7v2 import Message


@dataclass(frozen=True, slots=True)
class Nothing:
    """A translation without intents."""

    trigger: str
    intents: tuple[Any, ...] = ()


def translate(message: Message, channel: Channel) -> Nothing:  # noqa: ARG001
    return Nothing(f"{message.code}^{message.event}")


async def carry_out(_: Running, __: UUID, ___: Any, /) -> Outcome:
    return Outcome("ignored", "not mapped")
