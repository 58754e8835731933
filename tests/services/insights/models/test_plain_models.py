"""A model is plain data: what it says can be added up, and what is not sound is refused."""

import json
import math
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models_made import AGE, FEATURES, SEX, STEPS, made

from polyclinic.services.insights.domain.models import (
    Axis,
    BadModel,
    BadRow,
    Curve,
    Joined,
    Line,
    Table,
    dump,
    load,
    predict,
)

NUMBERS = st.none() | st.floats(-1e3, 1e3)
ROWS = st.fixed_dictionaries(
    {"age": NUMBERS, "visits": NUMBERS, "sex": st.sampled_from([None, "female", "male", "other"])}
)
CALIBRATIONS = st.sampled_from([Line(), Line(-0.3, 0.8), STEPS])
ROW = {"age": 70.0, "visits": 2.0, "sex": "female"}


@given(ROWS, CALIBRATIONS)
def test_contributions_and_base_sum_to_the_logit(row, calibration):
    said = predict(made(calibration), row)
    assert math.isclose(said.base + sum(said.contributions.values()), said.logit, abs_tol=1e-6)
    odds = said.probability / (1 - said.probability)
    assert math.isclose(math.log(odds), said.logit, abs_tol=1e-6)


@given(ROWS, ROWS)
def test_a_calibration_never_turns_an_order_around(one, other):
    plain = [predict(made(), row).logit for row in (one, other)]
    joined = [predict(made(STEPS), row).logit for row in (one, other)]
    assert plain[0] > plain[1] or joined[0] <= joined[1] + 1e-12


def basis(knots, degree, index, at):
    """The recursion of Cox and de Boor as the books print it: slow, and another way."""
    if degree == 0:
        is_last = at == knots[-1] and knots[index] < at == knots[index + 1]
        return float(knots[index] <= at < knots[index + 1] or is_last)
    total = 0.0
    if knots[index + degree] > knots[index]:
        share = (at - knots[index]) / (knots[index + degree] - knots[index])
        total += share * basis(knots, degree - 1, index, at)
    if knots[index + degree + 1] > knots[index + 1]:
        share = (knots[index + degree + 1] - at) / (knots[index + degree + 1] - knots[index + 1])
        total += share * basis(knots, degree - 1, index + 1, at)
    return total


@given(st.floats(0, 120))
def test_a_curve_is_what_the_recursion_of_the_books_says(age):
    said = predict(made(terms=(AGE,)), ROW | {"age": age})
    at = min(max(age, 18), 95)
    slow = sum(w * basis(AGE.knots, 3, n, at) for n, w in enumerate(AGE.weights))
    assert math.isclose(said.contributions["age"], slow, abs_tol=1e-9)


def test_a_number_at_an_edge_is_above_it_and_what_is_not_known_has_a_place_of_its_own():
    visits = Table((Axis("visits", edges=(1.0, 3.0)),), (9.0, 1.0, 2.0, 3.0))
    model = made(terms=(visits,))
    found = {
        value: predict(model, ROW | {"visits": value}).contributions["visits"]
        for value in (None, 0.0, 1.0, 2.9, 3.0, 99.0)
    }
    assert found == {None: 9.0, 0.0: 1.0, 1.0: 2.0, 2.9: 2.0, 3.0: 3.0, 99.0: 3.0}


def test_what_two_features_say_together_counts_half_for_each():
    said = predict(made(), {"age": None, "visits": 1.0, "sex": "male"})
    assert said.contributions["visits"] == pytest.approx(0.5)  # place 2 × 4 + 2: 1.0, half of it
    assert said.contributions["sex"] == pytest.approx(0.1 + 0.5)


def test_a_code_nobody_learned_of_is_another_code_and_not_missing():
    model = made(terms=(SEX,))
    assert predict(model, ROW | {"sex": "unknown"}).contributions["sex"] == 0.02
    assert predict(model, ROW | {"sex": None}).contributions["sex"] == 0.0


def test_it_says_what_is_missing_and_what_lies_outside_of_what_it_learned():
    said = predict(made(), {"age": 101.0, "visits": None, "sex": "male"})
    assert said.missing == ("visits",)
    assert said.outside == ("age",)


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"age": "old"}, "age"),
        ({"age": math.nan}, "age"),
        ({"visits": math.inf}, "visits"),
        ({"sex": 1.0}, "sex"),
    ],
)
def test_a_row_of_a_wrong_kind_is_refused_with_its_feature(changed, place):
    with pytest.raises(BadRow) as refused:
        predict(made(), ROW | changed)
    assert refused.value.place == place


