"""Merges and their undoing: who goes on as whom."""

from polyclinic.services.integration.domain.intents import (
    Intent,
    Merge,
    Person,
    Refused,
    Unmerge,
)
from polyclinic.services.integration.domain.mapping import parties
from polyclinic.services.integration.domain.mapping.documents import Making
from polyclinic.services.integration.domain.mapping.persons import need_person
from polyclinic.services.integration.domain.mapping.reading import Scope
from polyclinic.services.integration.domain.mapping.tables import Trigger
from polyclinic.standards.hl7v2 import Segment

_OLD_WORDS = {"A18": "A40", "A36": "A34", "A39": "A40"}  # the event that took their place


def merge(trigger: Trigger, making: Making) -> tuple[Intent, ...]:
    """Each PID (the winner) with the MRG that follows it. Raises Refused."""
    event = making.reading.message.event
    kind = _OLD_WORDS.get(event, event)
    found: list[Intent] = []
    losers: set[str] = set()
    for winner_at, loser_at in _pairs(making):
        winner = need_person(trigger.person, making, winner_at)
        loser = _loser(loser_at, making)
        if _shares(winner, loser):
            raise Refused("MRG-1 names the same person as PID-3.", place="MRG-1")
        losers.update(map(_key, loser.identifiers))
        if any(_key(each) in losers for each in winner.identifiers):
            raise Refused("A person both goes on and ends in this message.", place="MRG-1")
        found.append(Merge(winner, loser, kind))
    if not found:
        raise Refused("No PID is followed by an MRG.", place="MRG-1")
    return tuple(found)


def _key(identifier: object) -> str:
    return f"{getattr(identifier, 'system', '')}|{getattr(identifier, 'value', '')}"


def _shares(one: Person, other: Person) -> bool:
    keys = {_key(each) for each in one.identifiers}
    return any(_key(each) in keys for each in other.identifiers)


def _pairs(making: Making) -> list[tuple[Segment, Segment]]:
    found: list[tuple[Segment, Segment]] = []
    winner: Segment | None = None
    for segment in making.reading.message.segments():
        if segment.name == "PID":
            winner = segment
        elif segment.name == "MRG" and winner is not None:
            found.append((winner, segment))
    return found


def _loser(segment: Segment, making: Making) -> Person:
    """MRG-1, and MRG-4, which older senders wrote. Raises Refused."""
    scope = Scope(making.reading, (segment,), segment)
    found = [
        number
        for path, kind in (("1", "MR"), ("4", "PT"))
        for node in scope.nodes(path)
        if (number := parties.identifier(node, kind, making.reading)) is not None
    ]
    if not found:
        raise Refused("MRG-1 names nobody: it holds no usable identifier.", place="MRG-1")
    making.reading.step(f"merge: {segment.name}-1 is the loser", "MRG-1", "Patient.identifier")
    resource = {"resourceType": "Patient", "identifier": [parties.as_fhir(each) for each in found]}
    return Person(tuple(found), resource, (), making.moment)


def unmerge(trigger: Trigger, making: Making) -> tuple[Intent, ...]:
    """A37: two PIDs that were linked stand apart again. Raises Refused."""
    people = [
        need_person(trigger.person, making, segment)
        for segment in making.reading.message.segments("PID")
    ]
    if len(people) != 2:
        raise Refused("An unlink names two persons, each in a PID.", place="PID")
    if _shares(people[0], people[1]):
        raise Refused("Both PIDs name the same person.", place="PID-3")
    return (Unmerge(people[0], people[1], "A37"),)
