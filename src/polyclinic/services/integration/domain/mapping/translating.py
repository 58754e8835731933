"""A message as what it asks for: pure, so that the same message is always the same translation."""

from collections.abc import Callable, Mapping

from polyclinic.services.integration.domain.intents import (
    ChannelRules,
    Intent,
    Keep,
    Refused,
    Translation,
    Unsupported,
)
from polyclinic.services.integration.domain.mapping import (
    appointing,
    charging,
    documenting,
    merging,
    reporting,
    tables,
)
from polyclinic.services.integration.domain.mapping.documents import Making
from polyclinic.services.integration.domain.mapping.losing import unused_of
from polyclinic.services.integration.domain.mapping.persons import known_person, need_person
from polyclinic.services.integration.domain.mapping.ranking import occurred
from polyclinic.services.integration.domain.mapping.reading import Reading, Scope
from polyclinic.services.integration.domain.mapping.tables import Trigger
from polyclinic.standards.hl7v2 import Message

Does = Callable[[Trigger, Making], tuple[Intent, ...]]

# Kinds of which a snapshot lists all, where it lists any.
LISTED: Mapping[str, tuple[str, ...]] = {
    "RelatedPerson": ("NK1",),
    "Coverage": ("IN1",),
    "AllergyIntolerance": ("AL1",),
}


def translate(message: Message, channel: ChannelRules) -> Translation:
    """Raises Unsupported, Refused, or Malformed for bytes that are none of the character set."""
    trigger = tables.triggers().get((message.code, message.event))
    if trigger is None:
        raise Unsupported(f"No table says what {_word(message.code)}^{_word(message.event)} means.")
    reading = Reading(message, channel)
    _require(trigger, reading)
    _one_person(trigger, reading)
    at, rank = occurred(reading)
    making = Making(reading, rank)
    intents = _DOES[trigger.does](trigger, making)
    person = known_person(trigger.person, making)
    return Translation(
        f"{message.code}^{message.event}",
        at,
        person,
        intents,
        tuple(reading.notes),
        tuple(reading.steps),
        unused_of(reading),
        tuple(f"{each.system}|{each.value}" for each in person.identifiers[:1]) if person else (),
    )


def _word(text: str) -> str:
    """What may be shown of a trigger: three letters or digits."""
    return text if text.isascii() and text.isalnum() and len(text) == 3 else "?"


def _require(trigger: Trigger, reading: Reading) -> None:
    scope = Scope(reading)
    for ways in trigger.requires:
        if not any(scope.text(path.strip()) for path in ways.split("|")):
            raise Refused(f"{ways.replace(' | ', ' or ')} is missing.", place=ways.split(" ")[0])


def _one_person(trigger: Trigger, reading: Reading) -> None:
    """What is said of one must never be filed for another."""
    people = {segment.field(3) for segment in reading.message.segments("PID")}
    if len(people) > 1 and trigger.does not in ("merge", "unmerge"):
        raise Refused("The message is about several persons; each needs its own.", place="PID[2]")


def _keep(trigger: Trigger, making: Making) -> tuple[Intent, ...]:
    person = need_person(trigger.person, making)
    for name in trigger.documents:
        making.make(tables.recipes()[name])
    channel = making.reading.channel
    is_snapshot = channel.mode == "snapshot"
    return (
        Keep(
            person,
            tuple(making.made.values()),
            is_snapshot,
            trigger.creates_person and channel.create_person,
            _complete(making, trigger) if is_snapshot else (),
        ),
    )


def _complete(making: Making, trigger: Trigger) -> tuple[str, ...]:
    """Only of an ADT, which tells the whole; an order names what the order is about."""
    if trigger.code != "ADT":
        return ()
    message = making.reading.message
    return tuple(
        kind for kind, names in LISTED.items() if any(message.segments(each) for each in names)
    )


_DOES: Mapping[str, Does] = {
    "keep": _keep,
    "merge": merging.merge,
    "unmerge": merging.unmerge,
    "report": reporting.report,
    "document": documenting.document,
    "appointment": appointing.appointment,
    "block": appointing.block,
    "charge": charging.charge,
}
