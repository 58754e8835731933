"""Read, vread, history, create, update, delete, search: over HTTP and inside Bundles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import answer as answers
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.bundles import searchset, versions
from polyclinic.fhirserver.rest.owners import Owners
from polyclinic.fhirserver.rest.registered import Operation, Registered, Write, WriteAction
from polyclinic.fhirserver.search.cursor import Cursor, Cursors
from polyclinic.fhirserver.search.include import included
from polyclinic.fhirserver.search.query import Query, parse
from polyclinic.fhirserver.search.run import Search
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.history import Window
from polyclinic.fhirserver.store.rows import Document
from polyclinic.fhirserver.store.store import Outcome, Store
from polyclinic.foundation import ids
from polyclinic.foundation.errors import Invalid, MethodRefused, NotSupported
from polyclinic.standards.fhir.definitions import in_patient_compartment, resource_types

_NOTHING = Registered()
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Ask:
    """One interaction as a client words it, over HTTP or as an entry of a Bundle."""

    method: str
    path: tuple[str, ...]
    pairs: Pairs = ()
    body: bytes = b""
    resource: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def decoded(self) -> dict[str, Any]:
        return self.resource if self.resource is not None else reading.decoded(self.body)


class OwnedElsewhere(MethodRefused):
    """Another service keeps this type; write it through its own door."""


class Interactions:
    """All that a client may do with resources; every method takes the errand first."""

    def __init__(
        self,
        store: Store,
        search: Search,
        foreign: frozenset[str],
        registered: Mapping[str, Registered] | None = None,
    ) -> None:
        self.store, self.search = store, search
        self._foreign = foreign
        self._registered = registered
        self.owners: Owners | None = None
        self._cursors = Cursors.of(store.vault)

    async def carry(self, errand: Errand, ask: Ask, base: str) -> Answer:
        """Carries an interaction out here, or has the owner of the type do it."""
        if self.owners is not None and self.owners.keeps(ask.path):
            return await self.owners.carry(errand, ask)
        return await self._choose(errand, ask, base)

    async def _choose(self, errand: Errand, ask: Ask, base: str) -> Answer:
        """Chooses the interaction by method and path."""
        path = list(ask.path)
        method = "GET" if ask.method == "HEAD" else ask.method
        kind = reading.a_type(path[0])
        if len(path) == 1:
            return await self._of_type(errand, ask, kind, method, base)
        if path[1] == "_search" and len(path) == 2:
            _only(method, "POST", "GET")
            return await self._search(errand, kind, ask, base)
        operation = path[-1] if path[-1].startswith("$") and len(path) <= 3 else None
        if operation is not None:
            _only(method, "GET", "POST")
            name = reading.an_id(path[1]) if len(path) == 3 else None
            return await self._operate(errand, ask, kind, name, operation)
        if path[1].startswith(("_", "$")):
            raise NotSupported("This operation is not offered.", place="url")
        name = reading.an_id(path[1])
        if len(path) == 2:
            return await self._of_one(errand, ask, kind, name, method)
        if path[2] == "_history":
            _only(method, "GET")
            return await self._past(errand, ask, kind, name, base)
        if kind == "Patient" and len(path) == 3 and path[2] in _COMPARTMENT:
            _only(method, "GET")
            return await self._compartment(errand, ask, name, path[2], base)
        raise NotSupported("There is nothing at this address.", place="url")

    async def _of_type(self, errand: Errand, ask: Ask, kind: str, method: str, base: str) -> Answer:
        if method == "GET":
            return await self._search(errand, kind, ask, base)
        if method in ("PUT", "DELETE", "PATCH"):
            raise MethodRefused(f"Conditional {method} is not offered yet.", place="url")
        _only(method, "POST")
        return await self._create(errand, kind, ask)

    async def _of_one(self, errand: Errand, ask: Ask, kind: str, name: str, method: str) -> Answer:
        if method == "GET":
            return await self._read(errand, kind, name, ask)
        if method == "PUT":
            return await self._update(errand, kind, name, ask)
        if method == "DELETE":
            return await self._delete(errand, kind, name, ask)
        raise MethodRefused(f"{method} is not offered for one resource.", place="url")

    async def _operate(
        self, errand: Errand, ask: Ask, kind: str, name: str | None, operation: str
    ) -> Answer:
        action = self._actions(kind).operations.get(operation)
        if action is None:
            raise NotSupported(f"{kind} has no operation {operation[:64]!r} here.", place="url")
        errand.access.to("r", kind)
        has_body = bool(ask.body.strip()) or ask.resource is not None
        parameters = reading.checked(ask.decoded()) if ask.method == "POST" and has_body else None
        key = ask.headers.get("idempotency-key")
        return await action(Operation(errand, name, tuple(ask.pairs), parameters, key))

    def _actions(self, kind: str) -> Registered:
        """The actions of a type; a server without a registry keeps documents of any type."""
        return (self._registered or {}).get(kind, _NOTHING)

    async def _register(
        self, errand: Errand, ask: Ask, kind: str, name: str | None, verb: str
    ) -> Outcome:
        """Hands a write to the action that the owner of the type registered."""
        action: WriteAction | None = getattr(self._actions(kind), verb)
        if action is None:
            raise MethodRefused(f"{kind} is not changed by {verb} here.", place=kind)
        resource = None
        if verb != "delete":
            resource = reading.checked(reading.of_type(ask.decoded(), kind))
        if_match = reading.version_of(ask.headers.get("if-match"))
        key = ask.headers.get("idempotency-key")
        return await action(Write(errand, name, resource, if_match, key))

    async def _read(self, errand: Errand, kind: str, name: str, ask: Ask) -> Answer:
        document = await self.store.read(errand, errand.access.to("r", kind), kind, name)
        if ask.headers.get("if-none-match") == f'W/"{document.version}"':
            return Answer(304, None, document)
        return Answer(200, document.body, document)

    async def _past(self, errand: Errand, ask: Ask, kind: str, name: str, base: str) -> Answer:
        grant = errand.access.to("r", kind)
        if len(ask.path) == 4:
            if not ask.path[3].isdecimal() or len(ask.path[3]) > 9:
                raise Invalid("A version is a number.", place="url")
            number = int(ask.path[3])
            document = await self.store.version(errand, grant, kind, name, number)
            return Answer(200, document.body, document)
        if len(ask.path) > 4:
            raise NotSupported("There is nothing at this address.", place="url")
        before, count = _history_window(ask.pairs)
        found = await self.store.history(errand, grant, kind, name, Window(None, before, count + 1))
        if not found and before is None:
            await self.store.read(errand, grant, kind, name)
        return Answer(200, versions(found, count, base))

    async def _create(self, errand: Errand, kind: str, ask: Ask) -> Answer:
        grant = errand.access.to("c", kind)
        self.need_own(kind)
        if self._registered is not None:
            return written(await self._register(errand, ask, kind, None, "create"), ask.headers)
        if "if-none-exist" in ask.headers:
            raise MethodRefused(
                "Conditional create is offered inside transaction Bundles (ifNoneExist).",
                place="If-None-Exist",
            )
        resource = reading.checked(reading.of_type(ask.decoded(), kind))
        outcome = await self.store.create(Draft(errand, grant, kind, ids.new_id(), resource))
        return written(outcome, ask.headers)

    async def _update(self, errand: Errand, kind: str, name: str, ask: Ask) -> Answer:
        grant = errand.access.to("u", kind)
        self.need_own(kind)
        if self._registered is not None:
            return written(await self._register(errand, ask, kind, name, "update"), ask.headers)
        resource = reading.of_type(ask.decoded(), kind)
        if resource.get("id") != name:
            raise Invalid(f"The body's id must be {name!r}, as in the address.", place=f"{kind}.id")
        reading.checked(resource)
        draft = Draft(
            errand, grant, kind, name, resource,
            if_match=reading.version_of(ask.headers.get("if-match")),
            may_create=errand.access.wide,
        )  # fmt: skip
        return written(await self.store.put(draft), ask.headers)

    async def _delete(self, errand: Errand, kind: str, name: str, ask: Ask) -> Answer:
        grant = errand.access.to("d", kind)
        self.need_own(kind)
        if self._registered is not None:
            outcome = await self._register(errand, ask, kind, name, "delete")
            return Answer(204, None, outcome.document)
        match = reading.version_of(ask.headers.get("if-match"))
        outcome = await self.store.put(Draft(errand, grant, kind, name, None, if_match=match))
        return Answer(204, None, outcome.document)

    def need_own(self, kind: str) -> None:
        if kind in self._foreign:
            raise OwnedElsewhere(place=kind)

    async def _search(self, errand: Errand, kind: str, ask: Ask, base: str) -> Answer:
        lenient = "handling=lenient" in ask.headers.get("prefer", "")
        pairs = [*ask.pairs]
        if ask.method == "POST":
            pairs += form(ask.body)
            reading.check_format(pairs)
        return await self._find(errand, kind, pairs, base, lenient=lenient)

    async def _compartment(
        self, errand: Errand, ask: Ask, patient: str, kind: str, base: str
    ) -> Answer:
        """`Patient/123/Observation?…` is the type's search within that chart."""
        # Whom it is about, before who performed, wrote or paid for it.
        about = ("patient", "subject", "beneficiary", *_COMPARTMENT[kind])
        parameter = next(code for code in about if code in _COMPARTMENT[kind])
        pairs = [(parameter, f"Patient/{patient}"), *ask.pairs]
        return await self._find(errand, kind, pairs, base, lenient=False)

    async def _find(
        self, errand: Errand, kind: str, pairs: Pairs, base: str, *, lenient: bool
    ) -> Answer:
        grant = errand.access.to("s", kind)
        query, after = self._query(errand, kind, pairs, lenient=lenient)
        page = await self.search.page(errand, grant, query, after)
        others = await included(self.store, self.search, errand, query, page.hits)
        after_text = None
        if page.after is not None:
            after_text = self._cursors.seal(page.after, errand.access.actor, kind)
        return Answer(200, searchset(query, page, others, base, after_text))

    def _query(
        self, errand: Errand, kind: str, pairs: Pairs, *, lenient: bool
    ) -> tuple[Query, Cursor | None]:
        sealed = [value for name, value in pairs if name == "_page"]
        if not sealed:
            return parse(kind, pairs, lenient=lenient), None
        cursor = self._cursors.open(sealed[-1], errand.access.actor, kind)
        return parse(kind, cursor.pairs, lenient=lenient), cursor


