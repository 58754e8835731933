"""Billing over its JSON door as the staff use it: queues, coding, claims, files, fees and days."""

import asyncio
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from polyclinic.foundation.errors import (
    Forbidden,
    Issue,
    NotFound,
    NotProcessable,
    Problem,
    Unavailable,
)
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.domain.billing_work import (
    Account,
    Body,
    Claim,
    Claims,
    Coverage,
    Day,
    File,
    FileTaken,
    Payer,
    Payment,
    Proof,
    Queues,
    Schedule,
    Visit,
)
from polyclinic.services.portal.gateways.answers import decoded_as, refusal

NAME = "billing"
# How long the second press of a button waits for the answer to the first.
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.75, 1.0, 1.5)
T = TypeVar("T")
Parameters = dict[str, str]


class BillingRefused(NotProcessable):
    """Billing would not do that."""


class _Running(Unavailable):
    """Your request is still being carried out."""


class _Place(msgspec.Struct, frozen=True):
    text: str
    place: str | None = None


class _Refusal(msgspec.Struct, frozen=True):
    kind: str = ""
    error_description: str = ""
    place: str | None = None
    issues: list[_Place] = []


class _Payers(msgspec.Struct, frozen=True):
    payers: list[Payer]


class _Coverages(msgspec.Struct, frozen=True):
    coverages: list[Coverage]


class _Schedules(msgspec.Struct, frozen=True):
    schedules: list[Schedule]


class _Files(msgspec.Struct, frozen=True):
    files: list[File]


class _Days(msgspec.Struct, frozen=True):
    days: list[Day]


class HttpBillingDesk:
    """The billing service as its door speaks; every change names its try, so it is made once."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def work(self, token: str, asked: Parameters) -> Queues:
        return await self._get(token, "/work", Queues, asked)

    async def visit(self, token: str, visit: str) -> Visit:
        return await self._get(token, f"/visits/{_safe(visit)}", Visit)

    async def claims(self, token: str, asked: Parameters) -> Claims:
        return await self._get(token, "/claims", Claims, asked)

    async def claim(self, token: str, claim: str) -> Claim:
        return await self._get(token, f"/claims/{_safe(claim)}", Claim)

    async def payers(self, token: str) -> list[Payer]:
        return (await self._get(token, "/payers", _Payers)).payers

    async def coverages(self, token: str, patient: str) -> list[Coverage]:
        found = await self._get(token, "/coverages", _Coverages, {"patient": patient})
        return found.coverages

    async def schedules(self, token: str) -> list[Schedule]:
        return (await self._get(token, "/fee-schedules", _Schedules)).schedules

    async def schedule(self, token: str, schedule: str) -> Schedule:
        return await self._get(token, f"/fee-schedules/{_safe(schedule)}", Schedule)

    async def files(self, token: str, status: str) -> list[File]:
        return (await self._get(token, "/files", _Files, {"status": status})).files

    async def file(self, token: str, file: str) -> bytes:
        """The X12 itself, byte for byte."""
        return (await self._sent(token, "GET", f"/files/{_safe(file)}")).content

    async def receive(self, token: str, content: bytes) -> FileTaken:
        """A payer's file; held and refused ones are kept too, with the reason."""
        answer = await self._send(token, "POST", "/files", content=content)
        if answer.status_code in (200, 201, 422):
            try:
                return decoded_as(answer.content, FileTaken, NAME)
            except Unavailable:
                # A refusal has another shape.
                _check(answer)
        raise _refused(answer)

    async def days(self, token: str) -> list[Day]:
        return (await self._get(token, "/days", _Days)).days

    async def proof(self, token: str) -> Proof:
        return await self._get(token, "/ledger/proof", Proof)

    async def account(self, token: str, patient: str) -> Account:
        return await self._get(token, "/payments", Account, {"patient": patient})

    async def payment(self, token: str, payment: str) -> Payment:
        return await self._get(token, f"/payments/{_safe(payment)}", Payment)

    async def tell(self, token: str, key: str, path: str, body: Body) -> Body:
        """A change; whoever presses twice waits for the answer to the first press."""
        for pause in PAUSES:
            try:
                return await self._post(token, key, path, body)
            except _Running:
                await asyncio.sleep(pause)
        return await self._post(token, key, path, body)

    async def _post(self, token: str, key: str, path: str, body: Body) -> Body:
        answer = await self._sent(token, "POST", path, key=key, json=body)
        return decoded_as(answer.content, Body, NAME)

    async def _get(
        self, token: str, path: str, kind: type[T], asked: Parameters | None = None
    ) -> T:
        params = {name: value for name, value in (asked or {}).items() if value}
        return decoded_as((await self._sent(token, "GET", path, params=params)).content, kind, NAME)

    async def _sent(self, token: str, method: str, path: str, **sent: Any) -> httpx.Response:
        answer = await self._send(token, method, path, **sent)
        _check(answer)
        return answer

    async def _send(
        self, token: str, method: str, path: str, key: str | None = None, **sent: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        return await self._peers.send("billing", method, f"/billing{path}", headers=headers, **sent)


def _check(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise _refused(answer)


def _refused(answer: httpx.Response) -> Problem:
    """Raises what a refusal means for a page; billing's own sentence where it says one."""
    status = answer.status_code
    if status not in (400, 403, 404, 409, 413, 422):
        return refusal(status, NAME)
    said = decoded_as(answer.content, _Refusal, NAME)
    message = said.error_description or None
    if status == 403:
        return Forbidden(message, place=NAME)
    if status == 404:
        return NotFound(message, place=NAME)
    if said.kind == "StillRunning":
        return _Running(place=NAME)
    issues = tuple(Issue(each.text, each.place) for each in said.issues)
    return BillingRefused(message, place=said.place, issues=issues)


def _safe(name: str) -> str:
    return quote(name, safe="")
