"""The front desk and messages that stopped before they were somebody's: mended, or given a person.

No clinician may open these, for nobody knows whose patient they are about. The desk, which says who
somebody is, reads and mends what names the person and the visit; what else a message says it does
not see. Or it says whose the message is: from then on that patient's clinicians may mend it.
"""

from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation.database import Row, Transaction
from polyclinic.foundation.errors import Forbidden, Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.integration.actions import showing
from polyclinic.services.integration.actions.state import Asker, Engine
from polyclinic.services.integration.domain import access, admitting
from polyclinic.services.integration.domain.problems import NoMessage, WrongState
from polyclinic.services.integration.gateways import records
from polyclinic.services.integration.store import messages, queue


async def shown(engine: Engine, asker: Asker, message: UUID) -> dict[str, Any]:
    """Where it stands, and the lines that name a person and a visit."""
    row = await need(engine, asker, message)
    raw = await showing.opened(engine, message)
    await engine.log_read(asker, row["patients"], message)
    lines = [each for each in map(_part, showing.parsed(raw)) if each]
    return {**showing.told(row), "parsed": lines}


def _part(segment: dict[str, Any]) -> dict[str, Any] | None:
    """What of a segment the desk may read."""
    fields = [f for f in segment["fields"] if admitting.may_read(segment["name"], f["field"])]
    return {**segment, "fields": fields} if fields else None


async def need(engine: Engine, asker: Asker, message: UUID) -> Row:
    """A message that is the desk's to see to; every other one is not there for it."""
    access.check_registrar(asker.caller)
    row = await messages.find(engine.running.database, message)
    if row is None:
        raise NoMessage(place="message")
    what = row["state"], row["reason"], row["kind"], list(row["patients"])
    if not admitting.is_for_the_desk(*what):
        await engine.log_denied(asker, row["patients"], message)
        raise NoMessage(place="message")
    return row


def check_changes(changes: dict[str, str | None]) -> None:
    """Raises Forbidden for what the desk neither reads nor mends."""
    for path in changes:
        if not admitting.may_mend(path):
            raise Forbidden("The front desk mends who is meant and which visit.", place=path[:40])


class Linked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose a message is: `Patient/<id>`."""

    patient: str


async def link(engine: Engine, asker: Asker, message: UUID, asked: Linked, key: Once) -> Stored:
    """Says whose a message is that nobody could read so far: it stays where it is, and the
    clinicians of that patient may open it and mend it."""
    await need(engine, asker, message)
    if not asked.patient.startswith("Patient/"):
        raise Invalid("A patient is written Patient/id.", place="patient")
    token = asker.errand.token
    if (await records.read_as(engine.running, token, [asked.patient]))[0] is None:
        raise Invalid("There is no such patient, or it is not yours to see.", place="patient")
    number = engine.number("patient", asked.patient)

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await messages.link(tx, message, asked.patient, number):
            raise WrongState(place="state")
        await queue.note(tx, [message], "linked", asker.name)
        return 200, {"message": str(message), "patient": asked.patient}

    return await engine.carried(key, act)
