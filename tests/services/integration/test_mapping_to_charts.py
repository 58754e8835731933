"""From the bytes of a message to the chart: what the tables say, the owners keep."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from effects_house import House, did, open_house
from messages_by_hand import VISIT, WHO, translated

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.integration.actions.effecting.carrying import carry_out


@pytest.fixture(scope="module")
async def house(postgres_url: str, key_file: Path) -> AsyncIterator[House]:
    async with open_house(postgres_url, key_file, "records") as opened:
        yield opened


async def becomes(house: House, *said, **how):
    """What becomes of a message."""
    made = translated(*said, **how)
    name = await house.message()
    for _ in range(20):
        try:
            return await carry_out(house.running, name, made)
        except Unavailable:  # an owner that is busy for a moment is asked again, as the worker does
            await asyncio.sleep(0.2)
    return await carry_out(house.running, name, made)


async def test_an_admission_is_in_the_chart_and_a_late_update_is_not(house):
    outcome = await becomes(
        house,
        "ADT^A01",
        WHO,
        "NK1|1|Okafor^Ben|SPO^Spouse",
        VISIT,
        "AL1|1|DA|70618^Penicillin^RXNORM|SV|Hives",
        "DG1|1||I10^Hypertension^I10C||20260105|A",
        "IN1|1|PLAN1|PAYER9|Good Health||||||||20260101",
        "OBX|1|NM|8302-2^Height^LN||180|cm|||||F",
        evn="20260105101400-0500",
    )
    assert outcome.state == "done", outcome
    assert set(did(outcome)) == {
        "Patient", "RelatedPerson", "Encounter", "AllergyIntolerance", "Condition", "Coverage",
        "Observation",
    }  # fmt: skip
    (patient,) = outcome.patients
    assert (await house.get(f"/fhir/{patient}"))["birthDate"] == "1984-02-29"
    (visit,) = await house.found(f"Encounter?patient={patient}")
    assert visit["status"] == "in-progress"
    gone = await becomes(house, "ADT^A03", WHO, VISIT, evn="20260106090000-0500", at="20260107")
    assert gone.state == "done", gone
    late = await becomes(house, "ADT^A01", WHO, VISIT, evn="20260105110000-0500", at="20260108")
    assert late.state == "done", late
    (visit,) = await house.found(f"Encounter?patient={patient}")
    assert visit["status"] == "finished"


async def test_a_result_waits_for_its_order_and_is_filed_when_it_is_known(house):
    obr = "OBR|1|P1^CLINIC|F1^LAB|57021-8^CBC^LN|||20260105" + "|" * 15 + "||F"
    lines = (WHO, obr, "OBX|1|NM|718-7^Hb^LN||11.2|g/dL|12-16|L|||F")
    early = await becomes(house, "ORU^R01", *lines)
    assert early.state == "waiting", early
    order = ("ORC|NW|P1^CLINIC||||||||20260104090000", "OBR|1|P1^CLINIC||57021-8^CBC^LN")
    assert (await becomes(house, "ORM^O01", WHO, *order)).state == "done"
    filed = await becomes(house, "ORU^R01", *lines)
    assert filed.state == "done", filed
    (patient,) = filed.patients
    (report,) = await house.found(f"DiagnosticReport?patient={patient}")
    assert len(report["result"]) == 1
    assert report["basedOn"][0]["reference"].startswith("ServiceRequest/")


async def test_a_document_and_a_vaccine_are_in_the_chart(house):
    txa = "TXA|1|PN|TX|20260105090000||||||||D1^CLINIC|||||AU||AV"
    kept = await becomes(house, "MDM^T02", WHO, txa, "OBX|1|TX|||All well||||||F")
    assert kept.state == "done", kept
    rxa = "RXA|0|1|20260105||207^COVID-19^CVX|0.5|mL||00"
    given = await becomes(house, "VXU^V04", WHO, "ORC|RE||I1", rxa)
    assert given.state == "done", given
    (patient,) = given.patients
    (vaccine,) = await house.found(f"Immunization?patient={patient}")
    assert vaccine["vaccineCode"]["coding"][0]["code"] == "207"


async def test_a_merge_names_who_goes_on(house):
    for number in ("5711", "5712"):
        person = f"PID|1||{number}^^^WEST^MR||Person{number}^Eva||1970010{number[-1]}|F"
        assert (await becomes(house, "ADT^A28", person)).state == "done"
    pid = "PID|1||5711^^^WEST^MR||Person5711^Eva||19700101|F"
    joined = await becomes(house, "ADT^A40", pid, "MRG|5712^^^WEST^MR")
    assert joined.state == "done", joined
