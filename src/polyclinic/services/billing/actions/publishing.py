"""Publishes claims and what payers decided to records, where other payers' histories stand too."""

from collections.abc import Callable
from uuid import UUID

import msgspec

from polyclinic.foundation import telemetry
from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import Unavailable
from polyclinic.services.billing.actions.describing import describe
from polyclinic.services.billing.actions.state import Books
from polyclinic.services.billing.domain import documents
from polyclinic.services.billing.domain.documents import Line, Resource, Story
from polyclinic.services.billing.gateways import documents as records
from polyclinic.services.billing.store import claims, publications, remittances

KINDS: dict[str, Callable[[Story], Resource]] = {
    "Claim": documents.claim,
    "ClaimResponse": documents.claim_response,
    "ExplanationOfBenefit": documents.explanation,
}
WAIT_MAX = 3600


async def publish(books: Books) -> int:
    """Sends what records does not have yet; what fails waits longer each time."""
    if not records.is_there(books.running):
        return 0
    database, sent = books.running.database, 0
    for row in await publications.waiting(database):
        kind, claim = row["kind"], row["claim"]
        try:
            await records.publish(books.running, KINDS[kind](await tell(books, claim)))
        except Unavailable:
            await _later(books, row)
            return sent
        except records.Refused:
            telemetry.log("document refused", kind=kind, count=row["tries"] + 1)
            await _later(books, row)
        except Exception as bug:  # noqa: BLE001 - such as a destroyed key: it holds up no other
            telemetry.log_bug("document not made", bug, kind=kind, count=row["tries"] + 1)
            await _later(books, row)
        else:
            await publications.told(database, kind, claim, row["version"])
            sent += 1
    return sent


async def _later(books: Books, row: Row) -> None:
    seconds = min(2 ** min(row["tries"], 20), WAIT_MAX)
    await publications.later(books.running.database, row["kind"], row["claim"], seconds)


async def tell(books: Books, claim: UUID) -> Story:
    """A claim as its documents tell it."""
    found = await claims.find(books.running.database, claim)
    assert found is not None
    all_of_it = await describe(books, found)
    rows = await remittances.of_claim(books.running.database, claim)
    kind = tuple[tuple[str, str, int], ...]
    decided = tuple(
        Line(
            row["charge"], row["charged"], row["paid"], row["patient_share"],
            msgspec.json.decode(row["adjustments"], type=kind),
        )
        for row in rows
    )  # fmt: skip
    npi = all_of_it.provider.npi if all_of_it.provider else ""
    return Story(
        found, all_of_it.visit, all_of_it.lines, all_of_it.coverage, all_of_it.payer, npi, decided,
    )  # fmt: skip
