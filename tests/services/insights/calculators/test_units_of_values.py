"""A stated unit is converted exactly, and an unstated or wrong one is refused: never guessed."""

import pytest
from charts_made import AT, chart, observation
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.calculators import (
    Missing,
    OutOfRange,
    Quantity,
    answer,
    compute,
    registry,
)
from polyclinic.services.insights.domain.charts import UnitRefused, convert
from polyclinic.services.insights.domain.charts.units import ANALYTES


@pytest.mark.parametrize(
    ("number", "unit", "to", "analyte", "expected"),
    [
        (1, "mg/dL", "umol/L", "creatinine", 88.40),
        (200, "mg/dL", "mmol/L", "cholesterol", 5.172),
        (1, "mg/dL", "umol/L", "bilirubin", 17.10),
        (28.014, "mg/dL", "mmol/L", "urea nitrogen", 10.0),
        (60.056, "mg/dL", "mmol/L", "urea", 10.0),
        (1, "mmol/L", "mg/dL", "calcium", 4.0078),
        (5, "meq/L", "mg/dL", "calcium", 10.0195),
        (140, "meq/L", "mmol/L", "sodium", 140),
        (1, "mmol/L", "mg/dL", "phosphate", 3.0974),
        (48, "mmol/mol", "%", "hba1c", 6.543),
        (6.5, "%", "mmol/mol", "hba1c", 47.53),
        (3, "mg/mmol", "mg/g", "creatinine", 26.52),
        (42, "g/L", "g/dL", "", 4.2),
        (16, "kPa", "mm[Hg]", "", 120.01),
        (98.6, "[degF]", "Cel", "", 37.0),
        (70, "[in_i]", "cm", "", 177.8),
        (200, "[lb_av]", "kg", "", 90.7185),
        (1, "ukat/L", "U/L", "", 60),
        (150000, "/uL", "10*9/L", "", 150),
        (250, "10*3/uL", "10*9/L", "", 250),
        (0.97, "1", "%", "", 97),
        (72, "{beats}/min", "/min", "", 72),
    ],
)
def test_a_known_unit_is_converted(number, unit, to, analyte, expected):
    assert convert(number, unit, to, analyte) == pytest.approx(expected, rel=3e-4)


@pytest.mark.parametrize(
    ("unit", "to", "analyte"),
    [
        ("", "mg/dL", "creatinine"),
        ("mg", "mg/dL", "creatinine"),
        ("mmHg", "mm[Hg]", ""),
        ("mL/min", "mL/min/{1.73_m2}", ""),
        ("mmol/L", "mg/dL", ""),
        ("mmol/L", "g/dL", "hba1c"),
        ("furlong", "cm", ""),
        ("%", "10*9/L", ""),
        ("MG/DL", "mg/dL", "creatinine"),
    ],
)
def test_any_other_unit_is_refused(unit, to, analyte):
    with pytest.raises(UnitRefused):
        convert(1, unit, to, analyte)


@given(st.floats(0.01, 5000), st.sampled_from(sorted(set(ANALYTES) - {"hba1c"})))
def test_there_and_back_again_is_where_one_was(number, analyte):
    away = convert(number, "mg/dL", "umol/L", analyte)
    assert convert(away, "umol/L", "mg/dL", analyte) == pytest.approx(number, rel=1e-12)


BOTH = [
    ("ckd-epi-2021", "creatinine", 1.2, "mg/dL", "umol/L", 106.08),
    ("prevent", "total_cholesterol", 200, "mg/dL", "mmol/L", 5.1724),
    ("prevent", "hdl", 45, "mg/dL", "mmol/L", 1.16380),
    ("meld-3", "bilirubin", 3, "mg/dL", "umol/L", 51.31),
    ("curb-65", "urea", 8, "mmol/L", "mg/dL", 48.045),
]


@pytest.mark.parametrize(("name", "wanted", "number", "unit", "other", "same"), BOTH)
def test_the_same_amount_in_another_unit_is_the_same_input(name, wanted, number, unit, other, same):
    spec = {each.name: each for each in registry()[name].inputs}[wanted]
    converted = convert(same, other, spec.unit, spec.analyte)
    assert converted == pytest.approx(convert(number, unit, spec.unit, spec.analyte), rel=2e-4)


