"""What is read of a message while it is mapped: values by path, what was used, what was odd."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from polyclinic.services.integration.domain.intents import ChannelRules, Note, Step
from polyclinic.services.integration.domain.mapping.nodes import Node, of_repetition, of_text
from polyclinic.standards.hl7v2 import Message, Segment
from polyclinic.standards.hl7v2.paths import Spot, spot

NOTES_MAX = 200  # of one message; a message that is odd in every line is known to be after these
STEPS_MAX = 5_000
REPETITIONS_MAX = 300  # of one field


@dataclass(slots=True)
class Reading:
    """One message being mapped. Collects notes and steps; nothing in it is a patient's."""

    message: Message
    channel: ChannelRules
    notes: dict[Note, None] = field(default_factory=dict[Note, None])
    steps: list[Step] = field(default_factory=list[Step])
    used: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    def note(self, place: str, text: str, severity: str = "warning") -> None:
        if len(self.notes) < NOTES_MAX:
            self.notes[Note(place, severity, text)] = None

    def step(self, rule: str, source: str, target: str) -> None:
        if len(self.steps) < STEPS_MAX:
            self.steps.append(Step(rule, source, target))

    def option(self, name: str, default: str) -> str:
        """A switch of the channel's `mapping`; YAML reads a bare `yes` as true."""
        said = self.channel.mapping.get(name, default)
        return ("no", "yes")[said] if isinstance(said, bool) else str(said)


# What stands once for all groups of a message. Everything else is looked for in its group only:
# an order must not take the number, the drug or the timing of its neighbour.
SHARED = frozenset({"MSH", "EVN", "PID", "PD1", "PV1", "PV2", "DG1", "ROL", "SCH", "TXA"})


@dataclass(frozen=True, slots=True)
class Scope:
    """Where paths are looked up: a segment, then its group, then what the message shares."""

    reading: Reading
    segments: tuple[Segment, ...] = ()  # of the group
    segment: Segment | None = None

    def at(self, segment: Segment) -> "Scope":
        return replace(self, segment=segment)

    def named(self, name: str) -> Sequence[Segment]:
        """Segments of that name in the group, or of the message where they are for all."""
        found = [each for each in self.segments if each.name == name]
        if found or (self.segments and name not in SHARED):
            return found
        return self.reading.message.segments(name)

    def text(self, path: str) -> str | None:
        """What a path says; `event` is the trigger event."""
        if path == "event":
            return self.reading.message.event or None
        return next((node.text for node in self.nodes(path) if node.text), None)

    def nodes(self, path: str) -> Iterator[Node]:
        """The values at a path, one for each repetition; an empty one where nothing stands."""
        if path == "event":
            yield of_text(self.reading.message.event, "MSH-9.2")
            return
        name, where = _split(path)
        segment = self._segment(name)
        if segment is None:
            return
        self.reading.used.add((segment.index, where.field))
        for count, node in enumerate(_all_of(segment, where)):
            if count >= REPETITIONS_MAX:
                self.reading.note(node.place, "There are more repetitions than are read.", "error")
                return
            yield node if not where.component else node.node(_inner(where))

    def all_nodes(self, paths: Iterable[str]) -> list[Node]:
        """Of the first path where something stands, be it a deletion."""
        for path in paths:
            if found := [n for n in self.nodes(path) if n.is_null or not n.is_empty]:
                return found
        return []

    def _segment(self, name: str) -> Segment | None:
        if not name or (self.segment is not None and self.segment.name == name):
            return self.segment
        return next(iter(self.named(name)), None)


@lru_cache(4096)
def _split(path: str) -> tuple[str, Spot]:
    name, dash, rest = path.rpartition("-")
    return (name, spot(rest)) if dash else ("", spot(path))


def _inner(where: Spot) -> str:
    return f"{where.component}.{where.subcomponent}" if where.subcomponent else f"{where.component}"


def _all_of(segment: Segment, where: Spot) -> Iterator[Node]:
    for each in segment.repetitions(where.field):
        yield of_repetition(each)
