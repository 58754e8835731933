"""The door at `/fhir`: HTTP in, HTTP out; every refusal is an OperationOutcome."""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.fhirserver.access import Access, access_of
from polyclinic.fhirserver.bundle.batch import batch
from polyclinic.fhirserver.bundle.entries import Entry
from polyclinic.fhirserver.bundle.response import response_bundle
from polyclinic.fhirserver.bundle.room import Room
from polyclinic.fhirserver.bundle.transaction import Transactions
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import capability, reading
from polyclinic.fhirserver.rest.answer import MEDIA_TYPE, Answer, outcome
from polyclinic.fhirserver.rest.interactions import Ask, Interactions
from polyclinic.fhirserver.rest.owners import Owners
from polyclinic.fhirserver.rest.patch import MEDIA_TYPE as JSON_PATCH
from polyclinic.fhirserver.rest.registered import Registered
from polyclinic.fhirserver.search.run import Search
from polyclinic.fhirserver.store.store import Store
from polyclinic.foundation import http, once, telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import (
    Invalid,
    MethodRefused,
    NotSupported,
    Problem,
    WrongMediaType,
)
from polyclinic.foundation.service import Running
from polyclinic.standards.fhir.definitions import resource_types

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
VERSION = importlib.metadata.version("polyclinic")
_JSON = ("application/fhir+json", "application/json", "text/json")
_FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class FhirServer:
    """All parts of a mounted FHIR server; a service keeps one as (part of) its state."""

    store: Store
    search: Search
    interactions: Interactions
    transactions: Transactions
    foreign: frozenset[str]
    registered: Mapping[str, Registered] | None = None
    # Whether answers are kept beside what is written, so that a transaction can be repeated.
    keeps_answers: bool = False

    @classmethod
    def over(
        cls,
        running: Running,
        foreign: frozenset[str] = frozenset(),
        registered: Mapping[str, Registered] | None = None,
    ) -> "FhirServer":
        """A server over a service's own schema; `foreign` types are kept by other services.

        Chains that lead to a foreign type ask its owner; where nobody has it they are refused.

        With `registered`, only those types are served, and written only by their actions.
        """
        if registered is not None:
            foreign = frozenset(resource_types()) - registered.keys()
        store = Store(running.database, running.vault, running.metrics, foreign)
        owners = Owners(running.peers, running.elsewhere) if running.elsewhere else None
        search = Search(store, running.metrics, foreign, owners.ids if owners else None)
        interactions = Interactions(store, search, foreign, registered)
        interactions.owners = owners
        search.others = owners.hits if owners else None
        transactions = Transactions(interactions)
        keeps = once.SCHEMA in running.service.mounts
        return cls(store, search, interactions, transactions, foreign, registered, keeps)

    def access(self, caller: Caller) -> Access:
        return _access(self, caller)

    def errand(self, caller: Caller, token: str = "") -> Errand:
        return Errand.of(self.access(caller), telemetry.request_id.get(), token)

    def __hash__(self) -> int:
        return id(self)


@lru_cache(maxsize=4096)
def _access(server: FhirServer, caller: Caller) -> Access:
    # A caller is what its token says; a changed role comes with the next token.
    person = caller.person or ""
    number = server.store.terms.person(person) if person else None
    is_patient = person.startswith("Patient/")
    return access_of(caller, number if is_patient else None, None if is_patient else number)


def base_of(request: Request) -> str:
    """The address that links begin with: the configured one, else the one that was asked."""
    public = http.running(request).platform.public_url
    return f"{public or str(request.base_url).rstrip('/')}/fhir"


async def door(server: FhirServer, request: Request) -> Response:
    """Answers one request below `/fhir`."""
    path = tuple(filter(None, request.path_params.get("path", "").split("/")))
    request.scope["template"] = _template(path)
    base = base_of(request)
    try:
        answer = await _answer(server, request, path, base)
    except Problem as problem:
        answer = Answer(http.status_of(problem), outcome(problem), headers=http.headers_of(problem))
        if answer.status == 405:
            answer.headers["allow"] = _offered(path)
        if answer.status >= 500:
            telemetry.log("problem", error=type(problem).__name__, status=answer.status)
    return _response(answer, base)


def owner_routes(
    server_of: Callable[[Request], FhirServer], calling: ContextVar[Caller]
) -> tuple[Route, ...]:
    """`/fhir` and all below it, of a service whose registered actions ask `calling` who asks."""

    async def fhir(request: Request) -> Response:
        if request.path_params.get("path", "").strip("/") != "metadata":
            try:
                calling.set(await http.caller(request))
            except Problem as problem:
                return await show_problem(request, problem, http.status_of(problem))
        return await door(server_of(request), request)

    return (
        Route("/fhir", fhir, methods=METHODS),
        Route("/fhir/{path:path}", fhir, methods=METHODS),
    )


