"""Which interaction a request is: chosen by method and path, over HTTP and inside Bundles."""

from collections.abc import Mapping

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import create as creating
from polyclinic.fhirserver.rest import delete as deleting
from polyclinic.fhirserver.rest import history as histories
from polyclinic.fhirserver.rest import patch as patching
from polyclinic.fhirserver.rest import read as reads
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest import search as searching
from polyclinic.fhirserver.rest import update as updating
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask, only
from polyclinic.fhirserver.rest.everything import everything
from polyclinic.fhirserver.rest.owners import Owners
from polyclinic.fhirserver.rest.parts import Parts
from polyclinic.fhirserver.rest.registered import Operation, Registered
from polyclinic.fhirserver.rest.validate import validate
from polyclinic.fhirserver.search.run import Search
from polyclinic.fhirserver.store.store import Store
from polyclinic.foundation.errors import MethodRefused, NotSupported

__all__ = ["Ask", "Interactions"]


class Interactions:
    """All that a client may do with resources; every method takes the errand first."""

    def __init__(
        self,
        store: Store,
        search: Search,
        foreign: frozenset[str],
        registered: Mapping[str, Registered] | None = None,
    ) -> None:
        self.parts = Parts(store, search, foreign, registered)
        self.owners: Owners | None = None

    async def carry(self, errand: Errand, ask: Ask, base: str) -> Answer:
        """Carries an interaction out here, or has the owner of the type do it."""
        if self.owners is not None and self.owners.keeps(ask.path):
            return await self.owners.carry(errand, ask, base)
        return await self._choose(errand, ask, base)

    def _kept_here(self, name: str) -> str:
        kind = reading.a_type(name)
        if kind in self.parts.foreign:
            raise NotSupported(f"No service of this installation keeps {kind}.", place="url")
        return kind

    async def _choose(self, errand: Errand, ask: Ask, base: str) -> Answer:
        """Chooses the interaction by method and path."""
        path, method = ask.path, "GET" if ask.method == "HEAD" else ask.method
        if path == ("_history",):
            only(method, "GET")
            return await histories.history_of_all(self.parts, errand, ask, base)
        kind = self._kept_here(path[0])
        if len(path) == 1:
            return await self._of_type(errand, ask, kind, method, base)
        if path[1] in ("_search", "_history") and len(path) == 2:
            return await self._across(errand, ask, kind, method, base)
        if path[-1].startswith("$") and len(path) <= 3:
            only(method, "GET", "POST")
            name = reading.an_id(path[1]) if len(path) == 3 else None
            return await self._operate(errand, ask, kind, name, base)
        if path[1].startswith(("_", "$")):
            raise NotSupported("This operation is not offered.", place="url")
        name = reading.an_id(path[1])
        if len(path) == 2:
            return await self._of_one(errand, ask, kind, name, method)
        only(method, "GET")
        return await self._below(errand, ask, kind, name, base)

    async def _of_type(self, errand: Errand, ask: Ask, kind: str, method: str, base: str) -> Answer:
        if method == "GET":
            return await searching.search(self.parts, errand, kind, ask, base)
        if method == "PUT":
            return await updating.update_matching(self.parts, errand, kind, ask)
        if method == "DELETE":
            return await deleting.delete_matching(self.parts, errand, kind, ask)
        if method == "PATCH":
            return await patching.patch_matching(self.parts, errand, kind, ask)
        only(method, "POST")
        return await creating.create(self.parts, errand, kind, ask)

    async def _across(self, errand: Errand, ask: Ask, kind: str, method: str, base: str) -> Answer:
        if ask.path[1] == "_search":
            only(method, "POST", "GET")
            return await searching.search(self.parts, errand, kind, ask, base)
        only(method, "GET")
        return await histories.history_of_type(self.parts, errand, kind, ask, base)

    async def _of_one(self, errand: Errand, ask: Ask, kind: str, name: str, method: str) -> Answer:
        if method == "GET":
            return await reads.read(self.parts, errand, kind, name, ask)
        if method == "PUT":
            return await updating.update(self.parts, errand, kind, name, ask)
        if method == "DELETE":
            return await deleting.delete(self.parts, errand, kind, name, ask)
        if method == "PATCH":
            return await patching.patch(self.parts, errand, kind, name, ask)
        raise MethodRefused(f"{method} is not offered for one resource.", place="url")

    async def _below(self, errand: Errand, ask: Ask, kind: str, name: str, base: str) -> Answer:
        path = ask.path
        if path[2] == "_history" and len(path) == 3:
            return await histories.history(self.parts, errand, kind, name, ask, base)
        if path[2] == "_history" and len(path) == 4:
            return await reads.vread(self.parts, errand, kind, name, path[3])
        if kind == "Patient" and len(path) == 3 and path[2] in searching.COMPARTMENT:
            return await searching.search_chart(self.parts, errand, name, path[2], ask, base)
        raise NotSupported("There is nothing at this address.", place="url")

    async def _operate(
        self, errand: Errand, ask: Ask, kind: str, name: str | None, base: str
    ) -> Answer:
        operation = ask.path[-1]
        if operation == "$validate":
            only(ask.method, "POST")
            return await validate(errand, kind, name, ask)
        if operation == "$everything" and kind == "Patient" and name is not None:
            return await everything(self.parts, errand, name, ask, base)
        action = self.parts.actions(kind).operations.get(operation)
        if action is None:
            raise NotSupported(f"{kind} has no operation {operation[:64]!r} here.", place="url")
        if not any(errand.access.grants[letter].allows_type(kind) for letter in "rcu"):
            errand.access.to("r", kind)
        has_body = bool(ask.body.strip()) or ask.resource is not None
        parameters = reading.checked(ask.decoded()) if ask.method == "POST" and has_body else None
        key = ask.headers.get("idempotency-key")
        return await action(Operation(errand, name, tuple(ask.pairs), parameters, key))
