"""Batches: each entry stands alone and answers for itself; a few travel side by side."""

import asyncio
from typing import Any

from polyclinic.fhirserver.bundle.entries import Entry, read_entries
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.answer import Answer, outcome
from polyclinic.fhirserver.rest.interactions import Interactions
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.http import headers_of, status_of

AT_ONCE = 16


async def batch(
    interactions: Interactions, errand: Errand, bundle: dict[str, Any], base: str
) -> list[tuple[Entry, Answer]]:
    """The answer of each entry in order; what fails is an OperationOutcome in its place."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(entry: Entry) -> tuple[Entry, Answer]:
        async with places:
            try:
                return entry, await interactions.carry(errand, entry.ask, base)
            except Problem as problem:
                return entry, Answer(
                    status_of(problem), outcome(problem), headers=headers_of(problem)
                )

    return list(await asyncio.gather(*(one(entry) for entry in read_entries(bundle))))
