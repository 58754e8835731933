"""One FHIR server to the outside: chains, includes and batches reach over the owners of types."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from test_subsets import WEEK, Subset

from polyclinic.foundation import clock

FHIR = {"content-type": "application/fhir+json"}


@pytest.fixture
async def clinic(assembled, root_key):
    async with assembled("identity", "records", "appointments") as process:
        subset = Subset(process, root_key)
        subset.headers = await subset.token()
        await fill(subset)
        yield subset


async def fill(subset):
    for kind, name, more in (
        ("Patient", "keller", b',"name":[{"family":"Keller"}]'),
        ("Patient", "ortiz", b',"name":[{"family":"Ortiz"}]'),
        ("Practitioner", "ana", b',"name":[{"family":"Ruiz"}]'),
    ):
        body = b'{"resourceType":"%b","id":"%b"%b}' % (kind.encode(), name.encode(), more)
        path = f"/fhir/{kind}/{name}"
        made = await subset.client.put(path, headers={**subset.headers, **FHIR}, content=body)
        assert made.status_code == 201, made.text
    put = await subset.client.put("/appointments/setup", headers=subset.headers, json=WEEK)
    assert put.status_code == 200, put.text
    monday = clock.today() + timedelta(days=14 - clock.today().weekday())
    subset.booked = {}
    for name, hour in (("keller", 9), ("ortiz", 11)):
        asked = {
            "patient": f"Patient/{name}",
            "practitioner": "Practitioner/ana",
            "visit_type": "visit",
            "start": f"{monday}T{hour:02}:00:00Z",
        }
        booked = await subset.client.post(
            "/appointments/bookings",
            headers={**subset.headers, "idempotency-key": f"book-{name}"},
            json=asked,
        )
        assert booked.status_code in (200, 201), booked.text
        subset.booked[name] = booked.json()["appointment"]["id"]


async def found(subset, path):
    answer = await subset.client.get(path, headers=subset.headers)
    assert answer.status_code == 200, answer.text
    entries = answer.json().get("entry", [])
    return {(e["resource"]["resourceType"], e["resource"]["id"]) for e in entries}


async def test_a_chain_leads_from_an_appointment_to_a_patients_name(clinic):
    seen = await found(clinic, "/fhir/Appointment?patient.family=keller")
    assert seen == {("Appointment", clinic.booked["keller"])}


async def test_patients_are_found_by_what_their_appointments_say(clinic):
    seen = await found(clinic, "/fhir/Patient?_has:Appointment:patient:status=booked")
    assert seen == {("Patient", "keller"), ("Patient", "ortiz")}


async def test_includes_bring_what_the_other_service_keeps(clinic):
    keller = f"/fhir/Appointment?_id={clinic.booked['keller']}"
    seen = await found(clinic, f"{keller}&_include=Appointment:patient")
    assert ("Patient", "keller") in seen
    seen = await found(clinic, "/fhir/Patient?family=ortiz&_revinclude=Appointment:patient")
    assert ("Appointment", clinic.booked["ortiz"]) in seen


async def test_a_chart_is_searched_across_owners(clinic):
    seen = await found(clinic, "/fhir/Patient/keller/Appointment")
    assert seen == {("Appointment", clinic.booked["keller"])}
    answer = await clinic.client.get("/fhir/Patient/keller/Appointment", headers=clinic.headers)
    addresses = [entry["fullUrl"] for entry in answer.json()["entry"]]
    addresses += [link["url"] for link in answer.json()["link"]]
    # As they were asked for: another service's own name leads nowhere.
    assert {urlsplit(each).netloc for each in addresses} == {clinic.client.base_url.netloc.decode()}


async def test_a_batch_is_split_by_owner_and_a_transaction_is_refused_naming_them(clinic):
    wanted = [f"Appointment/{clinic.booked['keller']}", "Patient/keller"]
    entry = [{"request": {"method": "GET", "url": url}} for url in wanted]
    headers = {**clinic.headers, **FHIR}
    batch = {"resourceType": "Bundle", "type": "batch", "entry": entry}
    answer = await clinic.client.post("/fhir", headers=headers, json=batch)
    kinds = [e["resource"]["resourceType"] for e in answer.json()["entry"]]
    assert kinds == ["Appointment", "Patient"]
    both = [
        {"request": {"method": "POST", "url": kind}, "resource": {"resourceType": kind, **more}}
        for kind, more in (
            ("Patient", {}),
            ("Appointment", {"status": "booked", "participant": [{"status": "accepted"}]}),
        )
    ]
    mixed = {"resourceType": "Bundle", "type": "transaction", "entry": both}
    refused = await clinic.client.post("/fhir", headers=headers, json=mixed)
    assert refused.status_code == 422, refused.text
    assert "appointments" in refused.text


async def test_a_read_that_fails_in_a_transaction_does_not_hide_what_was_kept(clinic):
    entry = [
        {
            "request": {"method": "PUT", "url": "Patient/silva"},
            "resource": {"resourceType": "Patient", "id": "silva"},
        },
        {"request": {"method": "GET", "url": "Patient/nobody"}},
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entry}
    answer = await clinic.client.post("/fhir", headers={**clinic.headers, **FHIR}, json=bundle)
    assert answer.status_code == 200, answer.text
    kept, looked = (each["response"]["status"] for each in answer.json()["entry"])
    assert kept.startswith("201")
    assert looked.startswith("404")
