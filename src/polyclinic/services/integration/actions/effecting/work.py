"""A message at work: what was done for it so far, and whom it concerns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation.service import Running
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain.intents import Identifier, Person, Translation
from polyclinic.services.integration.domain.outcomes import Effect

Resource = dict[str, Any]


class Waits(Exception):  # no error: a person is asked
    """A person has to say or mend something first; `reason` is the queue."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


@dataclass(frozen=True, slots=True)
class Found:
    """Who is meant: as records has them, or (none) somebody who is new."""

    patient: str
    resource: Resource | None
    # Numbers of charts that were given up for this one.
    given_up: frozenset[tuple[Any, Any]] = frozenset()
    # Numbers that are known to name this one or those: nothing is to be learnt of them.
    learnt: frozenset[tuple[Any, Any]] = frozenset()


@dataclass(slots=True)
class Work:
    """One message and its channel's name."""

    engine: Engine
    message: UUID
    translation: Translation
    channel: str
    effects: dict[tuple[str, str], Effect] = field(default_factory=dict[tuple[str, str], Effect])
    patients: dict[str, None] = field(default_factory=dict[str, None])
    found: dict[bytes, Found] = field(default_factory=dict[bytes, Found])

    @property
    def running(self) -> Running:
        return self.engine.running

    def did(self, name: str, what: Any, version: str = "") -> None:
        """Notes an effect; the last word on a version counts."""
        self.effects[name, version] = Effect(name, what, version)

    def digest(self, *parts: Any) -> bytes:
        """A keyed hash of values, the same for the same values."""
        return self.engine.digest(*(msgspec.json.encode(each) for each in parts))

    def number(self, identifier: Identifier) -> bytes:
        """A number of another system as the crosswalk has it."""
        return self.digest("number", identifier.system, identifier.value)

    def document(self, name: str) -> bytes:
        """A document as messages wait for it."""
        return self.digest("document", name)

    def numbers(self, identifiers: Sequence[Identifier]) -> list[bytes]:
        return [self.number(each) for each in identifiers]

    def who(self, person: Person) -> bytes:
        """All by which a person was told from others, as a hash: people's word is kept for it."""
        said = person.resource
        listed = sorted((each.system, each.value) for each in person.identifiers)
        names = ("name", "birthDate", "gender", "telecom", "address")
        return self.digest("person", listed, [said.get(each) for each in names])