def test_a_value_that_is_not_even_named_is_refused_and_not_taken_for_missing():
    with pytest.raises(BadRow) as refused:
        predict(made(), {"age": 70.0, "sex": "female"})
    assert refused.value.place == "visits"


@given(CALIBRATIONS, st.floats(-5, 5))
def test_a_model_comes_back_from_its_bytes_as_it_was(calibration, base):
    model = made(calibration, base=base, record={"data": {"sha256": "ab"}})
    back = load(dump(model))
    assert msgspec.structs.replace(back, digest="") == model
    assert dump(back) == dump(model)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "$"),
        (b"\xff\xfe", "$"),
        (b"[]", "$"),
        (b"[" * 100_000, "$"),
        (b'{"format": "polyclinic-model/2"}', "$.format"),
        (b'{"format": "polyclinic-model/1", "form": "trees"}', "$.form"),
        (b'{"format": "polyclinic-model/1"}', "$"),
        (b" " * (4 << 20) + b"{}", "$"),
    ],
)
def test_what_is_no_model_is_refused(content, place):
    with pytest.raises(BadModel) as refused:
        load(content)
    assert refused.value.place == place


def test_one_changed_number_is_noticed_by_the_digest():
    said = json.loads(dump(made()))
    said["base"] += 0.001
    with pytest.raises(BadModel) as refused:
        load(json.dumps(said).encode())
    assert refused.value.place == "$.digest"


def test_an_unknown_member_is_refused_with_its_place():
    said = json.loads(dump(made()))
    said["terms"][0]["exec"] = "rm"
    with pytest.raises(BadModel) as refused:
        load(json.dumps(said).encode())
    assert refused.value.place.startswith("$.terms")


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"features": (*FEATURES, FEATURES[0])}, "$.features"),
        ({"base": math.nan}, "$.base"),
        ({"horizon_days": 0.0}, "$.base"),
        ({"terms": (Curve("height", 1, (0, 0, 1, 1), (0.0, 1.0)),)}, "$.terms[0].feature"),
        ({"terms": (Curve("sex", 1, (0, 0, 1, 1), (0.0, 1.0)),)}, "$.terms[0].feature"),
        ({"terms": (Curve("age", 9, (0, 0, 1, 1), (0.0, 1.0)),)}, "$.terms[0].degree"),
        ({"terms": (Curve("age", 1, (0, 0, 1), (0.0, 1.0)),)}, "$.terms[0].knots"),
        ({"terms": (Curve("age", 1, (0, 1, 0, 1), (0.0, 1.0)),)}, "$.terms[0].knots"),
        ({"terms": (Curve("age", 1, (1, 1, 1, 1), (0.0, 1.0)),)}, "$.terms[0].knots"),
        ({"terms": (Curve("age", 1, (0, 0, 1, 1), (0.0, math.inf)),)}, "$.terms[0].weights"),
        ({"terms": (SEX, Table((), (1.0,)))}, "$.terms[1].axes"),
        ({"terms": (Table((Axis("age", codes=("a",)),), (0.0, 0.0, 0.0)),)}, "$.terms[0].axes"),
        ({"terms": (Table((Axis("age", edges=(2.0, 1.0)),), (0.0,) * 4),)}, "$.terms[0].axes"),
        ({"terms": (Table((Axis("sex", codes=("a", "a")),), (0.0,) * 4),)}, "$.terms[0].axes"),
        ({"terms": (Table((Axis("age", edges=(1.0,)),), (0.0, 0.0)),)}, "$.terms[0].values"),
        ({"calibration": Line(0.0, -1.0)}, "$.calibration"),
        ({"calibration": Joined((), ())}, "$.calibration"),
        ({"calibration": Joined((0.0, 0.0), (0.0, 1.0))}, "$.calibration"),
        ({"calibration": Joined((0.0, 1.0), (1.0, 0.0))}, "$.calibration"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused_with_their_place(changed, place):
    with pytest.raises(BadModel) as refused:
        dump(made(**changed))
    assert refused.value.place == place


def test_a_row_is_scored_in_less_than_a_thousandth_of_a_second():
    model, times = made(STEPS), 2000
    began = time.process_time()
    for _ in range(times):
        predict(model, ROW)
    assert (time.process_time() - began) / times < 0.001
