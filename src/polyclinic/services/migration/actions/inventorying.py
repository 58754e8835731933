"""What is known of an old system: sources are taken in, capabilities follow, people correct."""

import hashlib
import re
from dataclasses import dataclass

import msgspec

from polyclinic.foundation import ids
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.migration.actions.deciding import decide
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.domain.capabilities import (
    SERVICES,
    Capability,
    Correction,
    capabilities,
)
from polyclinic.services.migration.domain.inventory.checking import check_finding
from polyclinic.services.migration.domain.inventory.findings import Finding, merged
from polyclinic.services.migration.store import inventories, plans
from polyclinic.services.migration.store.inventories import Inventory, Kept

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
TEXT_MAX = 2000


class NoInventory(NotFound):
    """There is no inventory of this name."""


@dataclass(frozen=True, slots=True)
class Known:
    """An old system, its sources and what it does."""

    inventory: Inventory
    sources: list[Kept]
    capabilities: list[Capability]


def checked_name(name: str, place: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid("Small letters, digits and hyphens, 63 at most.", place=place)
    return name


async def list_all(passage: Passage) -> list[Inventory]:
    return await inventories.list_all(passage.database)


async def begin(passage: Passage, author: str, name: str, title: str) -> bool:
    """Begins an inventory, or gives it another title; answers whether it is new."""
    checked_name(name, "name")
    async with passage.database.transaction() as tx:
        is_new = await inventories.save(tx, name, title[:200] or name, author)
        await decide(tx, author, "inventory", name, {"title": title, "new": is_new})
    return is_new


async def known(passage: Passage, name: str) -> Known:
    async with passage.database.transaction() as tx:
        if (inventory := await inventories.find(tx, name)) is None:
            raise NoInventory
        sources = await inventories.findings(tx, name)
        return Known(inventory, sources, await inventories.capabilities(tx, name))


async def take(passage: Passage, author: str, place: tuple[str, str], finding: Finding) -> None:
    """Keeps what a source showed now; what it showed before is the past."""
    name, source = place
    checked_name(source, "source")
    check_finding(finding)
    document = msgspec.json.encode(finding)
    digest = hashlib.sha256(document).digest()
    async with passage.database.transaction() as tx:
        await _locked(tx, name)
        await inventories.add_finding(tx, ids.new_uuid(), place, (digest, document), author)
        await _follow(tx, name)
        value = {
            "source": finding.source,
            "endpoints": len(finding.endpoints),
            "tables": len(finding.tables),
            "links": len(finding.links),
            "digest": digest.hex(),
        }
        await decide(tx, author, "source", f"{name}/{source}", value)


async def correct(
    passage: Passage, author: str, place: tuple[str, str], service: str, text: str
) -> Capability:
    """A person says which service takes a capability over: a confirmation or a correction."""
    name, capability = place
    if service not in SERVICES:
        raise Invalid(f"One of {', '.join(SERVICES)}.", place="service")
    async with passage.database.transaction() as tx:
        await _locked(tx, name)
        before = await _capability(tx, name, capability)
        value = {"service": service, "before": before.service, "guessed": before.confidence}
        await decide(tx, author, "mapping", f"{name}/{capability}", value, text[:TEXT_MAX])
        await _follow(tx, name)
        return await _capability(tx, name, capability)


async def move(
    passage: Passage, author: str, name: str, member: str, capability: str, text: str
) -> None:
    """A person says to which capability an endpoint or a table belongs."""
    checked_name(capability, "capability")
    async with passage.database.transaction() as tx:
        await _locked(tx, name)
        found = merged(kept.finding for kept in await inventories.findings(tx, name))
        if member not in {each.name for each in (*found.endpoints, *found.tables)}:
            raise NotFound("There is no such endpoint or table.", place="member")
        value = {"capability": capability}
        await decide(tx, author, "member", f"{name}/{member}", value, text[:TEXT_MAX])
        await _follow(tx, name)


async def _locked(tx: Transaction, name: str) -> Inventory:
    if (found := await inventories.lock(tx, name)) is None:
        raise NoInventory
    return found


async def _capability(tx: Transaction, name: str, capability: str) -> Capability:
    for each in await inventories.capabilities(tx, name):
        if each.name == capability:
            return each
    raise NotFound("There is no such capability.", place="capability")


async def _follow(tx: Transaction, name: str) -> None:
    """Derives the capabilities anew from all that is known."""
    found = merged(kept.finding for kept in await inventories.findings(tx, name))
    corrections = {
        about: Correction(msgspec.json.decode(document)["service"], author)
        for about, (author, document) in (await plans.last_said(tx, "mapping", name)).items()
    }
    moved = {
        about: str(msgspec.json.decode(document)["capability"])
        for about, (_, document) in (await plans.last_said(tx, "member", name)).items()
    }
    await inventories.keep_capabilities(tx, name, capabilities(found, corrections, moved))


async def capabilities_of(where: Database | Transaction, name: str) -> list[Capability]:
    if await inventories.find(where, name) is None:
        raise NoInventory
    return await inventories.capabilities(where, name)