def form(body: bytes) -> list[tuple[str, str]]:
    """The parameters of a POST _search; raises Invalid when they are no form."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body.strip()))
    except ValueError as bad:
        raise Invalid("The body is not a form of search parameters.", place="body") from bad


def written(outcome: Outcome, headers: Mapping[str, str]) -> Answer:
    """201 or 200 with the version, and as much of the resource as the client prefers."""
    document: Document = outcome.document
    location = f"{document.type}/{document.id}/_history/{document.version}"
    prefer = headers.get("prefer", "")
    body = document.body
    if "return=minimal" in prefer:
        body = None
    elif "return=OperationOutcome" in prefer:
        body = answers.remark(f"Kept as version {document.version}.")
    return Answer(201 if outcome.created else 200, body, document, location)


def _only(method: str, *offered: str) -> None:
    if method not in offered:
        raise MethodRefused(f"{method} is not offered at this address.", place="url")


def _history_window(pairs: Pairs) -> tuple[int | None, int]:
    before, count = None, 50
    for name, value in pairs:
        if name not in ("_count", "_before", "_format", "_pretty"):
            raise Invalid(f"A history has no parameter {name[:64]!r}.", place=name[:64])
        if name in ("_count", "_before") and not (value.isdecimal() and 0 < len(value) < 10):
            raise Invalid(f"{name} is a number.", place=name)
        if name == "_count":
            count = max(1, min(int(value), 200))
        if name == "_before":
            before = int(value)
    return before, count


_COMPARTMENT: Mapping[str, tuple[str, ...]] = {
    kind: codes for kind in resource_types() if (codes := in_patient_compartment(kind))
}
