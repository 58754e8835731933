"""Plans, each version with all that went into it, and what was said of gates."""

from typing import LiteralString, NamedTuple

import msgspec

from polyclinic.foundation.database import Database, Transaction
from polyclinic.services.migration.domain.plan import Inputs, Plan, Said

_ADD: LiteralString = """
    INSERT INTO migration.plan (inventory, version, author, document) VALUES ($1, $2, $3, $4)"""
_NEWEST: LiteralString = """
    SELECT version, document FROM migration.plan WHERE inventory = $1
    ORDER BY version DESC LIMIT 1"""
# What was said last of each of something, by its subject: `harbor/patients`, `harbor/patients/all`.
_LAST_SAID: LiteralString = """
    SELECT DISTINCT ON (subject) subject, author, document FROM migration.decision
    WHERE kind = $1 AND starts_with(subject, $2) ORDER BY subject, number DESC"""


class Version(NamedTuple):
    """The inputs in force, and as which version."""

    number: int
    inputs: Inputs


async def newest(where: Database | Transaction, inventory: str) -> Version | None:
    row = await where.fetchrow(_NEWEST, inventory)
    if row is None:
        return None
    return Version(row["version"], msgspec.json.decode(row["document"], type=Plan).inputs)


async def add(tx: Transaction, inventory: str, version: int, author: str, plan: Plan) -> None:
    await tx.execute(_ADD, inventory, version, author, msgspec.json.encode(plan))


async def last_said(
    where: Database | Transaction, kind: str, inventory: str
) -> dict[str, tuple[str, bytes]]:
    """Author and document of the last decision of a kind, by what it was about."""
    rows = await where.fetch(_LAST_SAID, kind, f"{inventory}/")
    start = len(inventory) + 1
    return {row["subject"][start:]: (row["author"], row["document"]) for row in rows}


async def gates(where: Database | Transaction, inventory: str) -> dict[tuple[str, str], Said]:
    """What was said last of each gate, by capability and gate."""
    found: dict[tuple[str, str], Said] = {}
    for about, (author, document) in (await last_said(where, "gate", inventory)).items():
        capability, _, gate = about.rpartition("/")
        value = msgspec.json.decode(document)
        found[capability, gate] = Said(
            state=value["state"], author=author, evidence=value.get("evidence")
        )
    return found
