"""Documents keep their meaning: what is denied never becomes what is said, and nothing is lost."""

import sys
import tarfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from written import allergies, allergy, code, document, finding, fragment, medication, section

from polyclinic.standards.ccda import Converted, NotCcda, convert

PEANUT = code("762952008", "Peanut")
SOCIAL = ("2.16.840.1.113883.10.20.22.2.17", "29762-2", "Not pregnant")
MEDICINES = ("2.16.840.1.113883.10.20.22.2.1.1", "10160-0", "Takes no amlodipine")


def of(converted: Converted, kind: str) -> list[dict]:
    return [resource for name, _, resource in converted.documents if name == kind]


def verification(allergy: dict) -> str:
    return allergy["verificationStatus"]["coding"][0]["code"]


def test_an_allergy_is_one():
    (found,) = of(convert(document(allergies(allergy(PEANUT)))), "AllergyIntolerance")
    assert found["clinicalStatus"]["coding"][0]["code"] == "active"
    assert found["code"]["coding"][0]["code"] == "762952008"
    assert found["patient"] == {"reference": "#Patient"}


def test_not_allergic_to_peanuts_is_refuted_and_names_peanuts():
    converted = convert(document(allergies(allergy(PEANUT, negated=True))))
    (found,) = of(converted, "AllergyIntolerance")
    assert verification(found) == "refuted"
    assert found["clinicalStatus"]["coding"][0]["code"] == "inactive"
    assert found["code"]["text"] == "Peanut"


def test_no_known_allergies_is_no_allergy_to_something_unknown():
    nothing = '<code nullFlavor="NA"/>'
    converted = convert(document(allergies(allergy(nothing, negated=True))))
    for found in of(converted, "AllergyIntolerance"):
        assert found["code"]["coding"][0]["code"] in ("716186003", "409137002", "429625007")


def test_an_allergy_that_was_entered_in_error_is_gone():
    converted = convert(document(allergies(allergy(PEANUT, status="nullified"))))
    assert of(converted, "AllergyIntolerance") == []
    assert "The statement was withdrawn." in [note.text for note in converted.notes]


def test_what_was_denied_beside_what_was_said_takes_nothing_along():
    converted = convert(
        document(
            allergies(
                allergy(PEANUT, negated=True, ident="a1"),
                allergy(code("387517004", "Latex"), ident="a2"),
            )
        )
    )
    found = {
        a["code"].get("text", ""): verification(a) for a in of(converted, "AllergyIntolerance")
    }
    assert found.pop("Peanut") == "refuted"
    assert list(found.values()) == ["confirmed"]


def test_a_denied_finding_is_words_that_no_program_takes_for_its_code():
    value = code("77386006", "Pregnancy").replace("<code", '<value xsi:type="CD"')
    (found,) = of(convert(document(section(*SOCIAL, finding(value, negated=True)))), "Observation")
    assert found["valueString"] == "Not: Pregnancy"
    assert "77386006" not in str(found)
    (said,) = of(convert(document(section(*SOCIAL, finding(value)))), "Observation")
    assert said["valueCodeableConcept"]["coding"][0]["code"] == "77386006"


def test_a_medicine_that_is_not_taken_is_text_and_not_a_medicine():
    converted = convert(document(section(*MEDICINES, medication(negated=True))))
    assert {kind for kind, _, _ in converted.documents} == {"Composition"}
    (composition,) = of(converted, "Composition")
    assert "Takes no amlodipine" in composition["section"][0]["text"]["div"]
    said = convert(document(section(*MEDICINES, medication())))
    assert {kind for kind, _, _ in said.documents} > {"Composition"}


def test_a_section_of_words_alone_keeps_its_words():
    converted = convert(document(allergies(text="No known allergies")))
    (composition,) = of(converted, "Composition")
    assert "No known allergies" in composition["section"][0]["text"]["div"]
    assert of(converted, "AllergyIntolerance") == []


def test_one_entry_that_is_not_understood_takes_no_other_along():
    broken = medication().replace("<doseQuantity", "<doseQuantity bad='1'").replace(
        '<effectiveTime xsi:type="IVL_TS"><low value="20200101"/></effectiveTime>', ""
    ).replace('<statusCode code="active"/>', "")  # fmt: skip
    converted = convert(document(section(*MEDICINES, broken), allergies(allergy(PEANUT))))
    assert len(of(converted, "AllergyIntolerance")) == 1
    assert len(of(converted, "Composition")) == 1


def test_the_same_document_has_the_same_keys_and_a_later_version_those_of_its_entries():
    first = convert(document(allergies(allergy(PEANUT))))
    again = convert(document(allergies(allergy(PEANUT))))
    assert [d[:2] for d in first.documents] == [d[:2] for d in again.documents]
    later = convert(document(allergies(allergy(PEANUT), allergy(PEANUT, ident="a2")), number="2"))
    keys = [{key for kind, key, _ in c.documents if kind == "AllergyIntolerance"}
            for c in (first, later)]  # fmt: skip
    assert keys[0] < keys[1]


