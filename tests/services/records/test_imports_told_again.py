"""What an import did not take is said again on a rerun, and links within a file are kept."""

import json

import pytest
from records_door import BASE, Door, bundle, observation, patient

URN = "urn:uuid:0f2b1c5e-7b6d-4d5e-9c64-"


async def said(door: Door, content: bytes, **how) -> dict:
    answer = await door.unit(content, **how)
    assert answer.status_code == 200, answer.text
    return answer.json()


def collection(*entries: dict, kind: str = "collection") -> bytes:
    return json.dumps({**bundle("collection", *entries), "type": kind}).encode()


async def test_a_rerun_repeats_every_refused_line(door: Door):
    good = json.dumps(patient(id="told1")).encode()
    content = b"\n".join([good, b"{broken", b'{"resourceType": "Shoe"}'])
    first = await said(door, content, lines=True)
    assert (first["status"], len(first["refused"])) == ("imported", 2)
    assert await said(door, content, lines=True) == {**first, "status": "already"}


async def test_a_rerun_repeats_every_refused_entry(door: Door):
    content = collection({"resource": patient(id="told2")}, {"resource": patient(gender="lady")})
    first = await said(door, content)
    assert [each["entry"] for each in first["refused"]] == [1]
    again = await said(door, content)
    assert again == {**first, "status": "already"}


async def test_reasons_are_kept_sealed(door: Door):
    named = b'{"resourceType": "Patient", "id": "told3", "name": [{"ruizfamily": "Ruiz"}]}'
    content = json.dumps(patient(id="told4")).encode() + b"\n" + named
    report = await said(door, content, lines=True)
    assert "ruizfamily" in json.dumps(report["refused"])
    rows = await door.sql("SELECT refused FROM records.import_ledger WHERE refused IS NOT NULL")
    assert rows
    assert not any(b"ruizfamily" in row["refused"] for row in rows)


@pytest.mark.parametrize("kind", ["collection", "searchset", "document"])
async def test_urn_links_of_other_bundles_lead_to_where_each_is_kept(door: Door, kind):
    one, two = f"{URN}{'1' * 12}", f"{URN}{'2' * 12}"
    content = collection(
        {"fullUrl": two, "resource": observation(one, id=f"urn-{kind}")},
        {"fullUrl": one, "resource": patient(name=[{"family": f"Urn{kind}"}])},
        kind=kind,
    )
    assert (await said(door, content))["resources"] == 2
    (entry,) = (await door.send("GET", f"/fhir/Patient?family=Urn{kind}")).json()["entry"]
    kept = (await door.send("GET", f"/fhir/Observation/urn-{kind}")).json()
    assert kept["subject"]["reference"] == f"Patient/{entry['resource']['id']}"
    chart = await door.send("GET", f"/fhir/Observation?patient={entry['resource']['id']}")
    assert len(chart.json()["entry"]) == 1


async def test_a_full_address_of_the_same_file_leads_to_where_it_is_kept(door: Door):
    elsewhere = "https://former.example/fhir/Patient/moved"
    content = collection(
        {"fullUrl": elsewhere, "resource": patient(id="moved")},
        {"fullUrl": f"{BASE}/x", "resource": observation(elsewhere, id="moved-too")},
    )
    assert (await said(door, content))["resources"] == 2
    kept = (await door.send("GET", "/fhir/Observation/moved-too")).json()
    assert kept["subject"]["reference"] == "Patient/moved"


async def test_what_leans_on_a_refused_entry_is_refused_with_it(door: Door):
    one, two, three = (f"{URN}{str(n) * 12}" for n in (3, 4, 5))
    derived = [{"reference": two}]
    content = collection(
        {"fullUrl": three, "resource": observation("Patient/x", id="l3", derivedFrom=derived)},
        {"fullUrl": two, "resource": observation(one, id="l2")},
        {"fullUrl": one, "resource": patient(gender="lady")},
        {"resource": patient(id="unharmed")},
    )
    report = await said(door, content)
    assert (report["status"], report["resources"]) == ("imported", 1)
    places = {each["entry"]: each["place"] for each in report["refused"]}
    assert places.keys() == {0, 1, 2}
    assert places[1] == "Observation.subject.reference"
    assert places[0] == "Observation.derivedFrom[0].reference"
