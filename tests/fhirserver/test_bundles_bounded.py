"""The answer to a Bundle has an end, and one entry that cannot be read harms no other."""

import pytest
from fhir_clinic import SYSTEM, Clinic

from polyclinic.fhirserver.bundle import room

NOTE = "n" * 4000


@pytest.fixture
def little_room(monkeypatch):
    monkeypatch.setattr(room, "ANSWER_MAX", 20_000)


def person(name):
    return {"resourceType": "Patient", "id": name, "name": [{"family": "Ruiz"}]}


def observation(subject, name):
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"text": "a note"},
        "subject": {"reference": subject},
        "note": [{"text": NOTE}],
    }


def get(url):
    return {"request": {"method": "GET", "url": url}}


def bundle(kind, *entries):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


async def statuses(clinic: Clinic, sent, **headers):
    answer = await clinic.ask(SYSTEM, "POST", "", sent, headers)
    assert answer.status == 200, answer.body
    return answer, [entry["response"]["status"][:3] for entry in answer.body["entry"]]


async def prepare(clinic: Clinic, name):
    await clinic.put(person(name), observation(f"Patient/{name}", f"{name}-o"))


@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_an_answer_that_is_full_tells_further_reads_so(clinic: Clinic, little_room, kind):
    await prepare(clinic, f"full-{kind}")
    url = f"Observation/full-{kind}-o"
    sent = bundle(kind, *[get(url)] * 20)
    answer, found = await statuses(clinic, sent)
    assert found.count("200") == 4
    assert found.count("413") == 16
    full = next(e for e in answer.body["entry"] if e["response"]["status"] == "413")
    assert full["response"]["outcome"]["issue"][0]["code"] == "too-costly"
    _, again = await statuses(clinic, bundle(kind, get(url)))
    assert again == ["200"]


async def test_searches_that_fill_an_answer_are_not_carried_out_further(
    clinic: Clinic, little_room, monkeypatch
):
    await prepare(clinic, "many")
    carried = []
    page = type(clinic.server.search).page

    async def counted(self, *asked):
        carried.append(asked)
        return await page(self, *asked)

    monkeypatch.setattr(type(clinic.server.search), "page", counted)
    url = "Observation?patient=Patient/many"
    _, found = await statuses(clinic, bundle("batch", *[get(url)] * 500))
    assert found.count("413") >= 490
    assert len(carried) < 40


async def test_writes_are_carried_out_and_answered_when_the_room_is_gone(
    clinic: Clinic, little_room
):
    await prepare(clinic, "late")
    url = "Observation/late-o"
    resource = person("late-write")
    write = {"resource": resource, "request": {"method": "POST", "url": "Patient"}}
    sent = bundle("batch", *[get(url)] * 40, *[write] * 3)
    answer, found = await statuses(clinic, sent, prefer="return=representation")
    assert found[-3:] == ["201"] * 3
    assert all("location" in entry["response"] for entry in answer.body["entry"][-3:])


@pytest.mark.parametrize(
    "broken",
    [
        None,
        7,
        {},
        {"request": {"method": "GRAB", "url": "Patient"}},
        {"request": {"method": "GET", "url": "http://elsewhere/Patient"}},
        {"request": {"method": "PUT", "url": "Patient/x"}},
        {"request": {"method": "PATCH", "url": "Patient/x"}, "resource": {"a": 1}},
    ],
)
async def test_one_malformed_entry_of_a_batch_is_refused_alone(clinic: Clinic, broken):
    await prepare(clinic, "beside")
    sent = bundle("batch", get("Patient/beside"), broken, get("Patient/beside"))
    answer, found = await statuses(clinic, sent)
    assert found == ["200", "400", "200"]
    (issue,) = answer.body["entry"][1]["response"]["outcome"]["issue"]
    assert issue["expression"][0].startswith("Bundle.entry[1]")


async def test_one_malformed_entry_refuses_a_transaction(clinic: Clinic):
    answer = await clinic.ask(SYSTEM, "POST", "", bundle("transaction", get("Patient/x"), {}))
    assert answer.status == 400
