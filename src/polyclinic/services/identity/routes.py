"""Identity over HTTP for programs: tokens, keys, metadata, and the operator's requests."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.contracts.identity import server_metadata, smart_configuration
from polyclinic.foundation import clock, http
from polyclinic.foundation.errors import Forbidden, Problem, Unavailable
from polyclinic.foundation.revocations import PATH
from polyclinic.services.identity.actions import (
    accounts,
    clients,
    delegations,
    introspection,
    signing,
    tokens,
)
from polyclinic.services.identity.actions.delegations import GRANT_TYPE as EXCHANGE
from polyclinic.services.identity.actions.state import Identity
from polyclinic.services.identity.domain.accounts import NewAccount
from polyclinic.services.identity.domain.authorization import read_form
from polyclinic.services.identity.domain.clients import base_url
from polyclinic.services.identity.domain.problems import (
    InvalidRequest,
    UnsupportedGrantType,
    error_of,
)
from polyclinic.services.identity.domain.scopes import ACCOUNTS, PEOPLE

FORM_MAX = 64 * 1024
PEOPLE_MAX = 500
# RFC 6749 section 5.1: tokens never lie in a cache.
NEVER_KEPT = {"cache-control": "no-store", "pragma": "no-cache"}


class OperatorToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /identity/operator/token`."""

    client: str
    scope: str
    assertion: str


class WantedAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account in the body of `POST /identity/operator/accounts`."""

    user: str
    password: str
    role: str
    person: str | None = None
    name: str = ""


class WantedAccounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /identity/operator/accounts`; at most 100, each costs an Argon2 run."""

    accounts: list[WantedAccount]
    assertion: str | None = None


class ClosedAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /identity/operator/accounts/disable`."""

    user: str
    assertion: str | None = None


class WantedPeople(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /identity/people`."""

    accounts: list[UUID]


class KeySet(msgspec.Struct, frozen=True):
    """Public keys (RFC 7517)."""

    keys: tuple[dict[str, Any], ...]


class WantedClient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /identity/operator/clients`."""

    client: str
    scope: str
    jwks: KeySet
    assertion: str | None = None


async def post_token(request: Request) -> Response:
    identity, given = _identity(request), await _form(request)
    now = clock.now()
    kind = given.get("grant_type")
    if kind not in {"authorization_code", "refresh_token", "client_credentials", EXCHANGE}:
        raise UnsupportedGrantType
    client = await clients.authenticate_client(identity, given, base_of(request), now)
    if kind == EXCHANGE:
        answer = await delegations.exchange(identity, client, given, now)
        return http.json(answer, headers=NEVER_KEPT)
    if kind == "authorization_code":
        answer = await tokens.exchange_code(identity, client, given, now)
    elif kind == "refresh_token":
        answer = await tokens.renew(identity, client, given, now)
    else:
        answer = await tokens.token_for_client(identity, client, given.get("scope", ""), now)
    return http.json(answer, headers=NEVER_KEPT)


async def post_introspect(request: Request) -> Response:
    identity, given, now = _identity(request), await _form(request), clock.now()
    client = await clients.authenticate_client(identity, given, base_of(request), now)
    if "token" not in given:
        raise InvalidRequest("The token to ask about is missing.", place="token")
    answer = await introspection.introspect(identity, client, given["token"], now)
    return http.json(answer, headers=NEVER_KEPT)


async def post_revoke(request: Request) -> Response:
    identity, given, now = _identity(request), await _form(request), clock.now()
    client = await clients.authenticate_client(identity, given, base_of(request), now)
    if "token" not in given:
        raise InvalidRequest("The token to withdraw is missing.", place="token")
    if not await delegations.end(identity, client, given["token"], now):
        await introspection.revoke(identity, client, given["token"], now)
    return http.json({}, headers=NEVER_KEPT)


async def get_keys(request: Request) -> Response:
    keys = await signing.public_keys(_identity(request), clock.now())
    # Short: a withdrawn key must go out of use everywhere soon.
    return http.json(keys, headers={"cache-control": "public, max-age=300"})


async def get_revocations(request: Request) -> Response:
    """Open to all as the keys are: the names are hashes of ids that nobody can guess."""
    names = await introspection.withdrawn(_identity(request), clock.now())
    return http.json({"withdrawn": names}, headers={"cache-control": "no-store"})


async def get_metadata(request: Request) -> Response:
    return http.json(server_metadata(_identity(request).issuer, _needed_base(request)))


async def get_smart_configuration(request: Request) -> Response:
    return http.json(smart_configuration(_identity(request).issuer, _needed_base(request)))


