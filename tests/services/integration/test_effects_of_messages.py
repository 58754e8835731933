"""Bytes in, charts, calendars and books changed: the whole way, with the real owners."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from effects_house import House, open_house
from test_effects_on_bookings_and_charges import FEES, WEEK

from polyclinic.services.integration.actions.state import Came

CHANNEL = """
name: hospital
source: mllp
accepts: [ADT, ORU, ORM, SIU, DFT]
systems: {WEST: "urn:oid:2.999.1.1", EAST: "urn:oid:2.999.1.2"}
"""
VISIT = "PV1|1|O|3W^301^A^WEST||||D1^Adams^Dora^^^Dr.^^^WEST|||MED|||||||||{}^^^WEST^VN"
RESULT = "OBX|1|NM|2823-3^Potassium^LN||{}|mmol/L^mmol/L^UCUM|3.5-5.1||||{}|||{}"
_controls = itertools.count(1)


@pytest.fixture(scope="module")
async def house(postgres_url: str, key_file: Path) -> AsyncIterator[House]:
    names = ("records", "appointments", "billing")
    async with open_house(postgres_url, key_file, *names, workers=2) as opened:
        doctor = {
            "resourceType": "Practitioner", "id": "adams",
            "identifier": [{"system": "urn:oid:2.999.1.1", "value": "D1"}],
        }  # fmt: skip
        for method, path, body in (
            ("PUT", "/fhir/Practitioner/adams", doctor),
            ("PUT", "/appointments/setup", WEEK),
            ("POST", "/billing/fee-schedules", FEES),
            ("POST", "/integration/channels", CHANNEL.encode()),
            ("POST", "/integration/channels", CHANNEL.replace("hospital", "lab").encode()),
        ):
            answer = await opened.send(method, path, body)
            assert answer.is_success, answer.text
        yield opened


def pid(number: str, name: str, born: str = "19840312", authority: str = "WEST") -> str:
    return f"PID|1||{number}^^^{authority}^MR||{name}||{born}|F"


def raw(trigger: str, *lines: str, at: str = "20261101100000+0000", control: str = "") -> bytes:
    control = control or f"K{next(_controls)}"
    head = f"MSH|^~\\&|HIS|WEST|POLY|CLINIC|{at}||{trigger}|{control}|P|2.5.1"
    event = [f"EVN||{at}"] if trigger.startswith("ADT") else []
    return "\r".join((head, *event, *lines, "")).encode()


async def sent(house: House, content: bytes, channel: str = "hospital") -> UUID:
    received = await house.running.state.receive(Came(channel, "mllp", content))
    assert received.answer.code == "AA", received
    assert received.message is not None
    return received.message


async def rested(house: House, number: UUID, *states: str) -> dict[str, Any]:
    """Where the message stands once it is in one of these states."""
    end = time.monotonic() + 30
    while True:
        found = await house.get(f"/integration/messages/{number}")
        if found["state"] in (states or ("done", "waiting", "parked", "ignored")):
            return found
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)


async def done(house: House, content: bytes) -> list[str]:
    """What a message did: `created Patient`."""
    found = await rested(house, await sent(house, content))
    assert found["state"] == "done", (found["state"], found["reason"], found["problem"])
    return sorted(f"{e['did']} {e['name'].partition('/')[0]}" for e in found["effects"])


async def stands(house: House, content: bytes) -> tuple[str, str]:
    found = await rested(house, await sent(house, content))
    return found["state"], found["reason"]


async def test_an_admission_a_discharge_and_what_comes_too_late(house: House) -> None:
    who, visit = pid("W1", "Okafor^Ada"), VISIT.format("V1")
    later = raw("ADT^A03", who, visit, at="20261102100000+0000")
    assert "created Encounter" in await done(house, later)
    assert "unchanged Encounter" in await done(house, raw("ADT^A01", who, visit))
    [kept] = await house.found("Encounter?patient.identifier=W1")
    assert kept["status"] == "finished"
    people = {each["individual"].get("reference") for each in kept["participant"]}
    assert people == {"Practitioner/adams"}


async def test_a_repeated_message_has_one_effect(house: House) -> None:
    content = raw("ADT^A04", pid("W2", "Petrov^Olga"), VISIT.format("V2"), control="SAME")
    first = await sent(house, content)
    await rested(house, first)
    assert await sent(house, content) == first
    [kept] = await house.found("Encounter?patient.identifier=W2")
    assert kept["meta"]["versionId"] == "1"
    [patient] = await house.found("Patient?identifier=W2")
    assert patient["name"][0]["family"] == "Petrov"


async def test_a_result_waits_for_its_order_and_goes_on_by_itself(house: House) -> None:
    who = pid("W3", "Haddad^Leila")
    await done(house, raw("ADT^A04", who))
    order = "OBR|1|P3^HIS|F3^LAB|2823-3^Potassium^LN|||20261101090000+0000"
    result = raw("ORU^R01", who, f"{order}|||||||||||||||20261101|||F",
                 RESULT.format("4.1", "F", "20261101091000+0000"))  # fmt: skip
    number = await sent(house, result)
    found = await rested(house, number)
    assert (found["state"], found["reason"]) == ("waiting", "order")
    await done(house, raw("ORM^O01", who, "ORC|NW|P3^HIS", order))
    found = await rested(house, number, "done")
    [kept] = await house.found("Observation?patient.identifier=W3")
    assert kept["valueQuantity"]["value"] == 4.1
    [asked] = await house.found("ServiceRequest?patient.identifier=W3")
    assert kept["basedOn"] == [{"reference": f"ServiceRequest/{asked['id']}"}]
    corrected = raw("ORU^R01", who, f"{order}|||||||||||||||20261101|||C",
                    RESULT.format("4.4", "C", "20261101091000+0000"),
                    at="20261101120000+0000")  # fmt: skip
    assert "updated Observation" in await done(house, corrected)
    late = RESULT.format("9.9", "P", "20261101091000+0000")
    late = raw("ORU^R01", who, f"{order}|||||||||||||||20261101|||P", late,
               at="20261101130000+0000")  # fmt: skip
    assert "unchanged Observation" in await done(house, late)
    [kept] = await house.found("Observation?patient.identifier=W3")
    assert (kept["status"], kept["valueQuantity"]["value"]) == ("corrected", 4.4)


async def test_a_result_of_nobody_makes_nobody_and_waits_for_them(house: House) -> None:
    content = raw("ORU^R01", pid("W4", "Nobody^Known"), "OBR|1||F4^LAB|2823-3^Potassium^LN",
                  RESULT.format("4.1", "F", ""))  # fmt: skip
    number = await sent(house, content, "lab")
    assert (await rested(house, number))["reason"] == "unknown person"
    assert await house.found("Patient?identifier=W4") == []
    await done(house, raw("ADT^A04", pid("W4", "Nobody^Known")))
    assert (await rested(house, number, "done"))["reason"] == ""
    assert len(await house.found("Observation?patient.identifier=W4")) == 1


async def test_somebody_elses_number_files_nothing(house: House) -> None:
    await done(house, raw("ADT^A04", pid("W5", "Rossi^Carla")))
    wrong = raw("ADT^A08", pid("W5", "Tanaka^Kenji", "20010101"), VISIT.format("V5"))
    assert await stands(house, wrong) == ("waiting", "person")
    [kept] = await house.found("Patient?identifier=W5")
    assert kept["name"][0]["family"] == "Rossi"
    assert await house.found("Encounter?patient.identifier=W5") == []


async def test_a_visits_number_used_for_somebody_else_moves_no_visit_to_their_chart(house) -> None:
    await done(house, raw("ADT^A04", pid("W50", "Weiss^Nora"), VISIT.format("V50")))
    other = raw("ADT^A04", pid("W51", "Brandt^Otto", "19511203"), VISIT.format("V50"))
    assert await stands(house, other) == ("waiting", "wrong patient")
    [kept] = await house.found("Encounter?patient.identifier=W50")
    assert kept["meta"]["versionId"] == "1"
    assert await house.found("Encounter?patient.identifier=W51") == []


async def test_a_visit_of_a_chart_that_was_given_up_goes_on(house: House) -> None:
    await done(house, raw("ADT^A04", pid("W52", "Costa^Ines"), VISIT.format("V52")))
    await done(house, raw("ADT^A04", pid("W53", "Costa^Inez", "19840321")))
    await done(house, raw("ADT^A40", pid("W53", "Costa^Ines"), "MRG|W52^^^WEST^MR"))
    later = raw("ADT^A03", pid("W53", "Costa^Inez", "19840321"), VISIT.format("V52"),
                at="20261102100000+0000")  # fmt: skip
    assert "updated Encounter" in await done(house, later)


async def test_merges_go_one_way_within_one_register(house: House) -> None:
    await done(house, raw("ADT^A04", pid("W6", "Silva^Marta")))
    await done(house, raw("ADT^A04", pid("W7", "Silva^Martha", "19840321")))
    merge = raw("ADT^A40", pid("W6", "Silva^Marta"), "MRG|W7^^^WEST^MR")
    assert await done(house, merge) == ["updated Patient", "updated Patient"]
    back = raw("ADT^A40", pid("W7", "Silva^Marta"), "MRG|W6^^^WEST^MR")
    assert await stands(house, back) == ("waiting", "merge")
    foreign = raw("ADT^A40", pid("W6", "Silva^Marta"), "MRG|W7^^^EAST^MR")
    assert await stands(house, foreign) == ("waiting", "merge")
    news = await sent(house, raw("ADT^A08", pid("W7", "Silva^Marta"), VISIT.format("V7")))
    [winner] = (await rested(house, news, "done"))["patients"]
    found = await house.get(f"/fhir/{winner}")
    assert found["identifier"][0]["value"] == "W6"


async def test_a_booking_moves_and_a_charge_is_taken_back(house: House) -> None:
    who = pid("W8", "Kowalski^Ewa")
    sch = "SCH|P8^HIS|F8^SCHED|||||ROUTINE^Routine||30|min|^^30^{0}+0000^{1}+0000"
    sch += 14 * "|" + "Booked"
    rest = ("RGS|1", "AIP|1||D1^Adams^Dora^^^Dr.^^^WEST|ADM|||{0}+0000|||30|min")

    def siu(event: str, begins: str, ends: str, at: str) -> bytes:
        lines = (sch.format(begins, ends), who, rest[0], rest[1].format(begins))
        return raw(f"SIU^{event}", *lines, at=at)

    first = await done(house, siu("S12", "20261201190000", "20261201193000", "20261101100000+0000"))
    assert first == ["created Appointment", "created Patient"]
    moved = siu("S13", "20261201200000", "20261201203000", "20261101110000+0000")
    assert await done(house, moved) == ["updated Appointment"]
    off = siu("S15", "20261201200000", "20261201203000", "20261101120000+0000")
    assert await done(house, off) == ["updated Appointment"]
    [kept] = await house.found("Appointment?status=cancelled")
    assert kept["start"] == "2026-12-01T20:00:00Z"

    def dft(number: str, kind: str) -> bytes:
        line = f"FT1|1|{number}||20261120||{kind}|Z1001^Visit^L|||1|120.00"
        line += 8 * "|" + "E11.9^Diabetes^I10|D1^Adams^Dora^^^Dr.^^^WEST"
        return raw("DFT^P03", "EVN||20261120", who, VISIT.format("V8"), line)

    assert "created ChargeItem" in await done(house, dft("T1", "CG"))
    assert "unchanged ChargeItem" in await done(house, dft("T1", "CG"))
    assert "updated ChargeItem" in await done(house, dft("T2", "CD"))
    assert await stands(house, dft("T3", "PY")) == ("waiting", "money")
    [item] = await house.found("ChargeItem?patient.identifier=W8")
    assert item["status"] == "entered-in-error"
