"""A FHIR server on a database of its own, and the people who come to its door."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from databases import database
from polyclinic.assembly.process import Process, assemble
from polyclinic.fhirserver.door import FhirServer
from polyclinic.foundation import telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import Unauthenticated
from polyclinic.foundation.http import App
from polyclinic.foundation.settings import Platform
from polyclinic.services.records.actions import relating
from polyclinic.services.records.domain import CareRelation

SYSTEM = Caller("importer", "import", "system", frozenset({"system/*.cruds"}), None, "t-system")


BUGS: list[BaseException] = []


def note_bug(_: str, bug: BaseException, /, **__: object) -> None:
    BUGS.append(bug)


def caller(role: str, person: str | None, *scopes: str, subject: str = "") -> Caller:
    name = subject or f"{role}:{person or '-'}"
    return Caller(name, "test", role, frozenset(scopes), person, f"t-{name}-{'-'.join(scopes)}")


def patient(name: str, *scopes: str) -> Caller:
    return caller("patient", f"Patient/{name}", *(scopes or ("patient/*.cruds",)))


def clinician(name: str, *scopes: str) -> Caller:
    return caller("clinician", f"Practitioner/{name}", *(scopes or ("user/*.cruds",)))


@dataclass(frozen=True)
class Answered:
    """What the door said."""

    status: int
    body: Any
    headers: Mapping[str, str]
    request: uuid.UUID

    @property
    def ids(self) -> list[str]:
        """`Type/id` of each match, in order."""
        return [place(entry["resource"]) for entry in self.matches("match")]

    @property
    def included(self) -> list[str]:
        return [place(entry["resource"]) for entry in self.matches("include")]

    @property
    def said(self) -> str:
        return " / ".join(issue.get("diagnostics", "") for issue in self.body["issue"])

    @property
    def next(self) -> str | None:
        links = [link["url"] for link in self.body.get("link", []) if link["relation"] == "next"]
        return links[0].partition("/fhir/")[2] if links else None

    def matches(self, mode: str) -> list[dict[str, Any]]:
        return [e for e in self.body.get("entry", []) if e["search"]["mode"] == mode]


def place(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


@dataclass(repr=False)
class Clinic:
    """Records at work, reached through the same door that HTTP reaches."""

    server: FhirServer
    database: Database
    app: App
    url: str
    tokens: dict[str, Caller] = field(default_factory=dict)
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(app=self.app)  # pyright: ignore[reportArgumentType]
        self.client = httpx.AsyncClient(transport=transport, base_url="http://clinic.test")

    async def verify(self, token: str) -> Caller:
        if token not in self.tokens:
            raise Unauthenticated
        return self.tokens[token]

    async def ask(
        self,
        who: Caller,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """One request to `/fhir/…`, with a request id of its own."""
        self.tokens[who.token_id] = who
        number = uuid.uuid4()
        sent = {"authorization": f"Bearer {who.token_id}", "x-request-id": str(number)}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if content is not None:
            sent["content-type"] = "application/fhir+json"
        url = f"/fhir/{path}" if path else "/fhir"
        answer = await self.client.request(
            method, url, content=content, headers={**sent, **(headers or {})}
        )
        if answer.status_code == 500:  # a bug is shown where it is, not as its number
            raise AssertionError(f"{method} {url}") from BUGS[-1]
        found = json.loads(answer.content) if answer.content else None
        return Answered(answer.status_code, found, answer.headers, number)

    async def search(self, who: Caller, kind: str, pairs: Iterable[tuple[str, str]]) -> Answered:
        asked = urlencode(list(pairs), quote_via=quote)
        return await self.ask(who, "GET", f"{kind}?{asked}" if asked else kind)

    async def walk(
        self, who: Caller, kind: str, pairs: Sequence[tuple[str, str]], pages_max: int = 200
    ) -> list[Answered]:
        """All pages of a search, to the end."""
        pages = [await self.search(who, kind, pairs)]
        while pages[-1].status == 200 and pages[-1].next is not None:
            assert len(pages) < pages_max, "the pages never end"
            pages.append(await self.ask(who, "GET", pages[-1].next))
        return pages

    async def put(self, *resources: dict[str, Any], who: Caller = SYSTEM) -> list[dict[str, Any]]:
        """Keeps each under its own id, one after the other; answers them as kept."""
        kept = []
        for resource in resources:
            answer = await self.ask(who, "PUT", place(resource), resource)
            assert answer.status in (200, 201), (resource, answer.body)
            kept.append(answer.body)
        return kept

    async def transaction(self, who: Caller, *entries: dict[str, Any]) -> Answered:
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}
        return await self.ask(who, "POST", "", bundle)

    async def batch(self, who: Caller, *urls: str) -> Answered:
        entries = [{"request": {"method": "GET", "url": url}} for url in urls]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        return await self.ask(who, "POST", "", bundle)

    async def relate(self, practitioner: str, *patients: str, until: Any = None) -> None:
        relations = [
            CareRelation(
                f"Practitioner/{practitioner}", f"Patient/{name}", f"test/{name}", None, until
            )
            for name in patients
        ]
        await relating.relate(self.server, self.database, relations)

    async def logged(self, answer: Answered) -> list[tuple[str, int | None, int, int]]:
        """The log's rows of one request: action, patient, outcome, how many."""
        rows = await self.database.fetch(
            'SELECT action, patient, outcome, "count" FROM access_log WHERE request = $1',
            answer.request,
        )
        return sorted(
            ((r["action"].decode(), r["patient"], r["outcome"], r["count"]) for r in rows), key=str
        )

    def person(self, name: str) -> int:
        return self.server.store.terms.person(f"Patient/{name}")

    async def empty(self) -> None:
        """Takes every resource and log away; keys stay."""
        await self.database.execute(
            "DELETE FROM resource; DELETE FROM version; DELETE FROM posting;"
            "DELETE FROM date_range; DELETE FROM number_range; DELETE FROM relation;"
            "DELETE FROM access_log; DELETE FROM term_frequency; DELETE FROM conditional_claim"
        )
        await self.server.search.frequencies.load()


@asynccontextmanager
async def open_clinic(
    postgres_url: str, key_file: Path, *, beside: Clinic | None = None
) -> AsyncIterator[Clinic]:
    """A clinic on a new database, or a second process on that of another."""
    new = database(postgres_url, key_file, ("records",))
    log_bug = telemetry.log_bug
    telemetry.log_bug = note_bug  # the log names no cause, because it may quote a patient
    try:
        async with nullcontext(beside.url) if beside else new as url, _process(url, key_file) as at:
            running = at.running["records"]
            clinic = Clinic(running.state, running.database, App(running), url)
            running.callers = clinic  # pyright: ignore[reportAttributeAccessIssue]
            async with clinic.client:
                yield clinic
    finally:
        telemetry.log_bug = log_bug


def _process(url: str, key_file: Path) -> AbstractAsyncContextManager[Process]:
    platform = Platform(database_url=url, key_file=str(key_file), public_url="http://clinic.test")
    return assemble(platform, ("records",), {})


async def together(*asks: Any) -> list[Any]:
    return list(await asyncio.gather(*asks))
