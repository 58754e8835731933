"""Two answers that mean the same have no difference; two that do not always have one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from polyclinic.services.migration.domain.diffing import units
from polyclinic.services.migration.domain.diffing.clusters import (
    NeedsAnEnd,
    Verdict,
    check,
    cluster_id,
    passes,
)
from polyclinic.services.migration.domain.diffing.comparing import (
    compare,
    compare_status,
    masked,
    worst,
)
from polyclinic.services.migration.domain.diffing.noise import Wavered, without_noise
from polyclinic.services.migration.domain.diffing.rules import Comparison, Difference, Field

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def one(**field):
    return Comparison(fields=(Field(path="x", **{"severity": 1, **field}),))


def same(rules, legacy, candidate):
    return not compare(rules, {"x": legacy}, {"x": candidate})


@pytest.mark.parametrize(
    ("field", "legacy", "candidate"),
    [
        ({"kind": "quantity", "analyte": "glucose"}, "90 mg/dL", "5.0 mmol/L"),
        ({"kind": "quantity", "analyte": "creatinine"}, "1.0 mg/dl", "88 µmol/L"),
        (
            {"kind": "quantity", "analyte": "potassium"},
            "4.1 mEq/L",
            {"value": 4.1, "unit": "mmol/L"},
        ),
        ({"kind": "quantity"}, "500 mg", "0.5 g"),
        ({"kind": "quantity"}, "250 mcg", "0.25 mg"),
        ({"kind": "quantity"}, "154 lb", "69.9 kg"),
        ({"kind": "quantity"}, "98.6 F", "37.0 °C"),
        ({"kind": "quantity", "unit": "mg"}, 5, "5.0 mg"),
        ({"kind": "quantity", "unit": "cm", "candidate_unit": "m"}, 172, 1.72),
        ({"kind": "code", "codes": {"F": "female"}}, "F", "female"),
        ({"kind": "code"}, "E11.9", {"coding": [{"system": "icd", "code": "E11.9"}]}),
        ({"kind": "date"}, "03/14/1980", "1980-03-14"),
        ({"kind": "date"}, "19800314", "1980-03-14"),
        (
            {"kind": "time", "zone": "America/New_York"},
            "2026-07-01T09:00:00",
            "2026-07-01T13:00:00Z",
        ),
        ({"kind": "time"}, "7/1/2026 1:05 PM", "2026-07-01T13:05:00Z"),
        ({"kind": "date"}, "03-14-1980", "1980-03-14"),
        ({"kind": "time"}, 1782910800, "2026-07-01T13:00:00Z"),
        ({"kind": "time", "tolerance": 1}, "2026-07-01T13:00:00Z", "2026-07-01T13:00:01Z"),
        ({"kind": "money"}, "$1,250.00", {"value": 1250, "currency": "USD"}),
        ({"kind": "money", "unit": "cents", "candidate_unit": "dollars"}, 1250, "12.50"),
        ({"kind": "text"}, "Ana María", "Ana Mari\u0301a"),
        ({"kind": "flag"}, "Y", True),
        ({"kind": "id"}, 17, "17"),
        ({"kind": "text"}, "", None),
        ({"kind": "number", "tolerance": 0.05}, 1.0, 1.04),
        ({"kind": "list"}, ["b", "a"], ["a", "b"]),
        (
            {"kind": "list", "fields": (Field(path="", kind="code", codes={"P": "pen"}),)},
            ["P"],
            ["pen"],
        ),
    ],
)
def test_what_means_the_same_is_the_same(field, legacy, candidate):
    assert same(one(**field), legacy, candidate)


@pytest.mark.parametrize(
    ("field", "legacy", "candidate"),
    [
        ({"kind": "quantity", "analyte": "glucose"}, "91 mg/dL", "5.0 mmol/L"),
        ({"kind": "quantity"}, "90 mg/dL", "5.0 mmol/L"),
        ({"kind": "quantity", "analyte": "glucose"}, "5.0 mg/dL", "5.0 mmol/L"),
        ({"kind": "quantity"}, "540 mg", "0.5 g"),
        ({"kind": "quantity"}, "500 mg", "500 mcg"),
        ({"kind": "quantity"}, "5 mg", "5"),
        ({"kind": "quantity"}, "5 puffs", "5 drops"),
        ({"kind": "quantity"}, "5 mg", "50 mg"),
        ({"kind": "code"}, "E11.9", "E10.9"),
        ({"kind": "date"}, "1980-03-14", "1980-04-13"),
        ({"kind": "date"}, "1980-03", "1980-03-01"),
        (
            {"kind": "time", "zone": "America/New_York"},
            "2026-07-01T09:00:00",
            "2026-07-01T09:00:00Z",
        ),
        ({"kind": "money"}, "12.50", "12.05"),
        ({"kind": "flag"}, "Y", "N"),
        ({"kind": "flag"}, "Y", "perhaps"),
        ({"kind": "id"}, "17", "71"),
        ({"kind": "id"}, "Ab1", "aB1"),
        ({"kind": "text"}, "penicillin", None),
        ({"kind": "list"}, ["a", "b"], ["a"]),
        ({"kind": "list"}, ["a", "a"], ["a", "b"]),
        ({"kind": "list", "ordered": True}, ["a", "b"], ["b", "a"]),
    ],
)
def test_what_does_not_mean_the_same_is_serious(field, legacy, candidate):
    assert worst(compare(one(**field), {"x": legacy}, {"x": candidate})) == 1


ALLERGIES = Comparison(
    fields=(
        Field(path="id", kind="id", severity=1),
        Field(
            path="allergies",
            kind="list",
            severity=1,
            candidate="allergy_list",
            key=("substance",),
            fields=(
                Field(path="substance", kind="text", severity=1, candidate="agent.text"),
                Field(path="reaction", kind="text", severity=1),
                Field(path="noted", kind="date", severity=3),
            ),
        ),
    ),
    ignore=("generated",),
)
LEGACY = {
    "id": 7,
    "generated": "12:00",
    "allergies": [
        {"substance": "Penicillin", "reaction": "Hives", "noted": "01/02/2020"},
        {"substance": "Latex", "reaction": "Rash", "noted": "02/03/2021"},
    ],
}
CANDIDATE = {
    "id": "7",
    "generated": "12:01",
    "allergy_list": [
        {"agent": {"text": "Latex"}, "reaction": "Rash", "noted": "2021-02-03"},
        {"agent": {"text": "penicillin"}, "reaction": "Hives", "noted": "2020-01-02"},
    ],
}


def changed(change):
    items = [dict(item) for item in CANDIDATE["allergy_list"]]
    change(items)
    return compare(ALLERGIES, LEGACY, {**CANDIDATE, "allergy_list": items})


def test_items_of_a_list_are_matched_by_their_key_in_any_order():
    found = compare(ALLERGIES, LEGACY, CANDIDATE)
    assert [(d.path, d.kind, d.severity) for d in found] == [
        ("allergies[].substance", "capitals", 4)
    ]


def test_an_item_that_is_lost_or_invented_is_found_with_its_lists_severity():
    assert ("allergies[]", "missing", 1) in [d[:3] for d in changed(lambda items: items.pop(0))]
    more = {"agent": {"text": "Nuts"}}
    assert ("allergies[]", "extra", 1) in [d[:3] for d in changed(lambda i: i.append(more))]


def test_what_stands_beside_a_value_is_its_unit_and_says_which_analyte_it_is():
    rules = Comparison(
        fields=(
            Field(path="Test", kind="code", severity=1),
            Field(path="Value", kind="quantity", severity=1, unit_path="Units",
                  analyte_path="Test", analytes={"GLU": "glucose"}),
            Field(path="Range", kind="range", severity=4, unit_path="Units",
                  analyte_path="Test", analytes={"GLU": "glucose"}),
            Field(path="WeightLb", kind="quantity", severity=1, unit="lb", also={"WeightKg": "kg"}),
        )
    )  # fmt: skip
    old = {"Test": "GLU", "Value": "105", "Units": "mg/dL", "Range": "70-99", "WeightLb": 154}
    new = {"Test": "GLU", "Value": "5.83", "Units": "mmol/L", "Range": "3.9-5.5", "WeightKg": 69.85}
    assert not compare(rules, old, new)
    assert worst(compare(rules, old, {**new, "Units": "mg/dL"})) == 1
    assert worst(compare(rules, old, {**new, "WeightKg": 154})) == 1
    assert worst(compare(rules, {**old, "Value": "<105"}, old)) == 1
    assert [d.path for d in compare(rules, old, {**new, "Range": "3.9-6.5"})] == ["Range"]


def test_spaces_and_capitals_are_cosmetic():
    found = compare(one(kind="text"), {"x": "Ana  Lind"}, {"x": " Ana Lind"})
    assert [d[:3] for d in found] == [("x", "spacing", 4)]


def test_values_swapped_between_two_items_are_found():
    def swap(items):
        items[0]["reaction"], items[1]["reaction"] = items[1]["reaction"], items[0]["reaction"]

    serious = [d for d in changed(swap) if d.severity == 1]
    assert [d.path for d in serious] == ["allergies[].reaction"] * 2


def test_what_no_rule_names_is_compared_as_it_is_and_counts_as_cosmetic():
    found = compare(ALLERGIES, {**LEGACY, "extra": {"a": 1}}, CANDIDATE)
    assert ("extra", "missing", 4) in [d[:3] for d in found]


def test_an_answer_that_is_a_list_is_compared_by_its_items():
    rules = Comparison(
        fields=(
            Field(path="items", kind="list", severity=2, key=("id",),
                  fields=(Field(path="id", kind="id", severity=1),
                          Field(path="at", kind="time", severity=2))),
        )
    )  # fmt: skip
    legacy = [{"id": 1, "at": "2026-01-01T10:00:00"}, {"id": 2, "at": "2026-01-01T11:00:00"}]
    assert not compare(rules, legacy, list(reversed(legacy)))
    moved = [legacy[0], {"id": 2, "at": "2026-01-01T12:00:00"}]
    assert [d[:3] for d in compare(rules, legacy, moved)] == [("items[].at", "value", 2)]


def test_found_and_not_found_differ_but_created_and_ok_do_not():
    assert compare_status(Comparison(status=1), 200, 404)[0].severity == 1
    assert not compare_status(Comparison(), 200, 201)
    assert not compare_status(Comparison(), 404, 410)


def test_what_the_old_system_says_differently_twice_is_noise():
    found = [Difference("seen", "value", 4, "a", "b"), Difference("name", "value", 3, "a", "b")]
    counts, noise = without_noise(found, [Difference("seen", "value", 4, "a", "c")], {})
    assert [d.path for d in counts] == ["name"]
    assert [d.path for d in noise] == ["seen"]
    learned = {"name": Wavered(40, 10)}
    assert without_noise(found[1:], [], learned)[0] == []


def test_a_wavering_dose_is_never_silenced_by_what_was_learned():
    dose = [Difference("dose", "value", 1, "5 mg", "50 mg")]
    assert without_noise(dose, [], {"dose": Wavered(40, 40)})[0] == dose


def test_a_verdict_lets_a_serious_difference_pass_for_a_month_at_most():
    with pytest.raises(NeedsAnEnd):
        check(Verdict("expected"), 3, NOW)
    with pytest.raises(NeedsAnEnd):
        check(Verdict("noise", NOW + timedelta(days=31)), 1, NOW)
    check(Verdict("noise"), 4, NOW)
    check(Verdict("bug-new"), 1, NOW)
    assert passes(Verdict("expected", NOW + timedelta(days=1)), NOW)
    assert not passes(Verdict("expected", NOW), NOW)
    assert not passes(Verdict("bug-new"), NOW)
    assert passes(Verdict("bug-legacy"), NOW)


def test_one_finding_has_one_name_everywhere():
    assert cluster_id("a", "b", "c", "d") == cluster_id("a", "b", "c", "d")
    assert cluster_id("a", "b", "c", "d") != cluster_id("a", "b", "cd", "")


def test_a_mask_shows_the_shape_and_nothing_else():
    assert masked("Ana 1980-03-14") == "xxx 9999-99-99"
    assert masked({"a": 1}) == "dict of 1"
    assert masked("é" * 60) == "x" * 40


def test_conversions_go_both_ways():
    for analyte, mass, amount in [
        ("glucose", ("126", "mg/dL"), ("7.0", "mmol/L")),
        ("cholesterol", ("200", "mg/dL"), ("5.17", "mmol/L")),
        ("calcium", ("9.6", "mg/dL"), ("2.40", "mmol/L")),
        ("triglycerides", ("150", "mg/dL"), ("1.69", "mmol/L")),
        ("bilirubin", ("1.2", "mg/dL"), ("20.5", "umol/L")),
    ]:
        first, second = (Decimal(mass[0]), mass[1]), (Decimal(amount[0]), amount[1])
        assert units.same(first, second, analyte), analyte
        assert units.same(second, first, analyte), analyte
