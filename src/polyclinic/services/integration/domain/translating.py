"""What integration's core needs of a mapping, and how a translation is shown and compared."""

from typing import Any, Protocol

import msgspec

from polyclinic.services.integration.domain.channels import Channel
from polyclinic.standards.hl7v2 import Message


class Translate(Protocol):
    """Pure: the same message on the same channel is always the same translation."""

    def __call__(self, message: Message, channel: Channel) -> Any: ...


def as_value(translation: Any) -> dict[str, Any]:
    """A translation as JSON: what is kept, shown and compared; each intent with its kind."""
    value: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(translation))
    kinds = (type(intent).__name__ for intent in translation.intents)
    value["intents"] = [
        {"kind": kind, **intent} for kind, intent in zip(kinds, value["intents"], strict=True)
    ]
    return value
