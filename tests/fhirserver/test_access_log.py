"""The access log holds what was shown and what was denied: no more and no less."""

from collections.abc import AsyncIterator

import pytest
from fhir_clinic import SYSTEM, Clinic, clinician, patient

DORA = clinician("dora")
V3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def observation(name, subject, **more):
    return {
        "resourceType": "Observation", "id": name, "status": "final", "code": {"text": "x"},
        "subject": {"reference": f"Patient/{subject}"}, **more,
    }  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
async def world(clinic: Clinic) -> AsyncIterator[None]:
    for name in ("ann", "bob", "cyd"):
        await clinic.put({"resourceType": "Patient", "id": name})
    await clinic.put({"resourceType": "Organization", "id": "org", "name": "Ward"})
    both = {"performer": [{"reference": "Patient/bob"}]}
    hidden = {"meta": {"security": [{"system": V3, "code": "V"}]}}
    await clinic.put(
        observation("a1", "ann"), observation("a2", "ann"), observation("b1", "bob"),
        observation("c1", "cyd"), observation("ab", "ann", **both),
        observation("av", "ann", **hidden),
    )  # fmt: skip
    await clinic.relate("dora", "ann")
    return


async def logged(clinic: Clinic, who, method, path, body=None, headers=None):
    """Status, and the rows as (action, patient, outcome, how many)."""
    answer = await clinic.ask(who, method, path, body, headers)
    names = {clinic.person(name): name for name in ("ann", "bob", "cyd")}
    rows = await clinic.logged(answer)
    shown = [(a, names.get(p) if p else None, outcome, count) for a, p, outcome, count in rows]
    return answer.status, sorted(shown, key=str)


async def test_a_read_is_one_row_for_each_patient_it_concerns(clinic: Clinic):
    assert await logged(clinic, SYSTEM, "GET", "Observation/a1") == (200, [("r", "ann", 0, 1)])
    assert await logged(clinic, SYSTEM, "GET", "Organization/org") == (200, [("r", None, 0, 1)])
    both = [("r", "ann", 0, 1), ("r", "bob", 0, 1)]
    assert await logged(clinic, SYSTEM, "GET", "Observation/ab") == (200, both)


async def test_a_denied_read_names_whose_chart_it_was(clinic: Clinic):
    assert await logged(clinic, DORA, "GET", "Observation/b1") == (404, [("r", "bob", 8, 1)])
    assert await logged(clinic, DORA, "GET", "Observation/av") == (404, [("r", "ann", 8, 1)])
    assert await logged(clinic, DORA, "GET", "Observation/no") == (404, [("r", None, 4, 1)])
    past = await logged(clinic, DORA, "GET", "Observation/b1/_history/1")
    assert past == (404, [("h", "bob", 8, 1)])


async def test_a_search_is_a_row_for_each_patient_it_shows(clinic: Clinic):
    found = await logged(clinic, SYSTEM, "GET", "Observation?_id=a1,a2,b1,c1")
    assert found == (200, [("s", "ann", 0, 2), ("s", "bob", 0, 1), ("s", "cyd", 0, 1)])
    shared = await logged(clinic, SYSTEM, "GET", "Observation?_id=ab")
    assert shared == (200, [("s", "ann", 0, 1), ("s", "bob", 0, 1)])


async def test_a_search_does_not_log_what_it_does_not_show(clinic: Clinic):
    # Labels and relations hide b1 and av; _count leaves one of three to the next page.
    found = await logged(clinic, DORA, "GET", "Observation?_id=a1,b1,av")
    assert found == (200, [("s", "ann", 0, 1)])
    page = await logged(clinic, SYSTEM, "GET", "Observation?_id=a1,b1,c1&_count=1")
    assert page == (200, [("s", "cyd", 0, 1)])
    nothing = await logged(clinic, SYSTEM, "GET", "Observation?_id=none")
    assert nothing == (200, [("s", None, 0, 0)])
    counted = await logged(clinic, SYSTEM, "GET", "Observation?_summary=count")
    assert counted == (200, [("s", None, 0, 0)])


async def test_a_closed_chart_is_a_denial(clinic: Clinic):
    denied = await logged(clinic, DORA, "GET", "Observation?patient=bob&status=preliminary")
    assert denied == (403, [("s", "bob", 8, 0)])


async def test_what_comes_along_is_logged_too(clinic: Clinic):
    status, rows = await logged(
        clinic, SYSTEM, "GET", "Observation?_id=b1&_include=Observation:subject"
    )
    assert status == 200
    assert rows == [("r", "bob", 0, 1), ("s", "bob", 0, 1)]
    status, rows = await logged(
        clinic, SYSTEM, "GET", "Patient?_id=cyd&_revinclude=Observation:subject"
    )
    assert rows == [("s", "cyd", 0, 1), ("s", "cyd", 0, 1)]


async def test_a_history_is_logged_for_every_patient_it_was_about(clinic: Clinic):
    await clinic.put(observation("moved", "ann"), observation("moved", "bob"))
    found = await logged(clinic, SYSTEM, "GET", "Observation/moved/_history")
    assert found == (200, [("h", "ann", 0, 1), ("h", "bob", 0, 1)])
    own = await logged(clinic, patient("ann"), "GET", "Observation/moved/_history")
    assert own == (200, [("h", "ann", 0, 1), ("h", "bob", 8, 1)])


async def test_writes_are_logged_for_every_patient_concerned(clinic: Clinic):
    body = observation("w1", "ann", performer=[{"reference": "Patient/bob"}])
    both = [("ann", 0, 1), ("bob", 0, 1)]
    made = await logged(clinic, SYSTEM, "PUT", "Observation/w1", body)
    assert made == (201, [("c", *row) for row in both])
    changed = await logged(clinic, SYSTEM, "PUT", "Observation/w1", body)
    assert changed == (200, [("u", *row) for row in both])
    gone = await logged(clinic, SYSTEM, "DELETE", "Observation/w1")
    assert gone == (204, [("d", *row) for row in both])


async def test_denied_writes_are_logged_once(clinic: Clinic):
    for path, body, expected in (
        ("Observation/b1", observation("b1", "ann"), (404, [("u", "bob", 8, 1)])),
        ("Observation/a1", observation("a1", "bob"), (403, [("u", "bob", 8, 1)])),
        ("Observation/ab", observation("ab", "ann"),
         (403, [("u", "ann", 8, 1), ("u", "bob", 8, 1)])),
    ):  # fmt: skip
        assert await logged(clinic, DORA, "PUT", path, body) == expected
        entry = {"request": {"method": "PUT", "url": path}, "resource": body}
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        assert await logged(clinic, DORA, "POST", "", bundle) == expected
    assert await logged(clinic, DORA, "DELETE", "Observation/b1") == (404, [("d", "bob", 8, 1)])
    refused = await logged(clinic, DORA, "POST", "Observation", observation("x", "bob"))
    assert refused == (403, [("c", "bob", 8, 1)])


async def test_a_transaction_that_fails_logs_no_change(clinic: Clinic):
    entries = [
        {"request": {"method": "POST", "url": "Observation"}, "resource": observation("x", name)}
        for name in ("ann", "nowhere")
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    status, rows = await logged(clinic, SYSTEM, "POST", "", bundle)
    assert status == 422
    assert [row for row in rows if row[2] == 0] == []
