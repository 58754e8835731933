"""Keeps what other systems call our practitioners, places and kinds of visit."""

from typing import Any, Literal

import msgspec

from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.integration.actions.state import Asker, Engine
from polyclinic.services.integration.domain import access
from polyclinic.services.integration.store import effecting as rows

TEXT_MAX = 200
Kind = Literal["practitioner", "place", "service"]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name of another system; without `system` it counts for all. `target` is ours:
    `Practitioner/<id>`, a site or a visit type of the clinic's week."""

    kind: Kind
    value: str
    target: str
    system: str = ""


async def listed(engine: Engine, asker: Asker, kind: str | None) -> list[dict[str, Any]]:
    access.check_operator(asker.caller, "r")
    return [dict(row) for row in await rows.listed(engine.running.database, kind)]


async def put(engine: Engine, asker: Asker, asked: Entry) -> dict[str, Any]:
    access.check_operator(asker.caller, "u")
    for place in ("value", "target", "system"):
        text = getattr(asked, place)
        if len(text) > TEXT_MAX or (not text.strip() and place != "system"):
            raise Invalid(f"A name has 1 to {TEXT_MAX} characters.", place=place)
    if asked.kind == "practitioner" and not asked.target.startswith("Practitioner/"):
        raise Invalid("A practitioner is written Practitioner/id.", place="target")
    entry = (asked.kind, asked.system, asked.value, asked.target)
    await rows.put_name(engine.running.database, entry, asker.name)
    return msgspec.to_builtins(asked)


async def drop(engine: Engine, asker: Asker, kind: str, system: str, value: str) -> None:
    access.check_operator(asker.caller, "u")
    if not await rows.drop_name(engine.running.database, kind, system, value):
        raise NotFound("The directory has no such entry.", place="value")
