"""Who somebody is and who insures them: told at the desk, sealed, ended, shown to few."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from billing_door import BILL, SYSTEM, TOM, Door, caller, clinician, open_door, patient
from billing_setup import PAYER, coverage, payer

from polyclinic.services.billing.domain.payers import fits

PERSON = {
    "family": "Example",
    "given": "Ada",
    "birth_date": "1980-02-03",
    "sex": "female",
    "address": {
        "line": "2 Sample Road",
        "city": "Springfield",
        "state": "IL",
        "postal_code": "62701",
    },
    "phone": "555 0100",
}


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file) as opened:
        await payer(opened)
        yield opened


def body(who: str, **changes: Any) -> dict[str, Any]:
    return {
        "patient": f"Patient/{who}",
        "payer": "north",
        "from_day": "2026-01-01",
        "member_id": "NM123456",
        **changes,
    }


async def post(door: Door, who: Any, asked: dict[str, Any]):
    return await door.ask(who, "POST", "/billing/coverages", asked)


async def of(door: Door, who: Any, name: str):
    return await door.ask(who, "GET", f"/billing/coverages?patient=Patient/{name}")


async def test_a_person_is_told_to_billing_and_shown_to_few(clinic: Door):
    path = "/billing/people/c1"
    assert (await clinic.ask(BILL, "GET", path)).status_code == 404
    assert (await clinic.ask(TOM, "PUT", path, PERSON)).status_code == 201
    assert (await clinic.ask(BILL, "PUT", path, {**PERSON, "given": "Eva"})).status_code == 200
    for who in (TOM, BILL, SYSTEM, patient("c1")):
        assert (await clinic.ask(who, "GET", path)).json()["given"] == "Eva"
    for who in (patient("c2"), clinician("ana")):
        assert (await clinic.ask(who, "GET", path)).status_code == 404
        assert (await clinic.ask(who, "PUT", path, PERSON)).status_code == 403


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"family": " "}, "person.family"),
        ({"sex": "x"}, "person.sex"),
        ({"birth_date": "2999-01-01"}, "person.birth_date"),
        ({"birth_date": "1980"}, "birth_date"),
        ({"given": "A\u0000da"}, "person.given"),
        ({"phone": "5" * 121}, "person.phone"),
        ({"nickname": "Addie"}, "nickname"),
        ({"address": {"lines": "x"}}, "address.lines"),
    ],
)
async def test_a_person_that_no_claim_could_carry_is_refused_by_its_field(
    clinic: Door, change: dict[str, Any], place: str
):
    answer = await clinic.ask(BILL, "PUT", "/billing/people/c3", {**PERSON, **change})
    assert (answer.status_code, answer.json()["place"]) == (400, place), answer.text
    assert await clinic.sql("SELECT FROM billing.person WHERE patient = 'Patient/c3'") == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": ""}, "name"),
        ({"x12_id": "north mutual"}, "x12_id"),
        ({"rules": {"member_id_pattern": "(a+)+$"}}, "rules.member_id_pattern"),
        ({"rules": {"timely_filing_days": 0}}, "rules.timely_filing_days"),
        ({"rules": {"prior_authorisation": ["Z1001"]}}, "rules.prior_authorisation"),
        ({"adress": {}}, "adress"),
        ({"rules": {"units_max": {"Z1001": 0}}}, "rules.units_max"),
    ],
)
async def test_a_payer_that_is_misspelt_is_refused_by_its_field(
    clinic: Door, change: dict[str, Any], place: str
):
    answer = await clinic.ask(BILL, "PUT", "/billing/payers/odd", {**PAYER, **change})
    assert (answer.status_code, answer.json()["place"]) == (400, place), answer.text


async def test_payers_are_billings_to_configure_and_the_staffs_to_read(clinic: Door):
    rules = {**PAYER["rules"], "prior_authorization": ["Z1009"], "units_max": {"Z1002": 4}}
    await payer(clinic, "north", rules=rules)
    for who in (BILL, TOM, clinician("ana")):
        shown = (await clinic.ask(who, "GET", "/billing/payers/north")).json()
        assert shown["rules"]["prior_authorization"] == ["Z1009"]
        listed = (await clinic.ask(who, "GET", "/billing/payers")).json()["payers"]
        assert "north" in [each["id"] for each in listed]
    for who in (TOM, clinician("ana"), patient("a")):
        assert (await clinic.ask(who, "PUT", "/billing/payers/x", PAYER)).status_code == 403
    assert (await clinic.ask(patient("a"), "GET", "/billing/payers")).status_code == 403
    assert (await clinic.ask(BILL, "GET", "/billing/payers/none")).status_code == 404
    same = await clinic.ask(BILL, "PUT", "/billing/payers/other", PAYER)
    assert (same.status_code, same.json()["kind"]) == (409, "SameNumber")
    await payer(clinic)


@pytest.mark.parametrize(
    ("pattern", "member_id", "is_fit"),
    [
        ("", "anything", True),
        ("NM######", "NM123456", True),
        ("NM######", "NM12345", False),
        ("NM######", "nm123456", False),
        ("@##-*", "A12-", True),
        ("@##-*", "A12-34 56", True),
        ("??", "A1", True),
        ("??", "A-", False),
    ],
)
def test_a_member_id_fits_its_payers_pattern(pattern: str, member_id: str, *, is_fit: bool):
    assert fits(pattern, member_id) is is_fit


@pytest.mark.parametrize(
    ("change", "status", "place"),
    [
        ({"patient": "c4"}, 400, "patient"),
        ({"payer": "nobody"}, 400, "payer"),
        ({"member_id": "XX1"}, 422, "member_id"),
        ({"member_id": ""}, 400, "member_id"),
        ({"rank": 0}, 400, "rank"),
        ({"until_day": "2025-01-01"}, 400, "until_day"),
        ({"copay": -1}, 400, "copay"),
        ({"coinsurance_bp": 10_001}, 400, "coinsurance_bp"),
        ({"deductible_left": 10**12}, 400, "deductible_left"),
        ({"relationship": "child"}, 400, "subscriber"),
        ({"relationship": "neighbour"}, 400, "relationship"),
        ({"relationship": "child", "subscriber": {"family": ""}}, 400, "subscriber.family"),
        ({"subscriber": PERSON}, 400, "subscriber"),
        ({"copay": 10.5}, 400, "copay"),
    ],
)
async def test_a_coverage_that_cannot_be_is_refused_by_its_field(
    clinic: Door, change: dict[str, Any], status: int, place: str
):
    answer = await post(clinic, BILL, body("c4", **change))
    assert (answer.status_code, answer.json()["place"]) == (status, place), answer.text
    assert await clinic.sql("SELECT FROM billing.coverage WHERE patient = 'Patient/c4'") == []


async def test_a_coverage_is_kept_shown_and_ended(clinic: Door):
    name = await coverage(
        clinic, "c5", copay=2_000, deductible_left=50_000, coinsurance_bp=2_000,
        out_of_pocket_left=300_000, relationship="child", subscriber=PERSON,
    )  # fmt: skip
    for who in (BILL, TOM, patient("c5")):
        shown = (await of(clinic, who, "c5")).json()["coverages"]
        assert shown[0]["subscriber"]["family"] == "Example"
        assert shown[0]["copay"] == 2_000
    assert (await of(clinic, patient("c6"), "c5")).status_code == 404
    assert (await of(clinic, clinician("ana"), "c5")).status_code == 404
    terms = {"copay": 0, "deductible_left": 1, "coinsurance_bp": 0, "out_of_pocket_left": None}
    await clinic.done(TOM, f"/billing/coverages/{name}/terms", terms)
    ended = {"until_day": "2026-06-30"}
    await clinic.done(TOM, f"/billing/coverages/{name}/end", ended)
    again = await clinic.ask(TOM, "POST", f"/billing/coverages/{name}/end", ended)
    assert (again.status_code, again.json()["kind"]) == (409, "WrongState")
    shown = (await of(clinic, BILL, "c5")).json()["coverages"][0]
    assert (shown["deductible_left"], shown["until_day"], shown["ended"]) == (1, "2026-06-30", True)
    await coverage(clinic, "c5", from_day="2026-07-01")


async def test_two_coverages_of_one_rank_never_meet(clinic: Door):
    await coverage(clinic, "c7", from_day="2026-01-01", until_day="2026-06-30")
    refused = await post(clinic, BILL, body("c7", from_day="2026-06-30"))
    assert (refused.status_code, refused.json()["kind"]) == (409, "AlreadyCovered")
    await coverage(clinic, "c7", from_day="2026-06-30", rank=2)
    await coverage(clinic, "c7", from_day="2026-07-01")


async def test_only_the_desk_and_billing_say_who_is_insured(clinic: Door):
    name = await coverage(clinic, "c8")
    for who in (patient("c8"), clinician("ana"), caller("administrator", None, "user/*.cruds")):
        assert (await post(clinic, who, body("c8"))).status_code == 403
        path = f"/billing/coverages/{name}/end"
        assert (await clinic.ask(who, "POST", path, {"until_day": "2026-12-31"})).status_code == 403
    reader = caller("front-desk", "Practitioner/tom", "user/*.rs")
    assert (await post(clinic, reader, body("c9"))).status_code == 403


async def test_without_records_there_is_no_chart_to_take_it_from(clinic: Door):
    asked = {"patient": "Patient/c10"}
    answer = await clinic.ask(BILL, "POST", "/billing/coverages/from-chart", asked)
    assert (answer.status_code, answer.json()["place"]) == (422, "records")