async def post_operator_token(request: Request) -> Response:
    identity, asked = _identity(request), await http.read(request, OperatorToken, FORM_MAX)
    now = clock.now()
    await clients.authenticate_operator(identity, asked.assertion, now)
    answer = await tokens.token_for_operator(identity, asked.client, asked.scope, now)
    return http.json(answer, headers=NEVER_KEPT)


async def post_operator_accounts(request: Request) -> Response:
    identity, asked = _identity(request), await http.read(request, WantedAccounts)
    now = clock.now()
    await _as_operator(request, asked.assertion)
    if len(asked.accounts) > 100:
        raise InvalidRequest("At most 100 accounts at once.", place="accounts")
    wanted = [NewAccount(a.user, a.password, a.role, a.person, a.name) for a in asked.accounts]
    made = await accounts.make_accounts(identity, wanted, now)
    return http.json({"accounts": [{"id": str(m.id), "made": m.is_new} for m in made]})


async def post_operator_disable(request: Request) -> Response:
    identity, asked = _identity(request), await http.read(request, ClosedAccount, FORM_MAX)
    await _as_operator(request, asked.assertion)
    account_id = await accounts.disable_account(identity, asked.user, clock.now())
    return http.json({"id": str(account_id), "disabled": True})


async def post_operator_clients(request: Request) -> Response:
    identity, asked = _identity(request), await http.read(request, WantedClient, FORM_MAX)
    now = clock.now()
    await _as_operator(request, asked.assertion)
    client = await clients.register_client(
        identity, asked.client, asked.scope, asked.jwks.keys, now
    )
    keys = [key["kid"] for key in client.keys]
    return http.json({"client": client.id, "scope": " ".join(client.scopes), "keys": keys})


async def post_people(request: Request) -> Response:
    """Roles and names behind accounts, for the service that says who saw what."""
    asked = await http.read(request, WantedPeople, FORM_MAX)
    if PEOPLE not in (await http.caller(request)).scopes:
        raise Forbidden(f"The scope {PEOPLE} is needed.")
    if len(asked.accounts) > PEOPLE_MAX:
        raise InvalidRequest(f"At most {PEOPLE_MAX} accounts at once.", place="accounts")
    found = await accounts.people(_identity(request), asked.accounts)
    told = [
        {"id": str(each.id), "role": each.role, "name": each.display, "person": each.person}
        for each in found
    ]
    return http.json({"people": told}, headers=NEVER_KEPT)


async def show_problem(_: Request, problem: Problem, status: int) -> Response:
    """A refusal as OAuth 2 words it (RFC 6749 section 5.2)."""
    value: dict[str, Any] = {"error": error_of(problem), "error_description": problem.message}
    if problem.place:
        value["place"] = problem.place
    return http.json(value, status, {**http.headers_of(problem), **NEVER_KEPT})


def base_of(request: Request) -> str | None:
    return base_url(_identity(request).public_url, request.url.scheme, request.headers)


def _needed_base(request: Request) -> str:
    base = base_of(request)
    if base is None:
        raise Unavailable("This server does not know its own address: set POLYCLINIC_PUBLIC_URL.")
    return base


def _identity(request: Request) -> Identity:
    return http.running(request).state


async def _as_operator(request: Request, assertion: str | None) -> None:
    if assertion is not None:
        await clients.authenticate_operator(_identity(request), assertion, clock.now())
    elif ACCOUNTS not in (await http.caller(request)).scopes:
        raise Forbidden(f"The scope {ACCOUNTS} is needed.")


async def _form(request: Request) -> dict[str, str]:
    content = await http.body(request, FORM_MAX)
    return read_form(content, request.headers.get("content-type", ""), request.url.query)


routes: Sequence[Route] = (
    Route("/identity/token", post_token, methods=["POST"]),
    Route("/identity/introspect", post_introspect, methods=["POST"]),
    Route("/identity/revoke", post_revoke, methods=["POST"]),
    Route("/identity/jwks", get_keys, methods=["GET"]),
    Route(PATH, get_revocations, methods=["GET"]),
    Route("/identity/.well-known/oauth-authorization-server", get_metadata, methods=["GET"]),
    Route("/identity/.well-known/smart-configuration", get_smart_configuration, methods=["GET"]),
    Route("/identity/operator/token", post_operator_token, methods=["POST"]),
    Route("/identity/operator/accounts", post_operator_accounts, methods=["POST"]),
    Route("/identity/operator/accounts/disable", post_operator_disable, methods=["POST"]),
    Route("/identity/people", post_people, methods=["POST"]),
    Route("/identity/operator/clients", post_operator_clients, methods=["POST"]),
)
