"""ChargeItem, Account and ChargeItemDefinition as FHIR clients meet them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from billing_door import BILL, SYSTEM, TOM, Door, caller, clinician, open_door, patient
from billing_setup import coded, coverage, owed, payer, prices, visit, waiting

from polyclinic.standards.fhir.validation import validate

ANA = clinician("ana")


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file) as opened:
        await payer(opened)
        await prices(opened)
        yield opened


def charge_item(who: str, done: str = "Z1001", **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "ChargeItem",
        "status": "billable",
        "code": {"coding": [{"code": done}]},
        "subject": {"reference": f"Patient/{who}"},
        "occurrenceDateTime": "2026-01-05",
        "reason": [
            {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11.9"}]},
        ],
        **changes,
    }


async def create(door: Door, who: Any, resource: dict[str, Any], **headers: str):
    return await door.ask(who, "POST", "/fhir/ChargeItem", resource, **headers)


async def test_a_charge_item_is_a_charge_on_a_visit(clinic: Door):
    answer = await create(clinic, ANA, charge_item("f1", quantity={"value": 2}))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["priceOverride"] == {"value": 240.00, "currency": "USD"}
    assert made["performer"][0]["actor"]["reference"] == "Practitioner/ana"
    assert await owed(clinic, "patient/f1") == 24_000
    second = await create(clinic, ANA, charge_item("f1", "Z1002"))
    assert second.status_code == 201, second.text
    rows = await clinic.sql(
        "SELECT DISTINCT visit FROM billing.charge WHERE patient = 'Patient/f1'"
    )
    assert len(rows) == 1
    shown = (await clinic.ask(BILL, "GET", f"/billing/visits/{rows[0]['visit']}")).json()
    assert [each["line"] for each in shown["charges"]] == [1, 2]
    assert shown["status"] == "coded"
    assert (await clinic.proof())["holds"]


async def test_lines_are_added_to_a_claim_that_is_not_sent_and_to_no_other(clinic: Door):
    await coverage(clinic, "f2")
    encounter = {"reference": "Encounter/f2"}
    await create(clinic, BILL, charge_item("f2", context=encounter))
    second = await create(clinic, BILL, charge_item("f2", "Z1003", context=encounter))
    assert second.status_code == 201, second.text
    rows = await clinic.sql("SELECT total FROM billing.claim WHERE patient = 'Patient/f2'")
    assert [row["total"] for row in rows] == [12_099]
    await clinic.sql("UPDATE billing.claim SET status = 'submitted' WHERE patient = 'Patient/f2'")
    late = await create(clinic, BILL, charge_item("f2", "Z1002", context=encounter))
    assert late.status_code == 409
    assert (await clinic.proof())["holds"]


async def test_a_charge_item_in_error_is_taken_back(clinic: Door):
    made = (await create(clinic, BILL, charge_item("f3"))).json()
    path = f"/fhir/ChargeItem/{made['id']}"
    changed = await clinic.ask(BILL, "PUT", path, {**made, "quantity": {"value": 9}})
    assert changed.status_code == 422
    wrong = {**made, "status": "entered-in-error"}
    stale = await clinic.ask(BILL, "PUT", path, wrong, if_match='W/"9"')
    assert stale.status_code == 412
    gone = await clinic.ask(BILL, "PUT", path, wrong)
    assert (gone.status_code, gone.json()["status"]) == (200, "entered-in-error")
    assert await owed(clinic, "patient/f3") == 0
    assert (await clinic.ask(BILL, "DELETE", path)).status_code in (403, 405)


async def test_the_same_key_makes_one_charge(clinic: Door):
    answers = [
        await create(clinic, BILL, charge_item("f4"), idempotency_key="fhir-f4") for _ in range(2)
    ]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert await owed(clinic, "patient/f4") == 12_000


@pytest.mark.parametrize(
    ("change", "status", "place"),
    [
        ({"status": "planned"}, 400, "ChargeItem.status"),
        ({"code": {"coding": [{"code": "Z9999"}]}}, 422, "ChargeItem.code"),
        ({"code": {"coding": [{"code": "visit"}]}}, 400, "ChargeItem.code"),
        ({"code": {"coding": [{"code": "Z1001"}, {"code": "x"}]}}, 400, "ChargeItem.code"),
        ({"quantity": {"value": 1.5}}, 400, "ChargeItem.quantity.value"),
        ({"quantity": {"value": 0}}, 400, "ChargeItem.quantity"),
        ({"reason": []}, 422, "ChargeItem.reason"),
        ({"reason": [{"text": "tired"}]}, 400, "ChargeItem.reason"),
        ({"subject": {"reference": "Group/1"}}, 400, "ChargeItem.subject"),
        ({"occurrenceDateTime": "2999-01-01"}, 400, "ChargeItem.occurrenceDateTime"),
        ({"priceOverride": {"value": 1.005, "currency": "USD"}}, 400, None),
        ({"priceOverride": {"value": 1, "currency": "EUR"}}, 400, "ChargeItem.priceOverride"),
        ({"bodysite": [{"text": "arm"}]}, 422, "ChargeItem.bodysite"),
    ],
)
async def test_what_billing_would_not_keep_is_refused_by_its_place(
    clinic: Door, change: dict[str, Any], status: int, place: str | None
):
    answer = await create(clinic, BILL, charge_item("f5", **change))
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    if place is not None:
        places = [issue.get("expression", [None])[0] for issue in answer.json()["issue"]]
        assert places == [place]
    assert await owed(clinic, "patient/f5") == 0


async def test_a_diagnosis_that_is_none_is_named_in_the_words_of_fhir(clinic: Door):
    coding = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11"}
    answer = await create(clinic, BILL, charge_item("f6", reason=[{"coding": [coding]}]))
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["ChargeItem.reason[0]"]


async def test_nobody_else_charges(clinic: Door):
    for who in (patient("f7"), TOM, caller("administrator", None, "user/*.cruds")):
        assert (await create(clinic, who, charge_item("f7"))).status_code == 403
    other = charge_item("f7", performer=[{"actor": {"reference": "Practitioner/bob"}}])
    assert (await create(clinic, ANA, other)).status_code == 403
    assert (await create(clinic, SYSTEM, charge_item("f7"))).status_code == 201


async def test_what_billing_makes_itself_is_not_written_from_outside(clinic: Door):
    for kind in ("Account", "ChargeItemDefinition"):
        answer = await clinic.ask(BILL, "POST", f"/fhir/{kind}", {"resourceType": kind})
        assert answer.status_code == 405, (kind, answer.text)


async def test_each_sees_what_is_theirs(clinic: Door):
    name = await visit(clinic, "f8", ANA)
    lines = {"diagnoses": ["I10"], "lines": [{"code": "Z1001"}]}
    made = await clinic.done(ANA, f"/billing/visits/{name}/code", lines)
    path = f"/fhir/ChargeItem/{made['charges'][0]['id']}"
    for who in (ANA, BILL, patient("f8"), SYSTEM):
        assert (await clinic.ask(who, "GET", path)).status_code == 200, who.subject
    for who in (clinician("bob"), patient("f9"), TOM):
        assert (await clinic.ask(who, "GET", path)).status_code in (403, 404), who.subject
    found = await clinic.ask(patient("f8"), "GET", "/fhir/Account?subject=Patient/f8")
    assert len(found.json()["entry"]) == 1
    found = await clinic.ask(BILL, "GET", "/fhir/ChargeItem?subject=Patient/f8&code=Z1001")
    assert len(found.json()["entry"]) == 1


async def test_prices_are_read_by_everybody(clinic: Door):
    found = await clinic.ask(patient("f10"), "GET", "/fhir/ChargeItemDefinition?_count=50")
    titles = {each["resource"]["title"] for each in found.json()["entry"]}
    assert "Blood drawn" in titles


async def test_all_that_is_shown_is_valid_fhir(clinic: Door):
    await coded(clinic, "f11", "Z1001", "Z1002")
    for kind in ("ChargeItem", "Account", "ChargeItemDefinition"):
        found = await clinic.ask(SYSTEM, "GET", f"/fhir/{kind}?_count=100")
        for entry in found.json()["entry"]:
            problems = validate(entry["resource"])
            assert not [each for each in problems if each.severity == "error"], problems


async def test_a_first_account_is_made_once(clinic: Door):
    for _ in range(2):
        await coded(clinic, "f12")
    rows = await clinic.sql("SELECT count(*) AS n FROM billing.version")
    found = await clinic.ask(BILL, "GET", "/fhir/Account?subject=Patient/f12")
    account = found.json()["entry"][0]["resource"]
    assert account["meta"]["versionId"] == "1", rows
    assert await waiting(clinic, "to code") is not None
