"""A claim's life, codes in words, amounts of a coding, and X12 as lines."""

from datetime import UTC, datetime

import pytest

from polyclinic.foundation.errors import Issue
from polyclinic.services.portal.domain import coding, x12_view
from polyclinic.services.portal.domain.billing_desk_words import code_words, life
from polyclinic.services.portal.domain.billing_work import Fee, Told

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
FEES = [Fee("Z1001", "", "Visit", 12_500), Fee("Z1001", "25", "Visit beside", 14_000)]


@pytest.mark.parametrize(
    ("status", "now", "ahead"),
    [
        ("draft", "Draft", ["Checked", "Sent", "Taken", "Decided"]),
        ("accepted", "Taken by the payer", ["Decided"]),
        ("paid", "Decided", []),
        ("rejected", "Sent back", ["Put right"]),
        ("denied", "Denied", ["Put right"]),
        ("appealed", "Appealed", ["Decided anew"]),
    ],
)
def test_a_claim_is_at_one_station_of_its_life(status: str, now: str, ahead: list[str]):
    told = [Told(NOW, "draft", "begun", "x", None, ""), Told(NOW, status, "y", "x", None, "")]
    steps = life(status, told, 0)
    assert [step.word for step in steps if step.mark == "now"] == [now]
    assert [step.word for step in steps if step.mark == "ahead"] == ahead
    assert steps[0].at == NOW


def test_a_decision_that_leaves_something_open_is_no_good_end():
    assert (life("paid", [], 0)[-1].tone, life("paid", [], 100)[-1].tone) == ("ok", "warn")


def test_codes_are_said_in_words_with_the_code_behind_them():
    assert code_words("CO-50") == "Payer sees no medical need (CO-50)"
    assert code_words("A7-562").startswith("Sent back, details wrong")
    assert code_words("something") == "Something"


def test_a_line_costs_what_its_modifier_costs_if_that_has_a_price():
    lines = (
        coding.Line("Z1001", "2", "25", "1"),
        coding.Line("Z1001", "1", "LT"),
        coding.Line("Z9", "1"),
    )
    priced = coding.priced(coding.Typed(("E11.9",), lines), FEES)
    assert [each.amount for each in priced] == [28_000, 12_500, None]


def test_a_place_of_billing_is_a_field_of_the_form():
    places = ("diagnoses[1]", "lines[2].pointers", "lines[0].modifiers", "coverage", "other")
    found = coding.places([Issue("text", place) for place in places])
    assert [field for field, _ in found] == ["dx2", "for3", "mods1", "pays", ""]


def test_a_file_is_shown_by_its_own_separators_and_its_faulty_segment_is_marked():
    isa = f"ISA|00|{' ' * 10}|00|{' ' * 10}|ZZ|{'A':<15}|ZZ|{'B':<15}|261122|1000|^|00501|1"
    isa = f"{isa:<105}"[:105]
    content = f"{isa}'NM1|IL|1|Keller'\r\nCLM|X|10'".encode()
    shown = x12_view.view(content, "Segment 3 at byte 120, CLM02: wrong (X)")
    assert [(row.tag, row.words, row.is_marked) for row in shown.rows] == [
        ("ISA", "Envelope begins", False),
        ("NM1", "Insured", False),
        ("CLM", "Claim", True),
    ]
    assert shown.rows[1].rest == "|IL|1|Keller"


def test_what_is_no_x12_is_shown_as_it_is():
    shown = x12_view.view(b"\xff\x00 no file", None)
    assert len(shown.rows) == 1
