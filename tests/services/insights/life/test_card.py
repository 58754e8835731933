"""The card answers every item of every checklist, or says that nobody knows."""

import xml.etree.ElementTree as ET

import pytest

from polyclinic.services.insights.domain.life.card import (
    MEASURED,
    NOT_KNOWN,
    BadRecord,
    card_of,
    read_record,
    statements,
)

ALL = {name: f"About {name}." for name in statements() - set(MEASURED)}
HERE = {name: f"Measured {name}." for name in MEASURED}


def test_31_of_31_and_27_of_27_are_answered_in_their_order():
    card = card_of(read_record(ALL), HERE)
    assert [each.number for each in card.hti1] == [str(n) for n in range(1, 32)]
    assert [each.number for each in card.tripod_ai] == [str(n) for n in range(1, 28)]
    for each in (*card.hti1, *card.tripod_ai, *card.chai):
        assert each.known
        assert each.title
        assert "Not known" not in each.text


def test_what_nobody_has_recorded_is_said_to_be_not_known():
    card = card_of({}, {})
    assert {each.text for each in (*card.hti1, *card.tripod_ai, *card.chai)} == {NOT_KNOWN}
    partly = card_of({"developer": "The clinic"}, {})
    assert partly.hti1[0].text == "The clinic\nNot known: contact."


def test_every_statement_is_asked_by_a_checklist_and_what_is_measured_is_no_statement():
    assert set(MEASURED) <= statements()
    for name in MEASURED:
        with pytest.raises(BadRecord):
            read_record({name: "We are fine."})


@pytest.mark.parametrize(
    "said", [{"surname": "x"}, {"title": ""}, {"title": 5}, {"title": "x" * 4001}]
)
def test_a_bad_record_is_refused_with_the_place(said):
    with pytest.raises(BadRecord) as refused:
        read_record(said)
    assert refused.value.place == f"record.{next(iter(said))}"


def test_the_chai_card_is_xml_with_each_field_once_whatever_the_words_are():
    card = card_of({**ALL, "title": "<b>&\x00 Ümlaut"}, HERE)
    root = ET.fromstring(card.as_xml())
    assert root.findtext("BasicInfo/ModelName") == "<b>& Ümlaut"
    assert [child.tag for child in root] == [
        "BasicInfo", "ReleaseInfo", "ModelSummary", "UsesAndDirections", "Warnings",
        "TrustIngredients", "KeyMetrics", "Resources",
    ]  # fmt: skip
    for name in ("UsefulnessUsabilityEfficacy", "FairnessEquity", "SafetyReliability"):
        assert len(root.find(f"KeyMetrics/{name}")) == 6
    assert len(list(root.iter())) - 1 - 8 - 5 == len(card.chai)


def test_json_says_of_each_item_whether_it_is_known():
    said = card_of({"title": "Readmission"}, {}).as_json()
    assert {name: len(items) for name, items in said.items()}["hti1"] == 31
    assert said["tripodAi"][0] == {
        "number": "1", "title": "Title", "text": "Readmission", "known": True,
    }  # fmt: skip
