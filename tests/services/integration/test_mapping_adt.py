"""ADT: persons and their visits, in whatever order they come."""

import pytest
from messages_by_hand import (
    VISIT,
    WHO,
    Rules,
    documents,
    keep,
    only,
    texts,
    translated,
)

from polyclinic.services.integration.domain.intents import Refused, Unsupported
from polyclinic.services.integration.domain.keeping import is_older
from polyclinic.services.integration.domain.overlaying import laid_over

MAIDEN = "extension(http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName)"


def test_an_admission_is_a_person_a_visit_and_what_is_known_for_it():
    made = translated(
        "ADT^A01",
        WHO,
        "NK1|1|Okafor^Ben|SPO^Spouse|1 Elm St^^Troy^NY^12180|(518)555-0101",
        VISIT,
        "AL1|1|DA|70618^Penicillin^RXNORM|SV|Hives~Swelling",
        "DG1|1||I10^Hypertension^I10C||20260105|A",
        "PR1|1||99213^Visit^CPT||20260105",
        "IN1|1|PLAN1|PAYER9^^^NAIC|Good Health||||||||20260101|||PPO|Okafor^Ada|SEL||||1"
        + "|" * 14
        + "M123",
        evn="20260105101400-0500",
    )
    person = made.person
    assert [(each.system, each.value, each.kind) for each in person.identifiers] == [
        ("urn:oid:2.999.1.1", "4711", "MR"),
        ("http://hl7.org/fhir/sid/us-ssn", "999-11-2222", "SS"),
    ]
    assert person.resource["name"] == [
        {"use": "official", "family": "Okafor", "given": ["Ada", "Mae"], "prefix": ["Dr."]}
    ]
    assert person.resource["birthDate"] == "1984-02-29"
    assert {each.kind for each in keep(made).documents} == {
        "Encounter",
        "RelatedPerson",
        "AllergyIntolerance",
        "Condition",
        "Procedure",
        "Coverage",
    }
    visit = only(made, "Encounter")
    assert visit.key == "urn:oid:2.999.1.1|V100"
    assert visit.resource["status"] == "in-progress"
    assert visit.resource["class"]["code"] == "IMP"
    (place,) = visit.resource["location"]
    assert place["status"] == "active"
    assert place["location"]["display"] == "WEST, 3W, 301, A"
    assert visit.resource["diagnosis"][0]["condition"]["reference"].startswith("#Condition/")
    allergy = only(made, "AllergyIntolerance").resource
    assert allergy["criticality"] == "high"
    assert allergy["reaction"][0]["severity"] == "severe"
    assert keep(made).create_person
    assert keep(made).complete == ("RelatedPerson", "Coverage", "AllergyIntolerance")
    assert made.order_key_parts == ("urn:oid:2.999.1.1|4711",)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("A01", "in-progress"),
        ("A02", "in-progress"),
        ("A03", "finished"),
        ("A04", "arrived"),
        ("A05", "planned"),
        ("A06", "in-progress"),
        ("A07", "in-progress"),
        ("A11", "cancelled"),
        ("A12", "in-progress"),
        ("A13", "in-progress"),
        ("A23", "entered-in-error"),
    ],
)
def test_each_event_says_how_the_visit_stands(event, status):
    assert only(translated(f"ADT^{event}", WHO, VISIT), "Encounter").resource["status"] == status


def test_an_update_leaves_the_state_of_a_visit_as_it_is():
    made = only(translated("ADT^A08", WHO, VISIT), "Encounter")
    assert "status" not in made.resource
    kept = {"resourceType": "Encounter", "id": "1", "status": "finished"}
    assert laid_over(kept, made)["status"] == "finished"
    assert laid_over(None, made)["status"] == "in-progress"


