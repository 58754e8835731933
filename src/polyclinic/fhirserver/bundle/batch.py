"""Batches: each entry stands alone and answers for itself; several travel side by side."""

import asyncio
from typing import Any

from polyclinic.fhirserver.bundle.entries import Entry, listed_entries, read_entry
from polyclinic.fhirserver.bundle.room import Room
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.interactions import Interactions
from polyclinic.foundation.errors import Problem

AT_ONCE = 16


async def batch(
    interactions: Interactions, errand: Errand, bundle: dict[str, Any], base: str, room: Room
) -> list[tuple[Entry | None, Answer]]:
    """The answer of each entry in order; None stands for an entry that cannot be read."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, written: Any) -> tuple[Entry | None, Answer]:
        async with places:
            try:
                entry = read_entry(number, written)
            except Problem as problem:
                return None, room.refused(problem)
            return entry, await room.carry(interactions, errand, entry, base)

    listed = enumerate(listed_entries(bundle))
    return list(await asyncio.gather(*(one(number, written) for number, written in listed)))
