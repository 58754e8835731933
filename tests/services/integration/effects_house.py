"""Integration with real owners in one process: what a translation asks for really happens."""

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from integration_door import CHANNEL, message
from service_door import EVERYTHING, operator_token

from databases import database
from polyclinic.assembly.process import Process, assemble
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey
from polyclinic.services.integration.actions.effecting.carrying import carry_out
from polyclinic.services.integration.actions.state import Came
from polyclinic.services.integration.domain.intents import (
    Document,
    Identifier,
    Intent,
    Keep,
    Person,
    Translation,
)
from polyclinic.services.integration.domain.outcomes import Outcome

MRN = "urn:oid:1.2.3"
_numbers = itertools.count(1)


def person(number: str, **changes: Any) -> Person:
    """Each number somebody of their own, who is like nobody else."""
    drawn = sha256(number.encode()).digest()
    letters = "".join(chr(97 + each % 26) for each in drawn)
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "identifier": [{"system": MRN, "value": number}],
        "name": [{"family": letters[:9].title(), "given": [letters[9:16].title()]}],
        "birthDate": f"19{drawn[0] % 70 + 20}-0{drawn[1] % 9 + 1}-1{drawn[2] % 10}",
        "gender": "female",
    }
    rank = changes.pop("rank", ("20260101",))
    identifiers = changes.pop("identifiers", (Identifier(MRN, number, "MR"),))
    return Person(identifiers, resource | changes, rank=rank)


def encounter(key: str, status: str = "in-progress", at: str = "1", **changes: Any) -> Document:
    resource = {
        "resourceType": "Encounter",
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "#Patient"},
        **changes,
    }
    return Document("Encounter", key, resource, rank=(at,))


def result(key: str, status: str, value: float, rank: tuple[str, ...], **more: Any) -> Document:
    resource = {
        "resourceType": "Observation",
        "status": status,
        "code": {"text": "Potassium"},
        "subject": {"reference": "#Patient"},
        "valueQuantity": {"value": value},
        **more,
    }
    return Document("Observation", key, resource, rank=rank)


def keep(who: Person, *documents: Document, create: bool = True, **more: Any) -> Keep:
    return Keep(who, documents, snapshot=True, create_person=create, **more)


@dataclass(repr=False)
class House:
    """The services at work, behind the front door."""

    process: Process
    client: httpx.AsyncClient
    url: str
    root: RootKey
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def running(self) -> Any:
        return self.process.running["integration"]

    async def token(self, scope: str = EVERYTHING) -> str:
        return await operator_token(self.client, self.root, self.tokens, scope)

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {await self.token()}"}
        if method == "POST":
            headers["idempotency-key"] = f"key-{next(_numbers)}"
        if path.startswith("/fhir"):
            headers["content-type"] = "application/fhir+json"
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return await self.client.request(method, path, headers=headers, content=content)

    async def get(self, path: str) -> Any:
        answer = await self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def found(self, search: str) -> list[Any]:
        return [each["resource"] for each in (await self.get(f"/fhir/{search}")).get("entry", ())]

    async def message(self) -> UUID:
        """A message that was received and that nobody works on."""
        received = await self.running.state.receive(Came("adt", "mllp", message()))
        assert received.message is not None, received
        return received.message

    async def carry(
        self, *intents: Intent, trigger: str = "ADT^A08", as_message: UUID | None = None
    ) -> Outcome:
        """What becomes of a message that asks for this."""
        number = as_message or await self.message()
        said = Translation(trigger, "2026-01-01T00:00:00Z", None, intents)
        return await carry_out(self.running, number, said)

    async def done(self, *intents: Intent, **more: Any) -> Outcome:
        outcome = await self.carry(*intents, **more)
        assert outcome.state == "done", outcome
        return outcome

    async def sql(self, query: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()


@asynccontextmanager
async def open_house(
    postgres_url: str, key_file: Path, *names: str, workers: int = 0
) -> AsyncIterator[House]:
    wanted = ("identity", "integration", *names)
    async with database(postgres_url, key_file, wanted) as url:
        platform = Platform(database_url=url, key_file=str(key_file))
        environ = {"POLYCLINIC_INTEGRATION_WORKERS": str(workers)}
        async with assemble(platform, wanted, environ) as process:
            transport = httpx.ASGITransport(process.edge)  # pyright: ignore
            async with httpx.AsyncClient(
                transport=transport, base_url="http://clinic.test", timeout=60
            ) as client:
                house = House(process, client, url, RootKey.read(key_file))
                deployed = await house.send("POST", "/integration/channels", CHANNEL.encode())
                assert deployed.is_success, deployed.text
                yield house


def names_of(outcome: Outcome, kind: str) -> list[str]:
    return [each.name for each in outcome.effects if each.name.startswith(f"{kind}/")]


def did(outcome: Outcome) -> dict[str, str]:
    """By kind, what was done to the document of that kind."""
    return {each.name.partition("/")[0]: each.did for each in outcome.effects}
