"""People say whose a message is: shown both, asked once, remembered, and the message goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from effects_house import EVERYTHING, House, encounter, keep, open_house, person, result
from integration_door import message

from polyclinic.services.integration.actions.state import Came
from polyclinic.services.integration.domain.intents import Awaited, Intent, Translation


@pytest.fixture(scope="module")
async def house(postgres_url: str, key_file: Path) -> AsyncIterator[House]:
    async with open_house(postgres_url, key_file, "records", workers=2) as opened:
        yield opened


async def _sent(house: House, *intents: Intent) -> UUID:
    """A message that means this, worked on by the service's own worker until it rests."""
    said = Translation("ADT^A08", "2026-01-01T00:00:00Z", None, intents)
    house.running.state.translate = lambda *_: said
    received = await house.running.state.receive(Came("adt", "mllp", message()))
    assert received.message is not None
    await _rested(house, received.message)
    return received.message


async def _rested(house: House, number: UUID) -> dict[str, Any]:
    end = time.monotonic() + 30
    while True:
        found = await house.get(f"/integration/messages/{number}")
        if found["state"] not in ("received", "failed"):
            return found
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)


async def _state(house: House, number: UUID) -> tuple[str, str]:
    found = await _rested(house, number)
    return found["state"], found["reason"]


async def _said(house: House, number: UUID, word: str, patient: str = "") -> Any:
    body = {"word": word, "patient": patient}
    return await house.send("POST", f"/integration/waiting/{number}/person", body)


async def test_a_person_sees_both_and_says_that_it_is_the_same(house: House) -> None:
    await _sent(house, keep(person("p1")))
    changed = person("p1", birthDate="2001-01-01", rank=("20260202",))
    number = await _sent(house, keep(changed, encounter("E1")))
    assert await _state(house, number) == ("waiting", "person")
    [row] = [
        each for each in (await house.get("/integration/waiting?reason=person"))["waiting"]
        if each["message"] == str(number)
    ]  # fmt: skip
    assert (row["question"], row["candidates"], row["late"]) == (
        "identifier contradicted",
        1,
        False,
    )
    asked = await house.get(f"/integration/waiting/{number}")
    assert asked["person"]["birthDate"] == "2001-01-01"
    [candidate] = asked["candidates"]
    assert candidate["chart"]["name"] == asked["person"]["name"]
    assert candidate["likes"]["birth date"] == "different"
    answer = await _said(house, number, "same", candidate["patient"])
    assert answer.status_code == 200, answer.text
    assert await _state(house, number) == ("done", "")
    kept = await house.get(f"/fhir/{candidate['patient']}")
    assert kept["birthDate"] == "2001-01-01"
    assert (await _said(house, number, "same", candidate["patient"])).status_code == 404


async def test_who_is_different_is_new_and_is_not_asked_about_again(house: House) -> None:
    await _sent(house, keep(person("p2")))
    other = person("p2", birthDate="1931-01-01", name=[{"family": "Okafor", "given": ["Chidi"]}])
    number = await _sent(house, keep(other, encounter("E2")))
    [candidate] = (await house.get(f"/integration/waiting/{number}"))["candidates"]
    assert (await _said(house, number, "new")).status_code == 200
    assert await _state(house, number) == ("done", "")
    [visit] = [
        each["name"] for each in (await _rested(house, number))["effects"]
        if each["name"].startswith("Encounter")
    ]  # fmt: skip
    whose = (await house.get(f"/fhir/{visit}"))["subject"]["reference"]
    assert whose != candidate["patient"]


async def test_a_result_is_filed_without_its_order_when_a_person_says_so(house: House) -> None:
    await _sent(house, keep(person("p3")))
    linked = result("R3", "final", 1.0, ("1",), basedOn=[{"reference": "#ServiceRequest/O3"}])
    awaits = (Awaited("ServiceRequest", "O3"),)
    number = await _sent(house, keep(person("p3"), linked, create=False, awaits=awaits))
    assert await _state(house, number) == ("waiting", "order")
    answer = await house.send("POST", f"/integration/waiting/{number}/without-order", {})
    assert answer.status_code == 200, answer.text
    assert await _state(house, number) == ("done", "")
    [kept] = await house.found("Observation?patient.identifier=p3")
    assert kept["basedOn"] == [{"type": "ServiceRequest", "identifier": {"value": "O3"}}]


async def test_only_who_registers_people_may_say_who_they_are(house: House) -> None:
    number = await _sent(house, keep(person("p4"), create=False))
    own, narrow = await house.token(), await house.token("system/Observation.cruds")
    house.tokens[EVERYTHING] = narrow
    try:
        assert (await _said(house, number, "new")).status_code == 403
    finally:
        house.tokens[EVERYTHING] = own
    assert (await _said(house, number, "same", "Patient/nobody")).status_code == 400
    assert (await _said(house, number, "new")).status_code == 200
    assert await _state(house, number) == ("done", "")


async def test_the_directory_is_kept_by_operators(house: House) -> None:
    entry = {"kind": "service", "value": "CHECK", "target": "visit", "system": ""}
    assert (await house.send("PUT", "/integration/directory", entry)).status_code == 200
    assert entry.items() <= (await house.get("/integration/directory?kind=service"))[
        "directory"][0].items()  # fmt: skip
    wrong = entry | {"kind": "practitioner"}
    assert (await house.send("PUT", "/integration/directory", wrong)).status_code == 400
    path = "/integration/directory?kind=service&value=CHECK"
    assert (await house.send("DELETE", path)).status_code == 204
    assert (await house.send("DELETE", path)).status_code == 404
