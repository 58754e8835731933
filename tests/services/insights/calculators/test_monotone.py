"""What makes people sicker never lowers a score, whoever they are."""

from hypothesis import given
from hypothesis import strategies as st
from oracles import score

from polyclinic.services.insights.domain.calculators import Missing, OutOfRange, registry
from polyclinic.services.insights.domain.calculators.formulas import prevent

PEOPLE = st.fixed_dictionaries(
    {
        "age": st.integers(30, 79),
        "sex": st.sampled_from(["female", "male"]),
        "sbp": st.integers(90, 180),
        "bp_treatment": st.booleans(),
        "total_cholesterol": st.integers(130, 320),
        "hdl": st.integers(20, 100),
        "statin": st.booleans(),
        "diabetes": st.booleans(),
        "smoking": st.booleans(),
        "egfr": st.integers(15, 140),
        "bmi": st.floats(18.5, 39.9),
    }
)


def risk(person, **change):
    return score("prevent", **{**person, **change}).value("total_cvd_10y").exact


@given(PEOPLE, st.integers(110, 180), st.integers(110, 180))
def test_more_pressure_is_more_risk(person, one, other):
    low, high = sorted((one, other))
    assert risk(person, sbp=low) <= risk(person, sbp=high)


@given(PEOPLE)
def test_smoking_and_diabetes_are_more_risk(person):
    assert risk(person, smoking=False) < risk(person, smoking=True)
    assert risk(person, diabetes=False) < risk(person, diabetes=True)


@given(PEOPLE, st.integers(15, 60), st.integers(15, 60))
def test_a_worse_kidney_is_more_risk(person, one, other):
    low, high = sorted((one, other))
    assert risk(person, egfr=low) >= risk(person, egfr=high)


@given(PEOPLE, st.integers(30, 78))
def test_a_year_more_is_more_risk_for_those_without_other_risks(person, age):
    """Interactions may turn it for some; for the otherwise healthy it holds."""
    well = {
        **person, "sbp": 115, "diabetes": False, "smoking": False, "egfr": 95, "bmi": 24.0,
        "total_cholesterol": 170, "hdl": 60, "bp_treatment": False, "statin": False,
    }  # fmt: skip
    assert risk(well, age=age) < risk(well, age=age + 1)


@given(PEOPLE)
def test_every_probability_is_one_and_more_years_are_more_risk(person):
    ten, thirty = (prevent.risks(person, "base", years) for years in (10, 30))
    assert all(0 < each < 1 for each in (*ten.values(), *thirty.values()))
    if person["age"] <= prevent.THIRTY_YEARS_AGE_MAX:
        assert ten["total_cvd"] < thirty["total_cvd"]


@given(PEOPLE)
def test_the_same_person_has_the_same_answer_with_the_same_reasons(person):
    assert score("prevent", **person) == score("prevent", **person)


@given(
    st.floats(0.2, 15),
    st.floats(0.2, 15),
    st.integers(18, 100),
    st.sampled_from(["female", "male"]),
)
def test_more_creatinine_is_less_kidney_function(one, other, age, sex):
    low, high = sorted((one, other))
    first = score("ckd-epi-2021", creatinine=low, age=age, sex=sex).value("egfr").exact
    assert first >= score("ckd-epi-2021", creatinine=high, age=age, sex=sex).value("egfr").exact


@given(st.integers(18, 99), st.floats(0.2, 15), st.sampled_from(["female", "male"]))
def test_kidney_function_falls_with_age(age, creatinine, sex):
    values = {"creatinine": creatinine, "sex": sex}
    younger = score("ckd-epi-2021", age=age, **values).value("egfr").exact
    assert younger > score("ckd-epi-2021", age=age + 1, **values).value("egfr").exact


@given(st.floats(5, 59), st.floats(5, 59), st.floats(1, 5000), st.integers(18, 90))
def test_a_worse_kidney_fails_sooner(one, other, uacr, age):
    low, high = sorted((one, other))

    def five(egfr):
        return (
            score("kidney-failure-4", age=age, sex="male", egfr=egfr, uacr=uacr, region="elsewhere")
            .value("risk_5y")
            .exact
        )

    assert five(low) >= five(high)


FLAGS = [
    (name, each.name)
    for name in ("cha2ds2-va", "charlson", "wells-pe", "lace")
    for each in registry()[name].inputs
    if each.is_flag
]


@given(st.sampled_from(FLAGS), st.data())
def test_one_more_sign_never_lowers_a_sum_of_points(chosen, data):
    name, flag = chosen
    values = {}
    for each in registry()[name].inputs:
        if each.is_flag:
            values[each.name] = data.draw(st.booleans())
        elif each.name != "sex":
            values[each.name] = data.draw(st.integers(20, 90))
    decides = registry()[name].decides
    without = score(name, **{**values, flag: False}).value(decides).number
    assert without <= score(name, **{**values, flag: True}).value(decides).number


@given(st.sampled_from(sorted(registry())), st.data())
def test_leaving_out_a_needed_input_is_always_missing_and_names_it(name, data):
    """Never a default: whichever one is left out, it is the one that is asked for."""
    calculator = registry()[name]
    needed = [each for each in calculator.inputs if not each.optional]
    left_out = data.draw(st.sampled_from(needed))
    values = {each.name: drawn(each, data) for each in needed if each != left_out}
    answered = score(name, **values)
    assert isinstance(answered, Missing), answered
    assert [lack.input for lack in answered.what] == [left_out.name]
    assert answered.would_change_most == left_out.name


def drawn(each, data):
    if each.is_flag:
        return data.draw(st.booleans())
    if each.kind == "sex":
        return data.draw(st.sampled_from(["female", "male"]))
    if not each.is_number:
        return data.draw(st.sampled_from(sorted(each.answers)))
    limits = each.valid or each.plausible
    if each.whole:
        return data.draw(st.integers(int(limits.low), int(limits.high)))
    return data.draw(st.floats(limits.low, limits.high))


@given(st.sampled_from(sorted(registry())), st.data())
def test_one_step_out_of_the_valid_range_there_is_no_score(name, data):
    calculator = registry()[name]
    limited = [each for each in calculator.inputs if each.is_number and each.valid]
    if not limited:
        return
    values = {each.name: drawn(each, data) for each in calculator.inputs}
    chosen = data.draw(st.sampled_from(limited))
    step = 1 if chosen.whole else 0.01
    ends = (chosen.valid.low - step, chosen.valid.high + step)
    values[chosen.name] = data.draw(st.sampled_from(ends))
    answered = score(name, **values)
    assert isinstance(answered, OutOfRange), answered
    assert answered.input == chosen.name
