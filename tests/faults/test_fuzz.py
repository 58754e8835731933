"""Random requests find no fault of ours: every answer is a success or a refusal with a reason."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyclinic.demo.fixture import bundles

# Tests are imported one by one, not as a package; what they share lies beside them.
# ruff: noqa: E402
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "services" / "records")]
from random_requests import Chance, samples
from records_door import SERVICES, Door, opened, patient

from databases import database

IDS = ["a", "b", "c", "d"]
TOGETHER = 12  # requests at once, so that they share statements: one must not spoil the others
UNITS = 5
SAMPLES = samples()


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with database(postgres_url, key_file, SERVICES) as url, opened(url, key_file) as door:
        for name in IDS:
            answer = await door.send("PUT", f"/fhir/Patient/{name}", resource=patient(id=name))
            assert answer.status_code == 201
        for content in bundles()[:3]:  # so that the references of the samples lead somewhere
            assert (await door.unit(content)).json()["status"] == "imported"
        yield door


def judge(answer: httpx.Response, asked: dict[str, Any]) -> None:
    said = f"{asked}\n{answer.status_code} {answer.text[:500]}"
    assert answer.status_code < 500, said
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        outcome = answer.json()
        if "resourceType" in outcome:
            assert outcome["resourceType"] == "OperationOutcome", said
            assert outcome["issue"], said
    if answer.status_code == 200 and b'"batch-response"' in answer.content[:100]:
        for entry in answer.json().get("entry", []):
            assert entry["response"]["status"] < "5", f"{said}\n{entry}"


async def throw(door: Door, asked: list[dict[str, Any]]) -> None:
    answers = await asyncio.gather(*(door.send(**request) for request in asked))
    for request, answer in zip(asked, answers, strict=True):
        judge(answer, request)


async def sent(door: Door, seed: int) -> None:
    chance = Chance(seed, SAMPLES, IDS)
    await throw(door, [chance.request() for _ in range(TOGETHER)])


async def imported(door: Door, seed: int) -> None:
    chance = Chance(seed, SAMPLES, IDS)
    units = [(chance.bundle(), False) for _ in range(UNITS - 2)] + [(chance.lines(), True)] * 2
    answers = await asyncio.gather(*(door.unit(body, lines=lines) for body, lines in units))
    for (content, _), answer in zip(units, answers, strict=True):
        assert answer.status_code == 200, (content, answer.text[:500])
        assert answer.json()["status"] in ("imported", "already", "refused"), answer.text
        assert answer.json()["status"] != "refused" or answer.json()["refused"], content


@given(seed=st.integers(0, 2**32))
@settings(
    derandomize=True,
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
async def test_no_request_finds_a_fault(clinic, seed):
    await sent(clinic, seed)


@given(seed=st.integers(0, 2**32))
@settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
async def test_no_import_finds_a_fault(clinic, seed):
    await imported(clinic, seed)


@given(body=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(derandomize=True, max_examples=100, deadline=None)
async def test_no_bytes_find_a_fault(clinic, body):
    paths = ["/fhir", "/fhir/Patient", "/fhir/Observation"]
    await throw(clinic, [{"method": "POST", "path": path, "content": body} for path in paths])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "id", "name", "extension", "contained", "meta", "x", ""]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(value=st.dictionaries(st.sampled_from(sorted(SAMPLES[0])), json_values, max_size=6))
@settings(derandomize=True, max_examples=150, deadline=None)
async def test_no_json_finds_a_fault(clinic, value):
    body = json.dumps({"resourceType": "Patient", **value} | {"resourceType": "Patient"}).encode()
    await throw(
        clinic,
        [
            {"method": "POST", "path": "/fhir/Patient", "content": body},
            {"method": "PUT", "path": "/fhir/Patient/d", "content": body},
        ],
    )


async def test_after_all_that_everybody_is_still_served(clinic):
    answers = await asyncio.gather(*(clinic.send("GET", f"/fhir/Patient/{n}") for n in IDS))
    assert {answer.status_code for answer in answers} <= {200, 410}
    kept = await clinic.make(patient())
    assert (await clinic.send("GET", f"/fhir/Patient/{kept['id']}")).json() == kept


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_no_request_finds_a_fault_in_ten_minutes(clinic, record_property):
    first = seed = 1 << 40
    until = time.monotonic() + 600
    while time.monotonic() < until:
        await sent(clinic, seed)
        await imported(clinic, seed)
        seed += 1
    record_property("requests", (seed - first) * TOGETHER)
    record_property("units to import", (seed - first) * UNITS)
