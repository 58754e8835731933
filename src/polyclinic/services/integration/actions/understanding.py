"""What a message means, whatever it is written in."""

from typing import Any

import msgspec

from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain import documents, sheets
from polyclinic.services.integration.domain.channels import Channel
from polyclinic.standards.hl7v2 import parse


async def understood(engine: Engine, raw: bytes, channel: Channel) -> Any:
    """Raises Malformed or a Problem where it means nothing, Unavailable where it must wait."""
    if channel.format == "ccda":
        return documents.translation(await engine.converter.ccda(raw), raw, channel)
    if channel.format == "rows":
        return sheets.translation(msgspec.json.decode(raw, type=dict[str, str]), channel)
    return engine.translate(parse(raw, channel.charset), channel)