# ATK-090
def test_a_discharge_before_its_admission_is_not_undone_by_it():
    discharge = only(
        translated(
            "ADT^A03",
            WHO,
            VISIT + "|" * 25 + "20260105080000|20260106090000",
            evn="20260106090100",
            at="20260106090200",
        ),
        "Encounter",
    )
    admission = only(
        translated("ADT^A01", WHO, VISIT, evn="20260105080100", at="20260106093000"), "Encounter"
    )
    assert discharge.key == admission.key
    assert discharge.resource["status"] == "finished"
    assert is_older(admission.rank, discharge.rank)
    assert not is_older(discharge.rank, admission.rank)


# ATK-090
def test_an_older_update_of_a_person_changes_nothing():
    new = translated("ADT^A08", WHO, evn="20260105120000").person
    old = translated("ADT^A08", WHO, evn="20260105115959", at="20260107").person
    assert is_older(old.rank, new.rank)
    assert not is_older(new.rank, new.rank)


# ATK-090, ATK-092
def test_an_event_that_is_dated_after_its_own_message_shuts_nothing_out():
    made = translated("ADT^A08", WHO, evn="20990101000000")
    assert made.occurred_at == "2026-01-05T10:15:00-05:00"
    assert "EVN-2: It is a day or more after MSH-7, which holds instead." in texts(made)


def test_a_cancelled_discharge_takes_back_the_end():
    made = only(translated("ADT^A13", WHO, VISIT), "Encounter")
    kept = {"status": "finished", "period": {"start": "2026-01-05", "end": "2026-01-06"}}
    after = laid_over(kept, made)
    assert after["status"] == "in-progress"
    assert after["period"] == {"start": "2026-01-05"}


def test_a_transfer_keeps_where_the_person_was_and_its_cancellation_takes_it_back():
    first = only(translated("ADT^A01", WHO, VISIT), "Encounter")
    kept = laid_over(None, first)
    moved = VISIT.replace("3W^301^A^WEST||||", "ICU^1^B^WEST|||3W^301^A^WEST|")
    there = laid_over(kept, only(translated("ADT^A02", WHO, moved), "Encounter"))
    assert [(each["location"]["display"], each["status"]) for each in there["location"]] == [
        ("WEST, ICU, 1, B", "active"),
        ("WEST, 3W, 301, A", "completed"),
    ]
    back = laid_over(there, only(translated("ADT^A12", WHO, VISIT), "Encounter"))
    assert [each["location"]["display"] for each in back["location"]] == ["WEST, 3W, 301, A"]


def test_two_quotes_delete_and_empty_leaves():
    made = translated("ADT^A08", 'PID|1||4711^^^WEST^MR||Okafor^Ada|""|""|F||||||||""')
    assert made.person.clears == (MAIDEN, "birthDate", "_birthDate", "maritalStatus")
    kept = {
        "birthDate": "1984-02-29",
        "gender": "male",
        "maritalStatus": {"text": "M"},
        "address": [{"city": "Troy"}],
        "extension": [{"url": MAIDEN[10:-1]}, {"url": "urn:x"}],
    }
    after = laid_over(kept, made.person)
    assert after["gender"] == "female"
    assert after["address"] == [{"city": "Troy"}]
    assert "birthDate" not in after
    assert after["extension"] == [{"url": "urn:x"}]


def test_what_a_message_does_not_know_of_a_person_stays():
    line = "PID|1||4711^^^WEST^MR||Okafor^Ada^^^^^L"
    made = translated("ADT^A31", line, rules=Rules(mode="action")).person
    names = [{"use": "nickname", "given": ["Addie"]}, {"use": "official", "family": "X"}]
    kept = {"id": "p", "identifier": [{"system": "urn:ours", "value": "1"}], "name": names}
    after = laid_over(kept, made)
    assert [each["value"] for each in after["identifier"]] == ["4711", "1"]
    assert [each["use"] for each in after["name"]] == ["official", "nickname"]
    assert after["id"] == "p"
    snapshot = laid_over(kept, translated("ADT^A31", line).person)
    assert [each["use"] for each in snapshot["name"]] == ["official"]
    assert len(snapshot["identifier"]) == 2