def test_other_houses_people_and_places_are_named_and_fill_no_directory():
    converted = convert(document(allergies(allergy(PEANUT))))
    (composition,) = of(converted, "Composition")
    (author,) = composition["author"]
    assert "Doc" in author["display"]
    assert "reference" not in author
    assert converted.patient["identifier"][0]["value"] == "77"
    assert "id" not in converted.patient


def test_a_header_that_breaks_its_templates_rules_is_read_all_the_same():
    assert convert(document(allergies(allergy(PEANUT)), author="")).documents


HOSTILE = {
    "an entity": b'<!DOCTYPE x [<!ENTITY a "boom">]><ClinicalDocument xmlns="urn:hl7-org:v3">&a;'
    b"</ClinicalDocument>",
    "a billion laughs": b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><ClinicalDocument xmlns="urn:hl7-org:v3">&c;'
    b"</ClinicalDocument>",
    "a file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    b'<ClinicalDocument xmlns="urn:hl7-org:v3">&a;</ClinicalDocument>',
    "a remote type": b'<!DOCTYPE ClinicalDocument SYSTEM "http://127.0.0.1:9/x.dtd">'
    b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>',
    "depth": b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + b"<a>" * 5000,
    "another root": b"<html/>",
    "no XML": b"%PDF-1.7",
    "nothing": b"",
    "an encoding that there is not": b'<?xml version="1.0" encoding="klingon"?><a/>',
    "a name without its space": b"<ClinicalDocument/>",
    "zero bytes": b"\x00" * 64,
    "half a document": document(allergies(allergy(PEANUT)))[:-400],
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_documents_are_refused_with_a_place(raw):
    with pytest.raises(NotCcda) as refused:
        convert(raw)
    assert refused.value.place
    assert "boom" not in refused.value.text


def test_more_than_fifty_megabytes_are_refused_unread():
    began = time.monotonic()
    with pytest.raises(NotCcda, match="50 MB"):
        convert(b" " * (50 * 1024 * 1024 + 1))
    assert time.monotonic() - began < 5


# ATK-094
def test_an_external_style_sheet_is_not_looked_at():
    sheet = b'<?xml-stylesheet type="text/xsl" href="http://127.0.0.1:9/x.xsl"?>'
    assert convert(sheet + document(allergies(allergy(PEANUT)))).documents


# ATK-094
def test_a_body_that_is_no_xml_leaves_whom_it_is_about():
    body = "<nonXMLBody><text mediaType='text/plain'>A letter</text></nonXMLBody>"
    converted = convert(document(further=f"<component>{body}</component>"))
    assert converted.patient["birthDate"] == "1970-01-01"


# ATK-094
def test_a_huge_table_is_read_in_time():
    rows = "".join(f"<tr><td>{n}</td><td>nothing</td></tr>" for n in range(5_000))
    table = f"<table><tbody>{rows}</tbody></table>"
    assert of(convert(document(allergies(text=table))), "Composition")


EXAMPLES = Path(__file__).parents[4] / "shared/data/ccda/hl7_ccda_examples_part.tgz"


@pytest.fixture(scope="module")
def published() -> dict[str, bytes]:
    if not EXAMPLES.is_file():
        pytest.skip("the published C-CDA examples are not beside this clone")
    with tarfile.open(EXAMPLES) as tar:
        return {
            member.name: fragment(
                "".join(filter(str.isalnum, Path(member.name).stem)),
                tar.extractfile(member).read().decode("utf-8-sig", "replace"),
            )
            for member in tar
            if member.name.lower().endswith(".xml")
        }


def test_every_published_example_is_read_or_refused_with_a_reason(published, record_property):
    refused = {}
    for name, raw in published.items():
        try:
            assert convert(raw).patient, name
        except NotCcda as reason:
            refused[name] = reason.text
    record_property("documents", len(published))
    assert len(published) > 200
    # One of them is not well-formed as it is published.
    assert list(refused.values()) == ["This is not well-formed XML."]


def test_published_denials_stay_denials(published):
    def one(part: str) -> Converted:
        (raw,) = (raw for name, raw in published.items() if part in name)
        return convert(raw)

    (peanuts,) = of(one("Not Allergic to Peanuts"), "AllergyIntolerance")
    assert verification(peanuts) == "refuted"
    (unknown,) = of(one("No Known Medication Allergies"), "AllergyIntolerance")
    assert unknown["code"]["coding"][0]["code"] == "409137002"
    (diabetes,) = of(one("Patient Does Not Have Diabetes"), "Condition")
    assert verification(diabetes) == "refuted"
    (pregnancy,) = of(one("Social History/Not Pregnant"), "Observation")
    assert pregnancy["valueString"].startswith("Not: ")
    none_taken = one("Medications/No Medications")
    assert not [kind for kind, _, _ in none_taken.documents if kind.startswith("Medication")]
    (refused,) = of(one("Patient refused"), "Immunization")
    assert refused["status"] == "not-done"
