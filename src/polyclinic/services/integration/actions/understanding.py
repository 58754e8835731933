"""What a message means, whatever it is written in."""

from typing import Any

import msgspec

from polyclinic.foundation.work import in_thread
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain import documents, sheets
from polyclinic.services.integration.domain.channels import Channel
from polyclinic.services.integration.domain.translating import Translate
from polyclinic.standards.hl7v2 import parse

# Translating takes some 5 ms of CPU for each kB (500 results: 40 kB, 190 ms): longer messages would
# hold up everybody else's requests, so they are translated beside the loop.
LONG_BYTES = 8 * 1024


async def understood(engine: Engine, raw: bytes, channel: Channel) -> Any:
    """Raises Malformed or a Problem where it means nothing, Unavailable where it must wait."""
    if channel.format == "ccda":
        return documents.translation(await engine.converter.ccda(raw), raw, channel)
    if channel.format == "rows":
        return sheets.translation(msgspec.json.decode(raw, type=dict[str, str]), channel)
    if len(raw) < LONG_BYTES:
        return _translated(engine.translate, raw, channel)
    async with engine.long_ones:
        return await in_thread(_translated, engine.translate, raw, channel)


def _translated(translate: Translate, raw: bytes, channel: Channel) -> Any:
    return translate(parse(raw, channel.charset), channel)
