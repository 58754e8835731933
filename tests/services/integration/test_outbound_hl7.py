"""Other systems hear ADT, SIU and ORU over MLLP; not what they told us themselves."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from outbound_house import House, listening, open_house, until

from polyclinic.foundation import ids
from polyclinic.services.integration.domain import speaking
from polyclinic.standards.hl7v2 import parse
from polyclinic.standards.hl7v2.moments import written

HEAD = speaking.header(("LAB", "HOSP"), "PC1", datetime(2026, 11, 28, 12, tzinfo=UTC))
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {"system": "urn:id:HOSP", "value": "4711|x", "type": {"coding": [{"code": "MR"}]}}
    ],
    "name": [{"family": "Ångström^", "given": ["Ada", "M"]}],
    "gender": "female",
    "birthDate": "1980-02-01",
    "address": [{"line": ["1 Main St"], "city": "Town", "postalCode": "12345"}],
    "telecom": [{"system": "phone", "value": "555"}],
}


@pytest.fixture(scope="module")
async def system():
    async with listening() as opened:
        yield opened


@pytest.fixture(scope="module")
async def house(postgres_url, key_file, system):
    async with open_house(postgres_url, key_file, also=f"http://127.0.0.1:{system.port}") as opened:
        yield opened


@pytest.fixture(autouse=True)
async def _clean(house: House, system):
    await house.sql("DELETE FROM integration.destination")
    system.heard.clear()
    system.connections = 0
    system.code = "AA"


async def destination(house, system, *messages, **more):
    body = {
        "host": "127.0.0.1", "port": system.port, "tls": False, "messages": list(messages),
        "application": "LAB", "facility": "HOSP", **more,
    }  # fmt: skip
    return await house.done("/integration/destinations", body)


async def states(house, name):
    log = await house.get(f"/integration/destinations/{name}/deliveries")
    return [each["state"] for each in log["deliveries"]]


def test_a_person_is_said_with_all_numbers_and_escaped():
    message = speaking.person(PATIENT, HEAD, is_new=True)
    assert (message.code, message.event, message.structure) == ("ADT", "A28", "ADT_A05")
    again = parse(message.write())
    assert not again.faults()
    assert again.get("PID-3[1].1") == "4711|x"
    assert (again.get("PID-3[1].4.1"), again.get("PID-3[1].5")) == ("HOSP", "MR")
    assert (again.get("PID-3[2].1"), again.get("PID-3[2].4.1")) == ("p1", "POLYCLINIC")
    assert again.get("PID-5.1") == "Ångström^"
    assert (again.get("PID-7"), again.get("PID-8"), again.get("PID-11.5")) == (
        "19800201",
        "F",
        "12345",
    )
    assert speaking.person(PATIENT, HEAD, is_new=False).event == "A31"


@pytest.mark.parametrize(
    ("status", "is_new", "event", "filler"),
    [
        ("booked", True, "S12", "Booked"), ("booked", False, "S14", "Booked"),
        ("cancelled", False, "S15", "Cancelled"), ("noshow", False, "S26", "Noshow"),
        ("entered-in-error", False, "S17", "Deleted"), ("fulfilled", False, "S14", "Complete"),
    ],
)  # fmt: skip
def test_an_appointment_is_said_by_its_state(status, is_new, event, filler):
    found = {
        "resourceType": "Appointment", "id": "a1", "status": status,
        "start": "2026-12-01T09:00:00+01:00", "end": "2026-12-01T09:20:00+01:00",
        "participant": [
            {"actor": {"reference": "Patient/p1"}}, {"actor": {"reference": "Practitioner/d7"}},
        ],
    }  # fmt: skip
    again = parse(speaking.appointment(found, PATIENT, HEAD, is_new=is_new).write())
    assert (again.event, again.get("SCH-25.1"), again.get("SCH-2")) == (event, filler, "a1")
    assert again.get("SCH-11.4") == "20261201090000+0100"
    assert again.get("AIP-3.1") == "d7"
    assert again.get("PID-3[1].1") == "4711|x"


def test_a_correction_says_that_it_is_one():
    report = {
        "resourceType": "DiagnosticReport", "id": "r1", "status": "corrected",
        "code": {"coding": [{"system": "http://loinc.org", "code": "58410-2"}]},
    }  # fmt: skip
    value = {
        "resourceType": "Observation", "id": "o1", "status": "corrected",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hb"}]},
        "valueQuantity": {"value": 13.5, "code": "g/dL", "unit": "g/dL"},
    }  # fmt: skip
    again = parse(speaking.report(report, PATIENT, [value], HEAD).write())
    assert (again.get("OBR-25"), again.get("OBX-11"), again.get("OBX-5")) == ("C", "C", "13.5")
    assert (again.get("OBX-3.1"), again.get("OBX-3.3"), again.get("OBX-6.1")) == (
        "718-7",
        "LN",
        "g/dL",
    )


async def test_changes_are_heard_in_order_and_acknowledged(house, system):
    made = await destination(house, system, "ADT", "ORU")
    body = {**PATIENT}
    body.pop("id")
    name = (await house.done("/fhir/Patient", body))["id"]
    await until(lambda: len(system.heard) == 1)
    await house.done(f"/fhir/Patient/{name}", {**PATIENT, "id": name, "gender": "other"}, "PUT")
    subject = {"reference": f"Patient/{name}"}
    code = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
    value = {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "subject": subject,
        "valueString": "x",
    }
    result = (await house.done("/fhir/Observation", value))["id"]
    report = {
        "resourceType": "DiagnosticReport", "status": "final", "code": code, "subject": subject,
        "result": [{"reference": f"Observation/{result}"}],
    }  # fmt: skip
    await house.done("/fhir/DiagnosticReport", report)
    await until(lambda: len(system.heard) == 3)
    first, second, third = system.heard
    assert [first.event, second.event, second.get("PID-8")] == ["A28", "A31", "O"]
    assert (third.code, third.get("OBX-5"), third.get("PID-3[2].1")) == ("ORU", "x", name)
    assert first.receiver == ("LAB", "HOSP")
    assert system.connections <= 1, "what is left open is used again"

    async def all_sent():
        return await states(house, made["id"]) == ["sent"] * 3

    await until(all_sent)


async def test_a_refusal_ends_it_and_silence_is_tried_again_under_the_same_number(house, system):
    made = await destination(house, system, "ADT")
    system.code = "AE"
    await house.done("/fhir/Patient", {"resourceType": "Patient"})

    async def dead():
        return await states(house, made["id"]) == ["dead"]

    await until(dead)
    assert len(system.heard) == 1
    assert (await house.get(f"/integration/destinations/{made['id']}"))["failures"] == 0
    system.code = "silent"
    assert await house.done(f"/integration/destinations/{made['id']}/deliveries/replay") == {
        "replayed": 1
    }
    await until(lambda: len(system.heard) >= 2)
    system.code = "AA"

    async def sent():
        await house.sql("UPDATE integration.delivery SET next_at = now() WHERE state = 'waiting'")
        return await states(house, made["id"]) == ["sent"]

    await until(sent)
    assert len({each.control_id for each in system.heard}) == 1
    [row] = await house.sql("SELECT at FROM integration.delivery")
    assert {each.at for each in system.heard} == {written(row["at"])}, "a receiver may compare"


async def test_what_came_from_a_system_is_not_sent_back_to_it(house, system):
    made = await destination(house, system, "ADT", channels=["lab-adt"])
    message = ids.new_uuid()
    await house.sql(
        "INSERT INTO integration.message (id, channel, version, way, kind, at, answer, state, keys,"
        " finds) VALUES ($1, 'lab-adt', 1, 'mllp', 'ADT^A28', now() - interval '5 seconds', 'AA',"
        " 'received', '{}', '{}')", message,
    )  # fmt: skip
    name = (await house.done("/fhir/Patient", {"resourceType": "Patient"}))["id"]
    mine = (await house.done("/fhir/Patient", {"resourceType": "Patient"}))["id"]
    await asyncio.sleep(1)
    assert not system.heard, "while it is worked on, nobody knows what it causes"
    await house.sql(
        "INSERT INTO integration.effect (message, name, version, did)"
        " VALUES ($1, $2, '1', 'created')",
        message, f"Patient/{name}",
    )  # fmt: skip
    await house.sql("UPDATE integration.message SET state = 'done' WHERE id = $1", message)

    async def ended():
        await house.sql("UPDATE integration.delivery SET next_at = now() WHERE state = 'waiting'")
        return sorted(await states(house, made["id"])) == ["sent", "skipped"]

    await until(ended)
    assert [each.get("PID-3.1") for each in system.heard] == [mine]
    # What we change ourselves is news to the system, though the person came from it.
    await house.done(
        f"/fhir/Patient/{name}", {"resourceType": "Patient", "id": name, "active": True}, "PUT"
    )
    await until(lambda: len(system.heard) == 2)
    assert (system.heard[1].event, system.heard[1].get("PID-3.1")) == ("A31", name)


@pytest.mark.parametrize(
    "change",
    [
        {"port": 2575}, {"host": "10.0.0.1"}, {"tls": True}, {"messages": ["DFT"]},
        {"messages": []},
        {"host": "a/b"}, {"host": "user@127.0.0.1"}, {"other": 1},
    ],
)  # fmt: skip
async def test_only_allowed_listeners_and_known_messages(house, system, change):
    body = {
        "host": "127.0.0.1", "port": system.port, "tls": False, "messages": ["ADT"],
        "application": "LAB", **change,
    }  # fmt: skip
    answer = await house.ask("POST", "/integration/destinations", body)
    assert answer.status_code == 400, answer.text


async def test_destinations_are_for_administrators_and_operators(house, system):
    made = await destination(house, system, "ADT")
    token = await house.token_for("system/Patient.rs")
    base = "/integration/destinations"
    for method, path in (("GET", base), ("POST", base), ("GET", f"{base}/{made['id']}")):
        assert (await house.ask(method, path, token=token)).status_code == 403
    assert [each["id"] for each in (await house.get(base))["destinations"]] == [made["id"]]
    assert (
        await house.ask("POST", f"/integration/webhooks/{made['id']}/rotate")
    ).status_code == 404
    assert (await house.ask("DELETE", f"{base}/{made['id']}")).status_code == 204
