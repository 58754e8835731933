"""What billing publishes and keeps of claims is FHIR R4 to the letter, whatever a payer decided."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from billing_door import BILL, Door, open_door
from claims_world import SETTINGS, Coded, came, coded, open_clinic, submitted
from review_payer import advice, decided, file_of, number_of, service

from polyclinic.services.billing.actions.publishing import KINDS, tell
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.validation import validate


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **SETTINGS) as opened:
        await open_clinic(opened)
        yield opened


async def published(door: Door, what: Coded) -> dict[str, dict[str, Any]]:
    """By type, as they go over the wire; each is valid."""
    story = await tell(door.books, what.claim)
    made = {kind: msgspec.json.decode(codec.encode(do(story))) for kind, do in KINDS.items()}
    for resource in made.values():
        assert validate(resource) == [], resource["resourceType"]
    return made


def told(adjudication: list[dict[str, Any]]) -> list[tuple[str, str, float]]:
    return [
        (
            each["category"]["coding"][0]["code"],
            each["reason"]["coding"][0]["code"] if "reason" in each else "",
            each["amount"]["value"],
        )
        for each in adjudication
    ]


async def test_documents_are_valid_from_the_sending_to_the_last_decision(door: Door):
    visit = await coded(door, ("Z1001", 10_000), ("Z1002", 3_000))
    await submitted(door, visit)
    await published(door, visit)
    number = await number_of(door, visit)
    lines = [
        service(number, 1, 10_000, 7_000, ("CO", "45", 1_000), ("PR", "1", 2_000)),
        service(number, 2, 3_000, 0, ("CO", "50", 3_000)),
    ]
    answer = await came(door, file_of(advice(decided(number, "1", lines))))
    assert answer.status_code == 201, answer.text
    explained = (await published(door, visit))["ExplanationOfBenefit"]
    assert told(explained["item"][0]["adjudication"]) == [
        ("submitted", "", 100.0), ("benefit", "", 70.0), ("CO", "45", 10.0), ("PR", "1", 20.0),
    ]  # fmt: skip
    back = [
        service(number, 1, -10_000, -7_000, ("CO", "45", -1_000), ("PR", "1", -2_000)),
        service(number, 2, -3_000, 0, ("CO", "50", -3_000)),
    ]
    assert (await came(door, file_of(advice(decided(number, "22", back))))).status_code == 201
    response = (await published(door, visit))["ClaimResponse"]
    assert response["payment"]["amount"]["value"] == 0


async def test_what_was_decided_of_the_claim_as_a_whole_is_told(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number = await number_of(door, visit)
    said = decided(number, "1", [], ("PR", "3", 2_500), whole=(10_000, 7_500))
    assert (await came(door, file_of(advice(said)))).status_code == 201
    explained = (await published(door, visit))["ExplanationOfBenefit"]
    assert told(explained["adjudication"]) == [
        ("submitted", "", 100.0), ("benefit", "", 75.0), ("PR", "3", 25.0),
    ]  # fmt: skip


async def test_a_payment_of_a_payer_is_read_at_the_fhir_door(door: Door):
    found = await door.ask(BILL, "GET", "/fhir/PaymentReconciliation?_count=100")
    assert found.status_code == 200, found.text
    several = [each["resource"] for each in found.json()["entry"]]
    assert len(several) >= 3
    for resource in several:
        assert validate(resource) == []
