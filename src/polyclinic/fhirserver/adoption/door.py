"""The doors through which resources move: for operators only, with a token for everything."""

from collections.abc import Callable, Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.fhirserver.adoption import arriving, leaving
from polyclinic.fhirserver.adoption.arriving import Refuse
from polyclinic.fhirserver.adoption.moving import Adopted, Batch, Count, Counts, Names
from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.foundation import http
from polyclinic.foundation.errors import Conflict, Forbidden, Invalid
from polyclinic.standards.fhir.definitions import resource_types

BATCH_MAX = 500
# One resource travels with its whole past: sixty versions of the largest size.
BODY_MAX = 64 << 20

ServerOf = Callable[[Request], FhirServer]


class StillKeptHere(Conflict):
    """This service keeps that type itself; nobody else is installed who owns it."""


def leaving_routes(service: str, server_of: ServerOf) -> tuple[Route, ...]:
    """Count, hand out and let go what other installed services own."""

    async def get_counts(request: Request) -> Response:
        server = server_of(request)
        errand = await _operator(server, request)
        kinds = [kind for kind in request.query_params.get("types", "").split(",") if kind]
        _check(kinds, frozenset(resource_types()))
        found = await leaving.count(server.store, errand.access.to("r"), kinds)
        counts = {x: Count(*found.get(x, (0, 0)), owner=_owner(server, x)) for x in kinds}
        return http.json(Counts(counts))

    async def get_page(request: Request) -> Response:
        server = server_of(request)
        errand = await _operator(server, request)
        kind, after = request.path_params["kind"], request.query_params.get("after", "-1")
        _check_gone(server, [kind])
        if not (after.removeprefix("-").isdecimal() and after.isascii() and len(after) < 19):
            raise Invalid("after is a number.", place="after")
        at, bodies = (kind, int(after)), request.query_params.get("bodies") != "no"
        grant = errand.access.to("r", kind)
        return http.json(await leaving.page(server.store, errand, grant, at, bodies=bodies))

    async def post_let_go(request: Request) -> Response:
        server = server_of(request)
        errand = await _operator(server, request)
        asked = (await http.read(request, Names)).resources
        _check_gone(server, [each.type for each in asked])
        _check_few(len(asked))
        grant = errand.access.to("d")
        return http.json(await leaving.let_go(server.store, errand, grant, asked))

    return (
        Route(f"/{service}/adoptable", get_counts),
        Route(f"/{service}/adoptable/{{kind}}", get_page),
        Route(f"/{service}/let-go", post_let_go, methods=["POST"]),
    )


def arriving_routes(
    service: str, server_of: ServerOf, refuse: Refuse = lambda _kind, _resource: None
) -> tuple[Route, ...]:
    """Take in what another service kept of the own types, and prove what is here."""

    async def post_adopt(request: Request) -> Response:
        server = server_of(request)
        errand = await _operator(server, request)
        batch = (await http.read(request, Batch, BODY_MAX)).resources
        _check([each.type for each in batch], _own(request))
        _check_few(len(batch))
        grant = errand.access.to("c")
        if request.query_params.get("dry-run") == "true":
            judged = await arriving.judge(server.store, grant, batch, refuse)
            counts = len(judged.new), len(judged.already)
            return http.json(Adopted(*counts, judged.left, []))
        return http.json(await arriving.adopt(server.store, errand, grant, batch, refuse))

    async def post_adopted(request: Request) -> Response:
        server = server_of(request)
        errand = await _operator(server, request)
        asked = (await http.read(request, Names)).resources
        _check([each.type for each in asked], _own(request))
        _check_few(len(asked))
        found = await arriving.digests(server.store, errand.access.to("r"), asked)
        return http.json(Names(found))

    return (
        Route(f"/{service}/adopt", post_adopt, methods=["POST"]),
        Route(f"/{service}/adopted", post_adopted, methods=["POST"]),
    )


async def _operator(server: FhirServer, request: Request) -> Errand:
    caller = await http.caller(request)
    if caller.role != "system" or not caller.scopes & {"system/*.cruds", "system/*.*"}:
        raise Forbidden("This door is for operators: a token with system/*.cruds is needed.")
    return server.errand(caller)


def _own(request: Request) -> frozenset[str]:
    return frozenset(http.running(request).service.owns)


def _owner(server: FhirServer, kind: str) -> str | None:
    owners = server.interactions.owners
    return owners.elsewhere.get(kind) if owners is not None else None


def _check(kinds: Iterable[str], known: frozenset[str]) -> None:
    for kind in kinds:
        if kind not in known:
            raise Invalid("This service does not know this type here.", place="type")


def _check_gone(server: FhirServer, kinds: Iterable[str]) -> None:
    """What this service serves itself must not leave it: then nobody would serve it."""
    for kind in kinds:
        if _owner(server, reading.a_type(kind)) is None:
            raise StillKeptHere(place=kind)


def _check_few(count: int) -> None:
    if count > BATCH_MAX:
        raise Invalid(f"At most {BATCH_MAX} resources at once.", place="resources")
