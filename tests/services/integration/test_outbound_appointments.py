"""A booking here is heard everywhere: by webhook, by subscription, by HL7 v2."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from outbound_house import House, listening, open_house, until

from polyclinic.foundation import clock, ids
from polyclinic.services.integration.domain.subscriptions import BACKPORT, TOPIC_BASE

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SETUP = {
    "visit_types": [
        {"id": "visit", "name": "Visit", "minutes": 20, "every": 20, "notice_minutes": 0}
    ],
    "sites": [{"id": "main", "name": "North", "time_zone": "UTC", "location": "Location/main"}],
    "rooms": [],
    "clinicians": [
        {
            "practitioner": "Practitioner/ana",
            "time_zone": "UTC",
            "rules": [
                {"weekday": day, "from": "09:00", "to": "17:00", "site": "main",
                 "visit_types": ["visit"]}
                for day in DAYS
            ],
        }
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
async def system():
    async with listening() as opened:
        yield opened


@pytest.fixture(scope="module")
async def house(postgres_url, key_file, system):
    services = ("identity", "records", "appointments", "integration")
    more = f"http://127.0.0.1:{system.port}"
    async with open_house(postgres_url, key_file, *services, also=more) as opened:
        answer = await keyed(opened, "PUT", "/appointments/setup", SETUP)
        assert answer.status_code == 200, answer.text
        yield opened


async def keyed(house: House, method, path, body):
    headers = {"authorization": f"Bearer {house.token}", "idempotency-key": ids.new_id()}
    return await house.client.request(method, path, json=body, headers=headers)


async def booked(house, patient):
    day = (clock.now() + timedelta(days=2)).strftime("%Y-%m-%dT00:00:00Z")
    query = f"visit_type=visit&from={day}"
    found = (await house.get(f"/appointments/openings?{query}"))["openings"]
    body = {
        "visit_type": "visit", "practitioner": "Practitioner/ana", "start": found[0]["start"],
        "patient": f"Patient/{patient}",
    }  # fmt: skip
    answer = await keyed(house, "POST", "/appointments/bookings", body)
    assert answer.status_code == 201, answer.text
    return answer.json()["appointment"]["id"]


def focuses(house, path):
    entries = [e for heard in house.receiver.at(path) for e in heard.json["entry"][1:]]
    return [each["request"]["url"] for each in entries]


async def test_a_booking_and_its_end_are_heard_by_all_who_asked(house, system):
    await house.webhook("/hook", "AppointmentBooked", "AppointmentCancelled")
    mine, other = [
        (await house.done("/fhir/Patient", {"resourceType": "Patient"}))["id"] for _ in range(2)
    ]
    for topic in ("booked", "cancelled"):
        body = {
            "resourceType": "Subscription", "status": "requested", "reason": "x",
            "criteria": f"{TOPIC_BASE}/appointment-{topic}",
            "_criteria": {"extension": [{
                "url": f"{BACKPORT}/backport-filter-criteria",
                "valueString": f"Appointment?patient=Patient/{mine}",
            }]},
            "channel": {"type": "rest-hook", "payload": "application/fhir+json",
                        "endpoint": house.receiver.url(f"/{topic}")},
        }  # fmt: skip
        await house.done("/fhir/Subscription", body)
    sent = {"host": "127.0.0.1", "port": system.port, "tls": False, "application": "LAB"}
    await house.done("/integration/destinations", {**sent, "messages": ["SIU"]})
    await booked(house, other)
    name = await booked(house, mine)
    await until(lambda: focuses(house, "/booked") and len(house.receiver.at("/hook")) == 2)
    assert focuses(house, "/booked") == [f"Appointment/{name}"], "the other patient's is filtered"
    answer = await keyed(house, "POST", f"/appointments/{name}/cancel", {})
    assert answer.is_success, answer.text
    await until(lambda: focuses(house, "/cancelled") and len(system.heard) == 3)
    await until(lambda: len(house.receiver.at("/hook")) == 3)
    assert focuses(house, "/cancelled") == [f"Appointment/{name}"]
    hook = house.receiver.at("/hook")
    assert hook[-1].json["type"] == "org.polyclinic.appointments.AppointmentCancelled.v1"
    assert set(hook[0].json["data"]) <= {"appointment", "patient", "practitioner", "site"}
    assert [each.event for each in system.heard if each.get("SCH-2") == name][-1] == "S15"
    assert {each.get("PID-3.1") for each in system.heard} == {mine, other}
    assert system.heard[0].get("AIP-3.1") == "ana"
