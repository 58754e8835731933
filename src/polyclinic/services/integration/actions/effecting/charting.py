"""Keeps what a message says of a chart: one transaction, with the Provenance that witnesses it.

A worker may die between records' commit and ours. Whoever takes the message up finds the witness,
and knows that all of it was done.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import msgspec

from polyclinic.foundation import clock
from polyclinic.services.integration.actions.effecting import others, waking, who
from polyclinic.services.integration.actions.effecting.work import Found, Resource, Waits, Work
from polyclinic.services.integration.domain import keeping, matching
from polyclinic.services.integration.domain.intents import (
    RETIRED,
    Awaited,
    Document,
    Keep,
    Person,
    Rank,
    Void,
)
from polyclinic.services.integration.domain.naming import (
    PERSON,
    document_id,
    place_of,
    witness_id,
)
from polyclinic.services.integration.domain.overlaying import laid_over
from polyclinic.services.integration.gateways import records
from polyclinic.services.integration.gateways.records import Put
from polyclinic.services.integration.store import effecting as rows
from polyclinic.services.integration.store import matching as questions

ATTEMPTS = 5
# Who somebody is, is said by admissions; a laboratory's copy of it is often old.
_NO_WORD_ON_PERSONS = ("ORU", "OUL", "ORM", "OML", "OMG", "ORL", "MDM", "DFT", "SIU", "RDE", "RAS")
_IN_VERIFICATION = {
    "AllergyIntolerance": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
    "Condition": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be written, and what was said again without a change."""

    puts: list[Put]
    confirmed: list[tuple[str, Rank, str]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What records has: documents by name, and what placeholders lead to."""

    kept: dict[str, Resource | None]
    known: dict[str, str]
    ranks: dict[str, Rank]

    def rank(self, name: str) -> Rank:
        return max(keeping.rank_of(self.kept.get(name)), self.ranks.get(name, ()))


async def keep(work: Work, intent: Keep) -> None:
    """The person and the documents, again from the beginning where somebody else was quicker."""
    for _ in range(ATTEMPTS):
        found = await who.find(work, intent.person, may_create=intent.create_person)
        try:
            await _keep_once(work, intent, found)
        except records.Changed:
            work.found.clear()
            continue
        await who.learn(work, intent.person, found)
        return
    raise Waits("conflict", "Others change the same documents, or one of them was deleted.")


async def _keep_once(work: Work, intent: Keep, found: Found) -> None:
    witness = witness_id(work.message, _part(intent, found.patient))
    seen = await _look(work, intent, found, witness)
    if (done := seen.kept[f"Provenance/{witness}"]) is not None:
        _did_before(work, done)
        return
    await _check_whose(work, _names_of(intent), found, seen)
    plan = _Plan([], [])
    _plan_person(work, intent, found, (seen, plan))
    for document in intent.documents:
        _plan_document(work, document, (seen, plan))
    if not keeping.is_older(intent.person.rank, seen.rank(found.patient)):
        plan.puts.extend(await _retired(work, intent, found, seen))
    await _carry(work, plan, witness)


def _names_of(intent: Keep) -> list[str]:
    """The names of the documents, in their order."""
    return [f"{each.kind}/{document_id(each.kind, each.key)}" for each in intent.documents]


async def _check_whose(work: Work, mine: Sequence[str], found: Found, seen: _Seen) -> None:
    """A number that was used again for somebody else must not move a document to their chart."""
    whose = {_subject(kept) for name in mine if (kept := seen.kept[name]) is not None}
    for patient in whose - {found.patient, ""}:
        if await who.stands_for(work, patient) != found.patient:
            text = "What has the same number here, such as the visit, is another patient's."
            raise Waits("wrong patient", text)


def _part(intent: Any, patient: str) -> str:
    """Another translation of the same message is another deed."""
    return blake2b(msgspec.json.encode([intent, patient]), digest_size=16).hexdigest()


async def _look(work: Work, intent: Keep, found: Found, witness: str) -> _Seen:
    """One look at all that is needed; raises Waits for an order that nobody knows."""
    mine = _names_of(intent)
    links = set[str]().union(*(keeping.placeholders(each.resource) for each in intent.documents))
    known = {PERSON: found.patient} | {
        f"#{each.kind}/{each.key}": name for each, name in zip(intent.documents, mine, strict=True)
    }
    awaited = {f"#{each.kind}/{each.key}": each for each in intent.awaits}
    awaited = {place: each for place, each in awaited.items() if place not in known}
    other = [each for each in links | awaited.keys() if each not in known]
    names = [f"Provenance/{witness}", *mine, *(_name(each) for each in other)]
    seen = dict(zip(names, await records.look(work.running, names), strict=True))
    known |= {each: _name(each) for each in other if seen[_name(each)] is not None}
    if seen[names[0]] is None:
        for place, each in awaited.items():
            await _find_awaited(work, each, (place, found.patient), (seen, known))
    known |= await others.practitioners(work, [each.resource for each in intent.documents])
    ranks = await rows.ranks(work.running.database, [found.patient, *mine])
    return _Seen({**seen, found.patient: found.resource}, known, ranks)


def _name(placeholder: str) -> str:
    place = place_of(placeholder)
    assert place is not None, placeholder
    return f"{place[0]}/{document_id(*place)}"


async def _find_awaited(
    work: Work, awaited: Awaited, whose: tuple[str, str],
    what: tuple[dict[str, Resource | None], dict[str, str]],
) -> None:  # fmt: skip
    """An order by its key or by any of its numbers; it must be the same patient's."""
    (place, patient), (seen, known) = whose, what
    listed = [seen[known[place]]] if place in known else []
    await waking.await_(work, work.document(_name(place)))
    if not listed and awaited.identifiers:
        tokens = ",".join(
            f"{records.escaped(each.system)}%7C{records.escaped(each.value)}"
            for each in awaited.identifiers
        )
        url = f"{awaited.kind}?identifier={tokens}&_count=3"
        listed = list(records.matches((await records.look(work.running, [url]))[0]))
    theirs = [each for each in listed if each and _subject(each) == patient]
    if len(theirs) == 1:
        known[place] = f"{awaited.kind}/{theirs[0]['id']}"
    elif listed:
        raise Waits("wrong order", "The order is another patient's.")
    elif not await questions.is_without_order(work.running.database, work.message):
        raise Waits(waking.ORDER, "Nobody here knows the order yet.")


def _subject(resource: Resource) -> str:
    subject = (
        resource.get("subject") or resource.get("patient") or resource.get("beneficiary") or {}
    )
    return str(subject.get("reference") or "")


def _plan_person(work: Work, intent: Keep, found: Found, what: tuple[_Seen, _Plan]) -> None:
    person, (seen, plan) = _sound(intent.person, found), what
    said = keeping.bound(person.resource, seen.known)
    identity = {"resourceType": "Patient", "id": found.patient.partition("/")[2]}
    kept = found.resource
    if kept is None:
        made = {**said, **identity}
        plan.puts.append(Put(keeping.stamped(made, work.channel, person.rank), 0))
    elif not work.translation.trigger.startswith(_NO_WORD_ON_PERSONS):
        laid = laid_over(
            kept, replace(person, resource=said, unites=(*person.unites, "identifier"))
        )
        made = keeping.given_up(kept, laid)
        _plan(work, (found.patient, person.rank), {**made, **identity}, what)


def _sound(person: Person, found: Found) -> Person:
    """Placeholders are no numbers, and what names a chart that was given up stays there."""
    listed = person.resource.get("identifier")
    if not isinstance(listed, list):
        return person
    sound = [
        each
        for each in listed
        if not matching.is_placeholder(str(each.get("value") or ""))
        and (each.get("system"), each.get("value")) not in found.given_up
    ]
    rest = {name: value for name, value in person.resource.items() if name != "identifier"}
    return replace(person, resource={**rest, **({"identifier": sound} if sound else {})})


def _plan_document(work: Work, document: Document, what: tuple[_Seen, _Plan]) -> None:
    seen, plan = what
    identity = {"resourceType": document.kind, "id": document_id(document.kind, document.key)}
    name = f"{document.kind}/{identity['id']}"
    said = replace(document, resource=keeping.bound(document.resource, seen.known))
    kept = seen.kept[name]
    made = {**laid_over(kept, said), **identity}
    if kept is not None:
        _plan(work, (name, document.rank), made, what)
    elif keeping.is_older(document.rank, seen.rank(name)):
        plan.confirmed.append((name, (), ""))
    else:
        plan.puts.append(Put(keeping.stamped(made, work.channel, document.rank), 0))


def _plan(work: Work, said: tuple[str, Rank], made: Resource, what: tuple[_Seen, _Plan]) -> None:
    """Over what is kept: not by older news, and not without a change."""
    (name, rank), (seen, plan) = said, what
    kept = seen.kept[name]
    assert kept is not None, name
    version = records.version_of(kept)
    if keeping.is_older(rank, seen.rank(name)) or keeping.is_only_new(rank):
        plan.confirmed.append((name, (), str(version)))
    elif keeping.changed(kept, made):
        newest = max(rank, seen.rank(name))
        plan.puts.append(Put(keeping.stamped(made, work.channel, newest), version))
    else:
        plan.confirmed.append((name, rank, str(version)))


async def _retired(work: Work, intent: Keep, found: Found, seen: _Seen) -> list[Put]:
    """What this channel listed before and does not list any more is over, not deleted."""
    if found.resource is None or not intent.complete:
        return []
    kinds = [kind for kind in intent.complete if kind in RETIRED]
    urls = [f"{kind}?patient={found.patient}&_count={records.FOUND_MAX}" for kind in kinds]
    pages = await records.look(work.running, urls)
    puts: list[Put] = []
    for kind, page in zip(kinds, pages, strict=True):
        for kept in records.matches(page):
            made = {**kept, **RETIRED[kind]}
            is_ours = keeping.channel_of(kept) == work.channel
            if is_ours and f"{kind}/{kept['id']}" not in seen.kept and keeping.changed(kept, made):
                stamped = keeping.stamped(made, work.channel, keeping.rank_of(kept))
                puts.append(Put(stamped, records.version_of(kept)))
    return puts


async def void(work: Work, intent: Void) -> None:
    """Says that a document was wrong; of one that is not here only that it was."""
    name = f"{intent.kind}/{document_id(intent.kind, intent.key)}"
    if intent.person is not None:
        found = await who.find(work, intent.person, may_create=False)
        name = found.patient if intent.kind == "Patient" else name
    for _ in range(ATTEMPTS):
        witness = witness_id(work.message, _part(intent, name))
        kept, done = await records.look(work.running, [name, f"Provenance/{witness}"])
        if done is not None:
            _did_before(work, done)
            return
        if kept is None:
            await rows.confirm(work.running.database, name, intent.rank)
            return
        ranks = await rows.ranks(work.running.database, [name])
        plan, seen = _Plan([], []), _Seen({name: kept}, {}, ranks)
        made = {**kept, **_voided(intent)}
        _plan(work, (name, intent.rank), made, (seen, plan))
        try:
            await _carry(work, plan, witness)
        except records.Changed:
            continue
        return
    raise Waits("conflict", "Others change the same document.")


def _voided(intent: Void) -> Resource:
    if intent.kind == "Patient":
        return {"active": False}
    if system := _IN_VERIFICATION.get(intent.kind):
        return {"verificationStatus": {"coding": [{"system": system, "code": intent.status}]}}
    return {"status": intent.status}


async def _carry(work: Work, plan: _Plan, witness: str) -> None:
    if plan.puts:
        puts = [*plan.puts, Put(_witness(work, witness, plan.puts), 0)]
        await records.keep(work.running, puts, str(work.message))
    for put in plan.puts:
        work.did(put.name, "updated" if put.version else "created", put.next)
    await waking.wake(work, [work.document(each.name) for each in plan.puts if not each.version])
    for name, rank, version in plan.confirmed:
        await rows.confirm(work.running.database, name, rank)
        work.did(name, "unchanged", version)


def _witness(work: Work, name: str, puts: Sequence[Put]) -> Resource:
    """Lineage, as FHIR says it: which versions came out of which message."""
    message = {"system": "urn:polyclinic:message", "value": str(work.message)}
    return {
        "resourceType": "Provenance",
        "id": name,
        "target": [{"reference": f"{each.name}/_history/{each.next}"} for each in puts],
        "recorded": clock.now().isoformat(timespec="milliseconds"),
        "agent": [{"who": {"display": f"Channel {work.channel}"}}],
        "entity": [{"role": "source", "what": {"identifier": message}}],
    }


def _did_before(work: Work, witness: Resource) -> None:
    """It was done, and only the word of it was lost."""
    for each in witness["target"]:
        name, _, version = each["reference"].partition("/_history/")
        work.did(name, "created" if version == "1" else "updated", version)
