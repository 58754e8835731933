"""A patient books, the desk checks them in, and the booking opened the chart to the clinician."""

import asyncio
import re
import uuid
from dataclasses import dataclass, field

import asyncpg
import pytest
from story_clinic import Clinic, Visitor, read_page, until

from polyclinic.fhirserver.terms import Terms
from polyclinic.foundation.vault import RootKey, Vault
from polyclinic.standards.fhir.definitions import type_number

ALLOWED, DENIED = 0, 8  # outcomes in the access log
PASSWORD = "a-quiet-afternoon"


def an_account(clinic: Clinic) -> tuple[str, str]:
    """A patient whom Dr Ruiz does not care for, with an account; answers user and patient."""
    ruiz, api = clinic.signed_in("ruiz"), clinic.api(clinic.token())
    found = api.get("/fhir/Patient", params={"_count": "50"}).json()["entry"]
    everybody = [entry["resource"]["id"] for entry in found]
    closed = next(p for p in everybody if ruiz.get(f"/patients/{p}").status_code == 403)
    account = {
        "user": "booking-story",
        "password": PASSWORD,
        "role": "patient",
        "person": f"Patient/{closed}",
        "name": "Somebody",
    }
    made = clinic.api(clinic.token("system/identity.accounts")).post(
        "/identity/operator/accounts", json={"accounts": [account]}
    )
    assert made.status_code == 200, made.text
    return account["user"], closed


def books(patient: Visitor) -> str:
    """Four pages from the wish to the booking; answers the visit's id."""
    patient.get("/visits/book")
    times = patient.send("/visits/book", kind="follow-up")
    opening = next(
        value
        for value in re.findall(r'name="opening"[^>]*value="([^"]+)"', times.text)
        if "Practitioner/ana-ruiz" in value
    )
    for typed in ({"opening": opening}, {"reason": "My knee"}, {}):
        assert patient.page is not None
        assert patient.page.status_code == 200, patient.page.text[:500]
        here = patient.page.url.path
        patient.send(here, **typed)
    assert patient.page is not None
    assert "You are booked" in patient.page.text
    return patient.page.url.path.split("/")[2]


@dataclass
class Told:
    """What happened to whom, and under which number each step stands in the access logs."""

    who: str = ""
    visit: str = ""
    steps: dict[str, uuid.UUID] = field(default_factory=dict)

    def step(self, name: str, visitor: Visitor) -> Visitor:
        self.steps[name] = uuid.uuid4()
        visitor.http.headers["x-request-id"] = str(self.steps[name])
        return visitor


def tell(clinic: Clinic) -> Told:
    told = Told()
    user, told.who = an_account(clinic)
    chart, ruiz = f"/patients/{told.who}", clinic.signed_in("ruiz")
    assert told.step("closed", ruiz).get(chart).status_code == 403
    patient = clinic.visitor()
    assert patient.sign_in(user, PASSWORD).status_code == 200
    told.visit = books(told.step("book", patient))
    told.step("in between", ruiz)
    until(lambda: ruiz.get(chart).status_code == 200 or None, what="the open chart")
    assert told.step("open", ruiz).get(chart).status_code == 200
    desk = clinic.signed_in("tom")
    for step, said in (("arrive", "Arrived"), ("check-in", "Checked in")):
        told.step(step, desk).get(f"/schedule/visits/{told.visit}")
        assert said in desk.send(f"/schedule/visits/{told.visit}/{step}").text
    refused = told.step("desk at the chart", desk).get(chart).status_code
    assert refused in (403, 404), "the desk opens no chart"
    return told


