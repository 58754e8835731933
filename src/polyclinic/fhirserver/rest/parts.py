"""What the interactions of one mounted server work with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from polyclinic.fhirserver.access import Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.fhirserver.rest.conditional import Conditional
from polyclinic.fhirserver.rest.registered import Registered, Write, WriteAction
from polyclinic.fhirserver.search.cursor import Cursors
from polyclinic.fhirserver.search.run import Search
from polyclinic.fhirserver.store.store import Outcome, Store
from polyclinic.foundation.errors import MethodRefused

_NOTHING = Registered()


class OwnedElsewhere(MethodRefused):
    """Another service keeps this type; write it through its own door."""


@dataclass(slots=True)
class Parts:
    """Store, search and the rules of who owns what; `registered`: only these types are served."""

    store: Store
    search: Search
    foreign: frozenset[str]
    registered: Mapping[str, Registered] | None
    conditional: Conditional = field(init=False)
    cursors: Cursors = field(init=False)

    def __post_init__(self) -> None:
        self.conditional = Conditional(self.store, self.search)
        self.cursors = Cursors.of(self.store.vault)

    def actions(self, kind: str) -> Registered:
        """The actions of a type; a server without a registry keeps documents of any type."""
        return (self.registered or {}).get(kind, _NOTHING)

    def may_write(self, errand: Errand, letter: str, kind: str) -> Grant:
        """The Grant to change a type that is kept here."""
        grant = errand.access.to(letter, kind)
        self.need_own(kind)
        return grant

    def person(self, name: str) -> int:
        """The opaque number of a patient."""
        return self.store.terms.person(f"Patient/{name}")

    def need_own(self, kind: str) -> None:
        if kind in self.foreign:
            raise OwnedElsewhere(place=kind)

    def need_documents(self, kind: str, what: str) -> None:
        """Refuses what an owner's own action would have to decide, and does not offer."""
        if self.registered is not None:
            raise MethodRefused(f"{kind} is not changed by {what} here.", place=kind)

    async def register(
        self, errand: Errand, ask: Ask, kind: str, name: str | None, verb: str
    ) -> Outcome:
        """Hands a write to the action that the owner of the type registered."""
        action: WriteAction | None = getattr(self.actions(kind), verb)
        if action is None:
            raise MethodRefused(f"{kind} is not changed by {verb} here.", place=kind)
        resource = None
        if verb != "delete":
            resource = reading.checked(reading.of_type(ask.decoded(), kind))
        key = ask.headers.get("idempotency-key")
        return await action(Write(errand, name, resource, ask.if_match, key))
