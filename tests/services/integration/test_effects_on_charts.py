"""What messages do to charts: once, never backwards, and never to somebody else's."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from effects_house import (
    MRN,
    House,
    did,
    encounter,
    keep,
    names_of,
    open_house,
    person,
    result,
)

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.integration.domain.intents import (
    Awaited,
    Document,
    Identifier,
    Merge,
    Unmerge,
    Void,
)
from polyclinic.services.integration.gateways import records


@pytest.fixture(scope="module")
async def house(postgres_url: str, key_file: Path) -> AsyncIterator[House]:
    async with open_house(postgres_url, key_file, "records") as opened:
        yield opened


async def test_a_new_person_and_their_visit_are_made_and_have_a_lineage(house: House) -> None:
    number = await house.message()
    outcome = await house.done(keep(person("a1"), encounter("V1")), as_message=number)
    assert did(outcome) == {"Patient": "created", "Encounter": "created"}
    [patient] = names_of(outcome, "Patient")
    [visit] = names_of(outcome, "Encounter")
    assert outcome.patients == (patient,)
    assert (await house.get(f"/fhir/{visit}"))["subject"]["reference"] == patient
    [lineage] = await house.found(f"Provenance?target={patient}")
    assert {each["reference"] for each in lineage["target"]} == {
        f"{patient}/_history/1", f"{visit}/_history/1",
    }  # fmt: skip
    assert lineage["entity"][0]["what"]["identifier"]["value"] == str(number)


async def test_the_same_message_again_makes_no_second_version(house: House) -> None:
    number, said = await house.message(), keep(person("a2"), encounter("V2"))
    first = await house.done(said, as_message=number)
    again = await house.done(said, as_message=number)
    assert again.effects == first.effects
    other = await house.done(said)
    assert set(did(other).values()) == {"unchanged"}
    [visit] = names_of(first, "Encounter")
    assert (await house.get(f"/fhir/{visit}"))["meta"]["versionId"] == "1"


async def test_a_worker_that_dies_after_records_kept_it_is_followed_without_a_trace(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, said = await house.message(), keep(person("a3"), encounter("V3"))
    really = records.keep

    async def kept_and_dead(*asked: Any) -> None:
        await really(*asked)
        raise Unavailable("The answer was lost.")

    monkeypatch.setattr(records, "keep", kept_and_dead)
    with pytest.raises(Unavailable):
        await house.carry(said, as_message=number)
    monkeypatch.undo()
    outcome = await house.done(said, as_message=number)
    assert did(outcome) == {"Patient": "created", "Encounter": "created"}
    [visit] = names_of(outcome, "Encounter")
    history = await house.get(f"/fhir/{visit}/_history")
    assert len(history["entry"]) == 1


async def test_eight_messages_of_a_new_person_at_once_make_one_person(house: House) -> None:
    said = [keep(person("a30"), encounter(f"V30-{n}")) for n in range(8)]
    outcomes = await asyncio.gather(*(house.carry(each) for each in said))
    assert {each.state for each in outcomes} == {"done"}, outcomes
    assert len({each.patients for each in outcomes}) == 1
    assert len(await house.found("Patient?identifier=a30")) == 1
    assert len(await house.found("Encounter?patient.identifier=a30")) == 8


async def test_older_news_change_nothing_and_corrections_make_versions(house: House) -> None:
    who = person("a4")
    await house.done(keep(who, result("R4", "final", 4.1, ("2", "0900"))))
    late = await house.done(keep(who, result("R4", "preliminary", 9.9, ("1", "1000"))))
    assert did(late)["Observation"] == "unchanged"
    fixed = await house.done(keep(who, result("R4", "corrected", 4.4, ("3", "1100"))))
    assert did(fixed)["Observation"] == "updated"
    [name] = names_of(fixed, "Observation")
    kept = await house.get(f"/fhir/{name}")
    assert (kept["valueQuantity"]["value"], kept["meta"]["versionId"]) == (4.4, "2")


async def test_news_that_changed_nothing_still_count_as_the_newest(house: House) -> None:
    who = person("a5")
    await house.done(keep(who, encounter("V5", at="1")))
    assert did(await house.done(keep(who, encounter("V5", at="3"))))["Encounter"] == "unchanged"
    older = await house.done(keep(who, encounter("V5", "planned", at="2")))
    assert did(older)["Encounter"] == "unchanged"
    [name] = names_of(older, "Encounter")
    assert (await house.get(f"/fhir/{name}"))["status"] == "in-progress"


async def test_a_discharge_before_its_admission_stays_a_discharge(house: House) -> None:
    who = person("a6")
    await house.done(keep(who, encounter("V6", "finished", at="2")), trigger="ADT^A03")
    await house.done(keep(who, encounter("V6", "in-progress", at="1")), trigger="ADT^A01")
    [visit] = await house.found("Encounter?patient.identifier=a6")
    assert visit["status"] == "finished"


async def test_what_the_sender_does_not_know_stays_and_what_it_clears_goes(house: House) -> None:
    outcome = await house.done(
        keep(person("a7", telecom=[{"system": "phone", "value": "5551234"}]))
    )
    [name] = names_of(outcome, "Patient")
    await house.done(keep(person("a7", rank=("20260102",))))
    assert "telecom" in await house.get(f"/fhir/{name}")
    cleared = person("a7", rank=("20260103",))
    cleared = type(cleared)(cleared.identifiers, cleared.resource, ("telecom",), cleared.rank)
    await house.done(keep(cleared))
    kept = await house.get(f"/fhir/{name}")
    assert "telecom" not in kept
    assert kept["birthDate"] == cleared.resource["birthDate"]


async def test_a_result_does_not_correct_who_somebody_is(house: House) -> None:
    await house.done(keep(person("a8")))
    said = person("a8", telecom=[{"system": "phone", "value": "1"}], rank=("3",))
    outcome = await house.done(
        keep(said, result("R8", "final", 1.0, ("2",)), create=False), trigger="ORU^R01"
    )
    assert did(outcome) == {"Observation": "created"}


async def test_nobody_is_made_by_a_result(house: House) -> None:
    said = keep(person("a9"), result("R9", "final", 1.0, ("2",)), create=False)
    number = await house.message()
    outcome = await house.carry(said, trigger="ORU^R01", as_message=number)
    assert (outcome.state, outcome.reason) == ("waiting", "unknown person")
    assert await house.found("Patient?identifier=a9") == []
    await house.done(keep(person("a9")))
    outcome = await house.done(said, trigger="ORU^R01", as_message=number)
    assert did(outcome) == {"Observation": "created"}


async def test_a_number_that_is_contradicted_is_filed_for_nobody(house: House) -> None:
    await house.done(keep(person("a10")))
    stranger = person("a10", name=[{"family": "Okafor"}], birthDate="2003-12-30", gender="male")
    outcome = await house.carry(keep(stranger, encounter("V10")))
    assert (outcome.state, outcome.reason) == ("waiting", "person")
    assert await house.found("Encounter?identifier=V10") == []


@pytest.mark.parametrize("empty", ["0", "999999", "UNKNOWN"])
async def test_a_placeholder_joins_nobody_and_is_not_kept(house: House, empty: str) -> None:
    for each in ("x", "y"):
        other = person(f"{each}{empty}").resource
        said = person(empty, name=other["name"], birthDate=other["birthDate"])
        made = await house.carry(keep(said))
        assert did(made) == {"Patient": "created"}, made
        assert "identifier" not in await house.get(f"/fhir/{made.patients[0]}")


async def test_a_result_of_an_unknown_order_waits_until_the_order_comes(house: House) -> None:
    who, order = person("a11"), Awaited("ServiceRequest", "O11", (Identifier("urn:his", "O11"),))
    await house.done(keep(who))
    linked = result("R11", "final", 1.0, ("2",), basedOn=[{"reference": "#ServiceRequest/O11"}])
    said, number = keep(who, linked, create=False, awaits=(order,)), await house.message()
    outcome = await house.carry(said, trigger="ORU^R01", as_message=number)
    assert (outcome.state, outcome.reason, outcome.effects) == ("waiting", "order", ())
    asked = Document("ServiceRequest", "O11", {
        "resourceType": "ServiceRequest", "status": "active", "intent": "order",
        "subject": {"reference": "#Patient"}, "code": {"text": "Potassium"},
    }, rank=("1",))  # fmt: skip
    ordered = await house.done(keep(who, asked), trigger="ORM^O01")
    outcome = await house.done(said, trigger="ORU^R01", as_message=number)
    [name] = names_of(outcome, "Observation")
    kept = await house.get(f"/fhir/{name}")
    assert kept["basedOn"] == [{"reference": names_of(ordered, "ServiceRequest")[0]}]
    other = keep(person("a12"), linked, awaits=(order,))
    outcome = await house.carry(other, trigger="ORU^R01")
    assert (outcome.reason, outcome.text) == ("wrong order", "The order is another patient's.")


async def test_an_order_that_comes_with_its_result_is_known(house: House) -> None:
    asked = Document("ServiceRequest", "O31", {
        "resourceType": "ServiceRequest", "status": "active", "intent": "order",
        "subject": {"reference": "#Patient"}, "code": {"text": "Potassium"},
    }, rank=("1",))  # fmt: skip
    linked = result("R31", "final", 1.0, ("2",), basedOn=[{"reference": "#ServiceRequest/O31"}])
    awaits = (Awaited("ServiceRequest", "O31"),)
    outcome = await house.done(keep(person("a31"), asked, linked, awaits=awaits))
    kept = await house.get(f"/fhir/{names_of(outcome, 'Observation')[0]}")
    assert kept["basedOn"] == [{"reference": names_of(outcome, "ServiceRequest")[0]}]


async def test_what_a_link_leads_to_and_is_not_here_stays_a_number(house: House) -> None:
    linked = result("R13", "final", 1.0, ("2",), encounter={"reference": "#Encounter/nowhere"})
    outcome = await house.done(keep(person("a13"), linked))
    kept = await house.get(f"/fhir/{names_of(outcome, 'Observation')[0]}")
    assert kept["encounter"] == {"type": "Encounter", "identifier": {"value": "nowhere"}}


async def test_what_is_listed_no_more_is_over_and_not_deleted(house: House) -> None:
    def coverage(key: str) -> Document:
        resource = {
            "resourceType": "Coverage", "status": "active", "payor": [{"display": "Payer"}],
            "beneficiary": {"reference": "#Patient"},
        }  # fmt: skip
        return Document("Coverage", key, resource, rank=("1",))

    who = person("a14")
    await house.done(keep(who, coverage("C1"), coverage("C2"), complete=("Coverage",)))
    outcome = await house.done(keep(who, coverage("C1"), complete=("Coverage",)))
    states = {each.did for each in outcome.effects if each.name.startswith("Coverage")}
    assert states == {"unchanged", "updated"}
    found = await house.found(f"Coverage?patient={outcome.patients[0]}")
    assert sorted(each["status"] for each in found) == ["active", "cancelled"]


async def test_what_was_wrong_is_said_to_be_wrong_whenever_it_comes(house: House) -> None:
    who = person("a15")
    await house.done(keep(who, encounter("V15", at="1")))
    outcome = await house.done(Void("Encounter", "V15", person=who, rank=("2",)))
    [name] = names_of(outcome, "Encounter")
    assert (await house.get(f"/fhir/{name}"))["status"] == "entered-in-error"
    before = await house.carry(Void("Encounter", "V16", person=who, rank=("2",)))
    assert before.state == "ignored"
    late = await house.done(keep(who, encounter("V16", at="1")))
    assert did(late)["Encounter"] == "unchanged"


async def test_a_merge_joins_two_charts_and_never_in_a_circle(house: House) -> None:
    kept = await house.done(keep(person("m1")))
    said = person("m1").resource
    twice = person("m2", name=said["name"], birthDate=said["birthDate"][:9] + "9", gender="other")
    gone = await house.done(keep(twice))
    joined = Merge(person("m1"), person("m2"))
    assert did(await house.done(joined)) == {"Patient": "updated"}
    loser = await house.get(f"/fhir/{names_of(gone, 'Patient')[0]}")
    assert loser["active"] is False
    assert loser["link"][0]["other"]["reference"] == names_of(kept, "Patient")[0]
    assert (await house.carry(joined)).state == "done"
    back = await house.carry(Merge(person("m2"), person("m1")))
    assert (back.state, back.reason) == ("waiting", "merge")
    news = await house.done(keep(twice, encounter("V20")))
    assert news.patients == (names_of(kept, "Patient")[0],)
    assert (await house.done(Unmerge(person("m1"), person("m2")))).state == "done"


async def test_a_merge_of_another_register_or_of_two_people_is_for_people(house: House) -> None:
    await house.done(keep(person("m3")))
    other = person("m3", identifiers=(Identifier("urn:oid:9.9", "m3", "MR"),))
    foreign = await house.carry(Merge(person("m3"), other))
    assert (foreign.state, foreign.reason) == ("waiting", "merge")
    await house.done(keep(person("m4")))
    outcome = await house.carry(Merge(person("m3"), person("m4")))
    assert (outcome.state, outcome.reason) == ("waiting", "merge")


async def test_a_number_that_was_given_up_before_it_came_names_the_other_chart(
    house: House,
) -> None:
    made = await house.done(keep(person("m5")))
    await house.done(Merge(person("m5"), person("m6")))
    said = person("m5").resource
    known = person("m6", name=said["name"], birthDate=said["birthDate"])
    outcome = await house.done(keep(known, encounter("V21")))
    assert outcome.patients == made.patients
    kept = await house.get(f"/fhir/{made.patients[0]}")
    assert {each["value"] for each in kept["identifier"]} >= {"m5", "m6"}
    assert {each["system"] for each in kept["identifier"]} == {MRN}