async def test_a_booking_leads_from_the_patient_over_the_desk_to_an_open_chart(topology: Clinic):
    """And afterwards both access logs name who did what to whose chart, or was refused."""
    told = await asyncio.to_thread(tell, topology)
    connection = await asyncpg.connect(topology.database_url())
    try:
        ruiz = await records_log_names_who_read_the_chart(topology, connection, told)
        booked = await appointments_log_names_who_booked_and_who_came(topology, connection, told)
        roles = await connection.fetch(
            "SELECT id::text, role FROM identity.account WHERE id::text = ANY($1)", [ruiz, *booked]
        )
    finally:
        await connection.close()
    assert {row["id"]: row["role"] for row in roles} == {
        ruiz: "clinician",
        booked[0]: "patient",
        booked[1]: "front-desk",
    }


def number_of(clinic: Clinic, service: str, who: str) -> int:
    """The patient's number in one service's log: a keyed hash, for no table has the id."""
    assert clinic.key is not None
    return Terms(Vault(RootKey.read(clinic.key), service)).person(f"Patient/{who}")


async def records_log_names_who_read_the_chart(
    clinic: Clinic, connection: asyncpg.Connection, told: Told
) -> str:
    """Refused before the booking and shown after it, to one and the same account."""
    query = "SELECT actor, client, type, outcome FROM records.access_log WHERE request = $1"
    person = number_of(clinic, "records", told.who)

    async def rows(step: str) -> list[asyncpg.Record]:
        return await connection.fetch(f"{query} AND patient = $2", told.steps[step], person)

    closed, opened = await rows("closed"), await rows("open")
    # Who is refused a chart may still learn whose it is, and that stands in the log as well.
    assert {r["type"] for r in closed if r["outcome"] == ALLOWED} <= {type_number("Patient")}
    assert DENIED in {r["outcome"] for r in closed}
    assert {r["outcome"] for r in opened} == {ALLOWED}
    shown = {type_number(kind) for kind in ("Patient", "Observation", "Condition")}
    assert shown <= {r["type"] for r in opened}
    assert await rows("desk at the chart") == []
    for step in ("arrive", "check-in"):
        seen = await rows(step)
        assert {r["type"] for r in seen} == {type_number("Patient")}, "the desk sees a name"
    (ruiz,) = {r["actor"] for r in (*closed, *opened)}
    assert {r["client"] for r in (*closed, *opened)} == {"portal"}
    return ruiz


async def appointments_log_names_who_booked_and_who_came(
    clinic: Clinic, connection: asyncpg.Connection, told: Told
) -> tuple[str, str]:
    """One row for the booking and one for each step of the desk, and no other change."""
    rows = await connection.fetch(
        "SELECT action, request, patient, actor, type, outcome FROM appointments.access_log"
        " WHERE id = $1 AND action IN ('c', 'u', 'd') ORDER BY at",
        told.visit,
    )
    steps = [(r["action"], r["request"]) for r in rows]
    assert steps == [
        (b"c", told.steps["book"]),
        (b"u", told.steps["arrive"]),
        (b"u", told.steps["check-in"]),
    ]
    person = number_of(clinic, "appointments", told.who)
    assert {r["patient"] for r in rows} == {person}
    assert person != number_of(clinic, "records", told.who), "the two logs cannot be laid together"
    assert {(r["type"], r["outcome"]) for r in rows} == {(type_number("Appointment"), ALLOWED)}
    patient, *desk = (r["actor"] for r in rows)
    assert desk[0] == desk[1]
    return patient, desk[0]


def test_a_patient_who_finds_no_time_waits_for_one(topology: Clinic):
    maria = topology.signed_in("maria")
    maria.get("/visits/book")
    times = maria.send("/visits/book", kind="follow-up")
    done = maria.send(times.url.path.removesuffix("/time") + "/wait")
    assert done.status_code == 200, done.text[:500]
    assert done.url.path == "/visits"


@pytest.mark.parametrize("path", ["/visits", "/visits/book"])
def test_pages_of_visits_bring_forms_that_work_without_scripts(topology: Clinic, path: str):
    maria = topology.signed_in("maria")
    page = maria.get(path)
    assert page.status_code == 200
    assert read_page(page.text)[0]