@pytest.mark.parametrize(
    ("number", "unit"), [(3.8, "umol/L"), (106, "mg/dL"), (1.2, "g/L"), (0.001, "mg/dL")]
)
def test_a_creatinine_in_the_wrong_unit_is_refused_as_impossible(number, unit):
    stated = {"age": Quantity(60, "a"), "sex": "male", "creatinine": Quantity(number, unit)}
    refused = compute(registry()["ckd-epi-2021"], stated)
    assert isinstance(refused, OutOfRange)
    assert refused.impossible
    lab = observation("scr", "2160-0", number, unit)
    refused = answer(registry()["ckd-epi-2021"], chart(lab), AT)
    assert isinstance(refused, OutOfRange)
    assert refused.impossible
    assert refused.reference == "Observation/scr"


@pytest.mark.parametrize(
    ("name", "wanted", "number", "unit"),
    [
        ("prevent", "total_cholesterol", 5.2, "mg/dL"),
        ("prevent", "hdl", 1.2, "mg/dL"),
        ("prevent", "hba1c", 48, "%"),
        ("prevent", "sbp", 16, "mm[Hg]"),
        ("meld-3", "albumin", 38, "g/dL"),
        ("news2", "temperature", 98.6, "Cel"),
        ("body-mass-index", "height", 1.8, "cm"),
        ("kidney-failure-8", "calcium", 2.4, "mg/dL"),
        ("fib-4", "platelets", 250000, "10*9/L"),
    ],
)
def test_a_usual_value_under_the_wrong_unit_is_refused_as_impossible(name, wanted, number, unit):
    """What a laboratory's changed unit looks like: 5.2 mmol/L sent as 5.2 mg/dL."""
    refused = compute(registry()[name], {wanted: Quantity(number, unit)})
    assert isinstance(refused, OutOfRange), refused
    assert refused.impossible
    assert refused.input == wanted


@pytest.mark.parametrize(
    "quantity",
    [
        {"value": 80},
        {"value": 80, "unit": "micromoles"},
        {"value": 80, "code": "umol/L", "system": "http://example.org/units"},
        {"value": 80, "code": "mm[Hg]", "system": "http://unitsofmeasure.org"},
        {"value": 80, "comparator": "<", "code": "umol/L"},
        {"code": "umol/L"},
    ],
)
def test_a_result_whose_unit_or_number_cannot_be_read_is_missing_with_its_reference(quantity):
    older = observation("old", "2160-0", 1.0, "mg/dL", "2026-01-01")
    newest = observation("new", "2160-0", 0, "x", "2026-05-01", valueQuantity=quantity)
    missing = answer(registry()["ckd-epi-2021"], chart(older, newest), AT)
    assert isinstance(missing, Missing)
    assert [(lack.input, lack.reference) for lack in missing.what] == [
        ("creatinine", "Observation/new")
    ]


@pytest.mark.parametrize("value", [1.2, True, "1.2", Quantity(1.2, ""), Quantity(1.2, "mm[Hg]")])
def test_a_stated_value_without_its_unit_is_refused_at_its_place(value):
    with pytest.raises(Invalid) as refused:
        compute(
            registry()["ckd-epi-2021"],
            {"age": Quantity(60, "a"), "sex": "male", "creatinine": value},
        )
    assert refused.value.place == "creatinine"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_a_stated_number_that_is_none_is_refused(number):
    with pytest.raises(Invalid):
        compute(registry()["body-mass-index"], {"weight": Quantity(number, "kg")})


def test_an_unknown_input_and_an_unknown_answer_are_refused_at_their_place():
    with pytest.raises(Invalid) as refused:
        compute(registry()["phq-9"], {"item10": Quantity(1, "{score}")})
    assert refused.value.place == "item10"
    with pytest.raises(Invalid) as refused:
        compute(registry()["child-pugh"], {"ascites": "some"})
    assert refused.value.place == "ascites"
    with pytest.raises(Invalid) as refused:
        compute(registry()["phq-9"], {"item1": Quantity(1.5, "{score}")})
    assert refused.value.place == "item1"
