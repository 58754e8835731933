"""Takes imports in: each unit once, whole, with an exact list of what was refused."""

from typing import Any

import msgspec

from polyclinic.fhirserver.bundle.entries import Entry, listed_entries, read_entry
from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.interactions import Ask
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict, Invalid, NotFound, Problem
from polyclinic.foundation.vault import Place, key_id_of
from polyclinic.foundation.work import Pace
from polyclinic.services.records import store
from polyclinic.services.records.domain import LINES_MAX, Refusal, Unit
from polyclinic.standards.fhir.references import references


class _ImportedMeanwhile(Conflict):
    """Somebody else has just imported the same content."""


async def import_unit(server: FhirServer, errand: Errand, unit: Unit) -> dict[str, Any]:
    """Imports a unit once, whole; says exactly what was refused and why."""
    known = await store.find_import(server.store.database, unit.hash)
    if known is not None:
        return _report("already", known.resources, await _unsealed(server, unit, known.refused))
    entries, refused = await (_lines(unit) if unit.is_lines else _bundle(unit))
    if not entries:
        return _report("refused" if refused else "imported", 0, refused)

    noted = store.Imported(len(entries), await _sealed(server, unit, refused))

    async def note(tx: Transaction) -> None:
        if not await store.add_import(tx, unit.hash, noted):
            raise _ImportedMeanwhile

    try:
        await server.transactions.keep(errand, entries, note, check=False)
    except _ImportedMeanwhile:
        return _report("already", len(entries), refused)
    except (Invalid, Conflict, NotFound) as problem:
        return _report("refused", 0, [*refused, *_refusals(problem)])
    return _report("imported", len(entries), refused)


async def _bundle(unit: Unit) -> tuple[list[Entry], list[Refusal]]:
    """A transaction is kept whole or not at all; of other Bundles, each good resource is kept."""
    try:
        bundle = reading.of_type(reading.decoded(unit.content), "Bundle")
        listed = listed_entries(bundle)
    except Problem as problem:
        return [], _refusals(problem)
    whole = bundle.get("type") == "transaction"
    good: list[Entry] = []
    refused: list[Refusal] = []
    pace = Pace()
    for number, entry in enumerate(listed):
        try:
            good.append(_write(read_entry(number, entry if whole else _as_put(entry))))
        except Problem as problem:
            refused += _refusals(problem, entry=number)
        await pace.step()
    if whole:
        return ([] if refused else good), refused
    lost = {url for each in refused if (url := _urn(listed, each)) is not None}
    return _without_lost(good, lost, refused)


def _as_put(entry: Any) -> dict[str, Any]:
    """An entry of a collection, search result or document, to be kept under the id it has.

    Its address stays, so that links of the others to a `urn:uuid` lead to where it is kept.
    """
    found = entry if isinstance(entry, dict) else {}
    resource = found.get("resource")
    return {"fullUrl": found.get("fullUrl"), "request": _put(resource), "resource": resource}


def _urn(listed: list[Any], refused: Refusal) -> str | None:
    entry = listed[refused.entry or 0]
    url = entry.get("fullUrl") if isinstance(entry, dict) else None
    return url if isinstance(url, str) and url.startswith("urn:") else None


def _without_lost(
    good: list[Entry], lost: set[str], refused: list[Refusal]
) -> tuple[list[Entry], list[Refusal]]:
    """Refuses what leans on a refused entry too: nothing would ever mend such a link."""
    while lost:
        leaning = {e.number: place for e in good if (place := _leans(e, lost)) is not None}
        lost = {e.full_url for e in good if e.number in leaning and e.full_url is not None}
        text = "This refers to an entry that was refused."
        refused += [Refusal(text, place, entry=number) for number, place in leaning.items()]
        good = [e for e in good if e.number not in leaning]
    return good, refused


def _leans(entry: Entry, lost: set[str]) -> str | None:
    found = references(entry.ask.resource or {})
    return next((place for _, _, value, place in found if value in lost), None)


async def _sealed(server: FhirServer, unit: Unit, refused: list[Refusal]) -> bytes | None:
    if not refused:
        return None
    owner = server.store.keys.owner("import", ())
    key = (await server.store.keys.of_owners([owner]))[owner]
    return server.store.vault.seal(key, _place(unit), msgspec.json.encode(refused))


async def _unsealed(server: FhirServer, unit: Unit, sealed: bytes | None) -> list[Refusal]:
    if sealed is None:
        return []
    key_id = key_id_of(sealed)
    await server.store.keys.load([key_id])
    plain = server.store.vault.unseal(server.store.keys.known(key_id), _place(unit), sealed)
    return msgspec.json.decode(plain, type=list[Refusal])


def _place(unit: Unit) -> Place:
    return Place("import_ledger", "refusals", unit.hash.hex(), 1)


def _put(resource: Any) -> dict[str, str]:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    name = resource.get("id") if isinstance(resource, dict) else None
    if isinstance(name, str):
        return {"method": "PUT", "url": f"{kind}/{name}"}
    return {"method": "POST", "url": f"{kind}"}


def _write(entry: Entry) -> Entry:
    if entry.ask.method in ("GET", "HEAD"):
        raise Invalid("An import only writes.", place="request.method")
    kind = reading.a_type(entry.ask.path[0])
    if entry.ask.resource is not None and entry.ask.method != "DELETE":
        reading.checked(reading.of_type(entry.ask.resource, kind))
    return entry


async def _lines(unit: Unit) -> tuple[list[Entry], list[Refusal]]:
    lines = unit.content.splitlines()
    if len(lines) > LINES_MAX:
        raise Invalid(f"A unit has at most {LINES_MAX} lines.", place="body")
    entries: list[Entry] = []
    refused: list[Refusal] = []
    places: set[tuple[str, ...]] = set()
    pace = Pace()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                entries.append(_line(number, line, places))
            except Problem as problem:
                refused += _refusals(problem, line=number)
        await pace.step()
    return entries, refused


def _line(number: int, line: bytes, places: set[tuple[str, ...]]) -> Entry:
    resource = reading.checked(reading.decoded(line))
    request = _put(resource)
    path = tuple(request["url"].split("/"))
    if len(path) == 2 and path in places:
        raise Invalid("The same resource stands twice in this part of the file.", place="id")
    places.add(path)
    return Entry(number, None, Ask(request["method"], path, resource=resource), None)


def _refusals(
    problem: Problem, *, line: int | None = None, entry: int | None = None
) -> list[Refusal]:
    return [Refusal(issue.text, issue.place, line, entry) for issue in problem.issues]


def _report(status: str, resources: int, refused: list[Refusal]) -> dict[str, Any]:
    return {"status": status, "resources": resources, "refused": refused}
