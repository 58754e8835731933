"""What staff see of messages, and what they do with those that did not get through."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from polyclinic.foundation.errors import Problem, Unavailable
from polyclinic.services.portal.actions.people import People, people
from polyclinic.services.portal.actions.state import Portal, answered
from polyclinic.services.portal.domain.messages import (
    Body,
    Channel,
    Content,
    Messages,
    OneMessage,
    Question,
    Stopped,
    Waiting,
)
from polyclinic.services.portal.domain.session import Session
from polyclinic.services.portal.gateways.integration import NAME

# Whose role may read what messages say, of patients in their care.
READERS = ("clinician",)


@dataclass(frozen=True)
class Opened:
    """One message: where it stands for all, what it says for who may know."""

    message: OneMessage
    named: People
    content: Content | None = None
    # Why what it says is not here although this person may read messages.
    silence: str = ""


@dataclass(frozen=True)
class Listed:
    """A page of messages; channels for those who run them."""

    page: Messages
    named: People
    channels: list[Channel] = field(default_factory=list[Channel])


async def open_list(portal: Portal, session: Session, asked: dict[str, str]) -> Listed:
    token = session.tokens.access
    page, channels = await asyncio.gather(
        answered(portal, NAME, portal.integration.messages(token, asked)),
        _channels(portal, session),
    )
    named = await _named(portal, session, (who for each in page.messages for who in each.patients))
    return Listed(page, named, channels)


async def open_one(portal: Portal, session: Session, message: str) -> Opened:
    token = session.tokens.access
    found = await answered(portal, NAME, portal.integration.message(token, message))
    named = await _named(portal, session, found.patients)
    if session.role not in READERS:
        return Opened(found, named)
    try:
        content = await answered(portal, NAME, portal.integration.content(token, message))
    except Unavailable:
        raise
    except Problem as refused:
        return Opened(found, named, silence=refused.message)
    return Opened(found, named, content)


async def open_waiting(portal: Portal, session: Session) -> list[Waiting]:
    return await answered(portal, NAME, portal.integration.waiting(session.tokens.access))


async def open_question(portal: Portal, session: Session, message: str) -> Question:
    work = portal.integration.question(session.tokens.access, message)
    return await answered(portal, NAME, work)


async def open_stopped(portal: Portal, session: Session, message: str) -> Stopped:
    """Only those that are nobody's yet are there for the front desk."""
    return await answered(portal, NAME, portal.integration.stopped(session.tokens.access, message))


async def open_channels(portal: Portal, session: Session) -> list[Channel]:
    return await answered(portal, NAME, portal.integration.channels(session.tokens.access))


async def tell(
    portal: Portal, session: Session, turn: str, path: tuple[str, ...], body: Body
) -> Body:
    """One change at integration's door; a second press of the same button is the same change."""
    key = f"{'-'.join(path)}-{turn}"[:200]
    work = portal.integration.tell(session.tokens.access, key, path, body)
    return await answered(portal, NAME, work)


async def _channels(portal: Portal, session: Session) -> list[Channel]:
    """Clinicians run none, and see none."""
    return await open_channels(portal, session) if session.role == "administrator" else []


async def _named(portal: Portal, session: Session, patients: Iterable[str]) -> People:
    """Names for who may know whose a message is."""
    if session.role not in READERS or not portal.has("records"):
        return People()
    return await people(portal, session.tokens.access, (), patients)