async def show_problem(_: Request, problem: Problem, status: int) -> Response:
    """How a service that is all FHIR shows a problem from outside this door."""
    headers = http.headers_of(problem)
    return Response(outcome(problem), status, headers=headers, media_type=MEDIA_TYPE)


async def _answer(server: FhirServer, request: Request, path: tuple[str, ...], base: str) -> Answer:
    if path == ("metadata",):
        _need(request, "GET", "HEAD")
        return Answer(200, await _whole_statement(server, request))
    caller = await http.caller(request)
    errand = server.errand(caller, http.bearer(request))
    pairs = request.query_params.multi_items()
    reading.check_format(pairs)
    if not path:
        if request.method != "POST":
            raise NotSupported("Search one type at a time, such as /fhir/Patient.", place="url")
        return await _bundle(server, request, caller, errand)
    body = await _body(request) if request.method in ("POST", "PUT", "PATCH") else b""
    ask = Ask(request.method, path, pairs, body, headers=dict(request.headers))
    return await server.interactions.carry(errand, ask, base)


def own_statement(server: FhirServer, request: Request) -> Response:
    """What this service alone offers; whoever answers for all puts such statements together."""
    return Response(_own(server, request), media_type=MEDIA_TYPE)


def _own(server: FhirServer, request: Request) -> bytes:
    return capability.statement(
        base_of(request), server.foreign, VERSION, registered=server.registered
    )


async def _whole_statement(server: FhirServer, request: Request) -> bytes:
    """The sum of what is installed; the types of a service that is silent are left out."""
    owners = server.interactions.owners
    others = await owners.statements() if owners is not None else []
    return capability.together(_own(server, request), others)


async def _bundle(server: FhirServer, request: Request, caller: Caller, errand: Errand) -> Answer:
    content = await _body(request)
    bundle = reading.of_type(reading.decoded(content), "Bundle")
    kind = bundle.get("type")
    key = once.once_of(caller, request.headers.get("idempotency-key"), "POST /fhir", content)
    if key is not None and kind == "transaction" and server.keeps_answers:
        return Answer(200, await server.transactions.carry_once(errand, bundle, key))
    whole = "return=representation" in request.headers.get("prefer", "")
    room, base = Room(whole=whole), base_of(request)
    answers: Sequence[tuple[Entry | None, Answer]]
    if kind == "transaction":
        answers = await server.transactions.carry(errand, bundle, base, room)
    elif kind == "batch":
        answers = await batch(server.interactions, errand, bundle, base, room)
    else:
        raise Invalid("A Bundle posted here is a transaction or a batch.", place="Bundle.type")
    return Answer(200, response_bundle(kind, answers, whole=whole))


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_search = request.url.path.endswith("/_search")
    is_patch = request.method == "PATCH"
    if is_search and kind != _FORM:
        raise WrongMediaType(f"POST _search takes {_FORM}.", place="Content-Type")
    if is_patch and kind != JSON_PATCH:
        raise WrongMediaType(f"A patch is sent as {JSON_PATCH}.", place="Content-Type")
    if not is_search and not is_patch and kind not in _JSON:
        raise WrongMediaType(f"This door takes {_JSON[0]}.", place="Content-Type")
    return await http.body(request)


def _need(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise MethodRefused(place="url")


def _offered(path: tuple[str, ...]) -> str:
    """The methods of an address, as RFC 9110 wants them beside a 405."""
    match path:
        case ():
            return "POST"
        case (_,) if path not in (("metadata",), ("_history",)):
            return "GET, HEAD, POST, PUT, PATCH, DELETE"
        case (_, "_search"):
            return "GET, HEAD, POST"
        case (_, "_history"):
            return "GET, HEAD"
        case (*_, last) if last.startswith("$"):
            return "GET, POST"
        case (_, _):
            return "GET, HEAD, PUT, PATCH, DELETE"
        case _:
            return "GET, HEAD"


def _response(answer: Answer, base: str) -> Response:
    headers: dict[str, Any] = answer.all_headers(base)
    content = b"" if answer.body is None or answer.status == 304 else answer.body
    media = MEDIA_TYPE if content else None
    return Response(content, answer.status, headers=headers, media_type=media)


def _template(path: tuple[str, ...]) -> str:
    """The route's shape for metrics: the type stays, ids do not."""
    if not path:
        return "/fhir"
    if path in (("metadata",), ("_history",)):
        return f"/fhir/{path[0]}"
    if not reading.is_type(path[0]):
        return "/fhir/{unknown}"
    rest = {1: "", 2: "/{id}", 3: "/{id}/{part}", 4: "/{id}/_history/{version}"}
    if path[1:] in (("_search",), ("_history",), ("$validate",)):
        return f"/fhir/{path[0]}/{path[1]}"
    if path[2:] in (("$everything",), ("$validate",)):
        return f"/fhir/{path[0]}/{{id}}/{path[2]}"
    return f"/fhir/{path[0]}{rest.get(len(path), '/…')}"