def test_in_action_mode_a_list_is_not_all_there_is():
    made = translated("ADT^A08", WHO, "AL1|1|DA|1^Latex", rules=Rules(mode="action"))
    assert keep(made).complete == ()
    assert not keep(made).snapshot


def test_without_allergies_named_none_is_over():
    assert keep(translated("ADT^A08", WHO, VISIT)).complete == ()


# ATK-089
@pytest.mark.parametrize("numbers", ["", "^^^WEST^MR", "000000^^^WEST^MR", "UNKNOWN^^^WEST", '""'])
def test_nobody_is_found_by_a_number_that_is_none(numbers):
    with pytest.raises(Refused):
        translated("ADT^A04", f"PID|1||{numbers}||Okafor^Ada", VISIT)


def test_numbers_of_an_authority_that_nobody_told_us_are_the_senders_own():
    here = translated("ADT^A04", "PID|1||7^^^MRN^MR||A^B", VISIT).person.identifiers[0]
    assert here.system == "urn:hl7v2:WEST:MRN"
    by_oid = translated("ADT^A04", "PID|1||7^^^X&2.999.7&ISO^MR||A^B", VISIT).person.identifiers[0]
    assert by_oid.system == "urn:oid:2.999.7"


def test_a_channel_may_say_that_nobody_is_created():
    made = translated("ADT^A04", WHO, VISIT, rules=Rules(create_person=False))
    assert not keep(made).create_person


def test_a_deleted_person_is_inactive_and_nothing_else():
    made = translated("ADT^A29", WHO)
    assert made.person.resource["active"] is False
    assert "name" not in made.person.resource
    assert not keep(made).create_person


@pytest.mark.parametrize("event", ["A17", "A43", "Z99", "A24"])
def test_what_no_table_knows_is_said(event):
    with pytest.raises(Unsupported):
        translated(f"ADT^{event}", WHO, VISIT)


def test_a_cancellation_without_a_visit_is_refused():
    with pytest.raises(Refused):
        translated("ADT^A11", WHO)


def test_a_visit_without_a_number_is_known_by_its_beginning_or_not_kept():
    line = "PV1|1|E" + "|" * 42 + "20260105080000"
    assert only(translated("ADT^A04", WHO, line), "Encounter").key.endswith("4711|20260105080000")
    made = translated("ADT^A04", WHO, "PV1|1|E")
    assert documents(made, "Encounter") == []
    assert "PV1: Nothing says which Encounter that is; it is not kept." in texts(made)


def test_every_value_leaves_a_step_and_what_nobody_read_is_listed():
    made = translated("ADT^A01", WHO, VISIT, "ZZZ|1|secret", "DB1|1|PT||Y")
    assert any(step.source == "PID-7" and step.target == "Patient.birthDate" for step in made.trace)
    assert made.unused == ("ZZZ-1", "ZZZ-2", "DB1-1", "DB1-2", "DB1-4")


def test_no_remark_carries_what_a_patient_said():
    made = translated("ADT^A01", "PID|1||4711^^^WEST^MR||Okafor^Ada||1984XX29|Q", VISIT)
    said = " ".join(texts(made))
    assert "PID-7" in said
    assert "PID-8" in said
    assert not any(word in said for word in ("Okafor", "1984XX29", "4711"))


def test_a_diagnosis_may_be_taken_back():
    line = "DG1|1||I10^Hypertension^I10C||20260105|A" + "|" * 15 + "D"
    made = only(translated("ADT^A08", WHO, VISIT, line), "Condition").resource
    assert made["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in made


def test_a_groups_name_without_its_number_is_no_class_that_records_would_refuse():
    for group, name in (("", "Mill hands"), ("G7", "Mill hands"), ("G7", "")):
        line = f"IN1|1|PLAN1|PAYER9^^^NAIC|Good Health||||{group}|{name}|||20260101"
        made = translated("ADT^A01", WHO, VISIT, line)  # what it makes is valid, or this fails
        cover = only(made, "Coverage").resource
        kept = cover.get("class", [])
        assert [each["value"] for each in kept] == ([group] if group else [])
