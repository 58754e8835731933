"""A patient books, the desk checks them in, and the booking opened the chart to the clinician."""

import re

import pytest
from story_clinic import Clinic, Visitor, read_page, until

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


def test_a_booking_leads_from_the_patient_over_the_desk_to_an_open_chart(topology: Clinic):
    user, who = an_account(topology)
    ruiz = topology.signed_in("ruiz")
    assert ruiz.get(f"/patients/{who}").status_code == 403
    patient = topology.visitor()
    assert patient.sign_in(user, PASSWORD).status_code == 200
    visit = books(patient)
    until(lambda: ruiz.get(f"/patients/{who}").status_code == 200 or None, what="the open chart")
    desk = topology.signed_in("tom")
    for step, said in (("arrive", "Arrived"), ("check-in", "Checked in")):
        desk.get(f"/schedule/visits/{visit}")
        assert said in desk.send(f"/schedule/visits/{visit}/{step}").text
    assert desk.get(f"/patients/{who}").status_code in (403, 404), "the desk opens no chart"


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
