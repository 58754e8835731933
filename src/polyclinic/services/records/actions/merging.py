"""Joins two records of one person, and parts them again; nothing of either is moved."""

from dataclasses import dataclass
from typing import Any

from polyclinic.contracts.records import PatientsMerged, PatientsParted
from polyclinic.fhirserver.bundle.entries import Entry
from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.fhirserver.rest.everything import KINDS
from polyclinic.fhirserver.search.run import ChartPage
from polyclinic.fhirserver.store import merging
from polyclinic.fhirserver.store.merging import Merge
from polyclinic.foundation import clock, ids, outbox
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict, Forbidden, Gone, NotFound
from polyclinic.services.records import domain
from polyclinic.services.records.domain import Pair
from polyclinic.standards.fhir import codec

# What was written while two records were one, for a person to sort; more than this is told.
WRITTEN_MAX = 1000
_MAY = frozenset({"system", "front-desk"})


class NotMerged(NotFound):
    """This record was not merged into that one."""


class Changing(Conflict):
    """One of the two records is being changed, or merged by somebody else; try again."""


@dataclass(frozen=True, slots=True)
class Parted:
    """A merge that was taken back, and what of either record was written while it held."""

    merge: Merge
    written: tuple[str, ...]
    more: bool


async def merge(server: FhirServer, errand: Errand, pair: Pair) -> Merge:
    """Gives `pair.loser` up in favour of `pair.winner`; asked again, answers the same merge.

    Raises NotFound, Forbidden, or Unfit where the two cannot be merged.
    """
    loser, winner = await _both(server, errand, pair)
    known = await merging.holding(server.store.database, pair.loser)
    if known is not None and known.winner == pair.winner:
        return known
    domain.need_fit(pair, loser[0], winner[0])
    made = Merge(ids.new_uuid(), pair.loser, pair.winner, clock.now(), loser[0].get("active"))

    async def note(tx: Transaction) -> None:
        if not await merging.begin(tx, server.store.terms, made):
            raise Changing(place="source-patient")
        event = PatientsMerged(merge=str(made.id), winner=made.winner, loser=made.loser, at=made.at)
        await outbox.announce(tx, (f"Patient/{made.winner}", event))

    linked = domain.linked(pair, loser[0], winner[0])
    await _keep(server, errand, linked, (loser[1], winner[1]), note)
    return made


async def preview(server: FhirServer, errand: Errand, pair: Pair) -> dict[str, Any]:
    """The winner as the merge would leave it; nothing is kept."""
    loser, winner = await _both(server, errand, pair)
    domain.need_fit(pair, loser[0], winner[0])
    return domain.linked(pair, loser[0], winner[0])[1]


async def part(server: FhirServer, errand: Errand, pair: Pair) -> Parted:
    """Takes a merge back; says what was written meanwhile, because only a person can sort that."""
    loser, winner = await _both(server, errand, pair)
    known = await merging.holding(server.store.database, pair.loser)
    if known is None or known.winner != pair.winner:
        raise NotMerged(place="source-patient")
    at = clock.now()

    async def note(tx: Transaction) -> None:
        if not await merging.end(tx, server.store.terms, known.id, at):
            raise Changing(place="source-patient")
        event = PatientsParted(merge=str(known.id), winner=pair.winner, loser=pair.loser, at=at)
        await outbox.announce(tx, (f"Patient/{pair.winner}", event))

    parted = domain.unlinked(pair, loser[0], winner[0], active=known.loser_active)
    written = await _written_since(server, errand, known)
    await _keep(server, errand, parted, (loser[1], winner[1]), note)
    return Parted(known, written[:WRITTEN_MAX], len(written) > WRITTEN_MAX)


async def _both(
    server: FhirServer, errand: Errand, pair: Pair
) -> tuple[tuple[dict[str, Any], int], tuple[dict[str, Any], int]]:
    """Loser and winner as they are, with their versions."""
    errand.access.to("u", "Patient")
    grant = errand.access.to("r", "Patient")
    if errand.access.role not in _MAY:
        text = "Records are merged by the front desk, and by programs that may change patients."
        raise Forbidden(text, place="Patient")
    loser = await server.store.read(errand, grant, "Patient", pair.loser)
    winner = await server.store.read(errand, grant, "Patient", pair.winner)
    if loser.body is None or winner.body is None:
        raise Gone(place="Patient")
    found = codec.decode_kept(loser.body), codec.decode_kept(winner.body)
    return (found[0], loser.version), (found[1], winner.version)


async def _keep(
    server: FhirServer,
    errand: Errand,
    changed: tuple[dict[str, Any], dict[str, Any]],
    versions: tuple[int, int],
    note: Any,
) -> None:
    entries = [
        Entry(
            number, None,
            Ask("PUT", ("Patient", each["id"]), resource=each,
                headers={"if-match": f'W/"{version}"'}),
            None,
        )
        for number, (each, version) in enumerate(zip(changed, versions, strict=True))
    ]  # fmt: skip
    await server.transactions.keep(errand, entries, note, check=False)
    server.search.aliases.forget()


async def _written_since(server: FhirServer, errand: Errand, known: Merge) -> tuple[str, ...]:
    """`Type/id/version` of all that lies in either chart and changed since they were one."""
    grant = errand.access.to("r", "Patient")
    found: dict[str, None] = {}
    for kind in KINDS:
        if kind in server.foreign or not grant.allows_type(kind):
            continue
        for patient in (known.winner, known.loser):
            asked = ChartPage(kind, patient, None, known.at, WRITTEN_MAX)
            for hit in (await server.search.chart(grant, asked))[0]:
                document = hit.document
                if document.updated > known.at and kind != "Patient":
                    found[f"{kind}/{document.id}/{document.version}"] = None
        if len(found) > WRITTEN_MAX:
            break
    return tuple(found)
