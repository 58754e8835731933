"""Fills a running platform with the demo clinic, by the same HTTP requests that any client makes.

Every step may be repeated: records knows a Bundle by its hash, relations and accounts by their
names, so a seed that was interrupted goes on where it stopped and nothing is there twice.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import msgspec

from polyclinic.demo import channels, stay
from polyclinic.demo.billing import bill
from polyclinic.demo.fixture import PATH, Relation, bundles, relations
from polyclinic.demo.people import sign_ins
from polyclinic.demo.week import Visit, setup, visits
from polyclinic.foundation import clock
from polyclinic.foundation.errors import Problem

# What the token must open: any record, and accounts (identity's word for it).
SCOPES = "system/*.cruds system/identity.accounts"
# Twelve charts of a few hundred resources each; the largest takes about a second.
TIMEOUT_SECONDS = 120
ATTEMPTS_MAX = 5
WAIT_SECONDS_MAX = 5.0

OperatorToken = Callable[[], Awaitable[str]]
Progress = Callable[[int, int, str], None]


class NotSeeded(Problem):
    """The demo clinic could not be seeded."""


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What the seed found or made; `resources` counts only what was new."""

    resources: int
    relations: int
    accounts: int


class Imported(msgspec.Struct, frozen=True):
    """What `POST /records/import` answers."""

    status: str
    resources: int = 0
    refused: list[Any] = []


async def seed(
    client: httpx.AsyncClient, operator_token: OperatorToken, progress: Progress
) -> SeedResult:
    """Brings the whole clinic in; `operator_token` gives a token with the scopes `SCOPES`."""
    lines = bundles()
    total = len(lines) + 2
    resources = 0
    related: list[Relation] = []
    for number, line in enumerate(lines):
        what = f"patient {number} of {len(lines) - 1}" if number else "clinic and staff"
        progress(number, total, what)
        resources += await _import(client, await operator_token(), f"{PATH}#{number + 1}", line)
        related += relations(line)
    await _stay(client, await operator_token())
    progress(total - 2, total, "care relations")
    await _post(
        client,
        await operator_token(),
        "/records/relations",
        msgspec.json.encode({"relations": [asdict(relation) for relation in related]}),
    )
    progress(total - 1, total, "sign-ins")
    await _post(client, await operator_token(), "/identity/operator/accounts", _accounts())
    await _week(client, operator_token)
    await bill(client, await operator_token(), clock.today())
    await channels.deploy(client, await operator_token())
    progress(total, total, "done")
    return SeedResult(resources, len(related), len(sign_ins()))


async def _import(client: httpx.AsyncClient, token: str, source: str, line: bytes) -> int:
    headers = {
        "content-type": "application/fhir+json",
        "x-content-hash": hashlib.sha256(line).hexdigest(),
        "x-source": f"demo/{source}",
    }
    answer = await _post(client, token, "/records/import", line, headers)
    imported = msgspec.json.decode(answer.content, type=Imported)
    if imported.status == "refused":
        raise NotSeeded(f"Records refused {source} of the demo clinic: {imported.refused}")
    return imported.resources if imported.status == "imported" else 0


async def _stay(client: httpx.AsyncClient, token: str) -> None:
    """Her days in hospital stay what they were at the first seed."""
    path = f"/fhir/Encounter/{stay.ID}"
    known = await _ask(client, token, "GET", path)
    if known.status_code == 404:
        await _import(client, token, "stay.py", stay.bundle(clock.today()))
    elif not known.is_success and known.status_code != 410:  # deleted by hand
        raise NotSeeded(f"The demo clinic could not be seeded: {_refusal(path, known)}")


async def _week(client: httpx.AsyncClient, operator_token: OperatorToken) -> None:
    """The week and some visits, where there are appointments; who has a visit gets no second."""
    if (await client.get("/appointments/health/ready")).status_code != 200:
        return
    headers = {"authorization": f"Bearer {await operator_token()}"}
    kept = await client.get("/appointments/setup", headers=headers)
    if kept.status_code != 200 or kept.json()["version"] == 0:
        answer = await client.put("/appointments/setup", json=setup(clock.today()), headers=headers)
        if not answer.is_success:
            raise NotSeeded(f"The week was refused: {_refusal('/appointments/setup', answer)}")
    done: set[str] = set()
    for visit in visits():
        if visit.patient not in done and await _has_visit(client, headers, visit):
            done.add(visit.patient)
        if visit.patient not in done:
            await _book(client, headers, visit)


async def _has_visit(client: httpx.AsyncClient, headers: dict[str, str], visit: Visit) -> bool:
    url = f"/appointments/mine?patient={visit.patient}"
    listed = (await client.get(url, headers=headers)).json()["appointments"]
    now = clock.now().isoformat()
    # The seed's own of this very run is another visit type, so it does not stand in its way.
    return any(each["start"] > now and each["visit_type"] == visit.visit_type for each in listed)


async def _book(client: httpx.AsyncClient, headers: dict[str, str], visit: Visit) -> None:
    asked = {
        "visit_type": visit.visit_type,
        "practitioner": visit.practitioner,
        "limit": str(visit.skip + 1),
    }
    found = await client.get("/appointments/openings", params=asked, headers=headers)
    if not found.is_success or not (openings := found.json()["openings"]):
        return
    body = {
        "visit_type": visit.visit_type,
        "practitioner": visit.practitioner,
        "start": openings[-1]["start"],
        "patient": visit.patient,
        "reason": visit.reason,
    }
    key = f"demo/{visit.patient}/{visit.visit_type}/{clock.today()}"
    sent = headers | {"idempotency-key": key}
    answer = await client.post("/appointments/bookings", json=body, headers=sent)
    if answer.status_code not in (201, 409, 422):
        raise NotSeeded(f"A visit was refused: {_refusal('/appointments/bookings', answer)}")


def _accounts() -> bytes:
    wanted = [
        {"user": s.user, "password": s.password, "role": s.role, "person": s.person, "name": s.name}
        for s in sign_ins()
    ]
    return msgspec.json.encode({"accounts": wanted})


async def _post(
    client: httpx.AsyncClient,
    token: str,
    path: str,
    content: bytes,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Each of these requests may be sent twice."""
    sent = {"content-type": "application/json", **(headers or {})}
    answer = await _ask(client, token, "POST", path, content=content, headers=sent)
    if not answer.is_success:
        raise NotSeeded(f"The demo clinic could not be seeded: {_refusal(path, answer)}")
    return answer


async def _ask(
    client: httpx.AsyncClient,
    token: str,
    method: str,
    path: str,
    *,
    content: bytes = b"",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Repeats what was answered with "not now"."""
    sent = {"authorization": f"Bearer {token}", **(headers or {})}
    attempt = 1
    while True:
        answer = await client.request(
            method, path, content=content, headers=sent, timeout=TIMEOUT_SECONDS
        )
        if answer.status_code not in {429, 503} or attempt == ATTEMPTS_MAX:
            return answer
        attempt += 1
        await asyncio.sleep(_pause(answer))


def _pause(answer: httpx.Response) -> float:
    asked = answer.headers.get("retry-after", "1")
    return min(float(asked) if asked.isdigit() else 1.0, WAIT_SECONDS_MAX)


def _refusal(path: str, answer: httpx.Response) -> str:
    # The data are synthetic and the reason is what somebody who starts the platform needs.
    return f"{path} answered {answer.status_code}: {answer.text[:500]}"
