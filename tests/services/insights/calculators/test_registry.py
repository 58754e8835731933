"""The registry is complete, its codes well formed, its licences in order, its page current."""

import re
from pathlib import Path

import pytest
import yaml

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.calculators import registry
from polyclinic.services.insights.domain.calculators.describing import LEFT_OUT, page
from polyclinic.services.insights.domain.calculators.reading import FOLDER, read_calculator
from polyclinic.services.insights.domain.charts.units import known

ROOT = Path(__file__).parents[4]
PROMISED = {
    "prevent", "pooled-cohort", "ckd-epi-2021", "ckd-epi-2021-cystatin", "kidney-failure-4",
    "kidney-failure-6", "kidney-failure-8", "cha2ds2-vasc", "cha2ds2-va", "has-bled", "news2",
    "qsofa", "meld-3", "child-pugh", "fib-4", "findrisc", "charlson", "lace", "phq-9", "gad-7",
    "audit-c", "wells-dvt", "wells-pe", "perc", "curb-65", "body-mass-index",
}  # fmt: skip
EACH = [pytest.param(one, id=name) for name, one in registry().items()]
INPUTS = [
    (name, each)
    for name, one in registry().items()
    for each in (*one.inputs, *(gate.input for gate in one.gates))
]


def test_every_promised_calculator_is_there():
    assert set(registry()) == PROMISED


def test_a_file_carries_the_name_of_its_calculator():
    files = {file.stem for file in (FOLDER / "registry").iterdir()}
    assert files == set(registry())


@pytest.mark.parametrize("one", EACH)
def test_each_says_where_it_comes_from_whom_it_is_for_and_by_what_right(one):
    assert re.fullmatch(r"10\.\d{4,9}/\S+|none \(.+\)", one.doi)
    for text in (one.version, one.title, one.citation, one.licence, one.attribution):
        assert text.strip()
    assert one.population
    assert one.exclusions
    assert one.oracles
    assert one.vectors
    assert len(one.bands) >= 2


@pytest.mark.parametrize("one", EACH)
def test_each_action_says_what_to_do_on_whose_authority_and_how_urgently(one):
    for action in one.actions:
        assert action.text.endswith(".")
        assert action.source
        assert action.urgency in ("info", "warning", "critical")
        if action.draft:
            assert action.draft.type in ("ServiceRequest", "Task")
            assert is_well_formed(action.draft.system, action.draft.code), action.draft.code


@pytest.mark.parametrize(("name", "each"), INPUTS)
def test_each_number_has_a_known_unit_and_a_range(name, each):
    if each.is_number:
        assert known(each.unit) or each.unit in ("{score}", "{INR}", "{count}"), each.unit
        assert each.plausible or each.valid, each.name
    if each.kind == "quantity":
        assert each.codes.loinc, each.name
    if each.kind in ("condition", "medicine"):
        assert each.codes.snomed or each.codes.atc, each.name


@pytest.mark.parametrize(("name", "each"), INPUTS)
def test_each_code_has_the_form_and_the_check_digit_of_its_system(name, each):
    answers = [code for codes in each.answers.values() for code in codes]
    for code in each.codes.loinc:
        assert is_loinc(code), code
    for code in (*each.codes.snomed, *(code for code in answers if code.isdigit())):
        assert is_snomed(code), code
    for code in each.codes.icd10:
        assert re.fullmatch(r"[A-Z]\d[0-9A-Z]{0,4}", code), code
    for code in each.codes.atc:
        assert re.fullmatch(r"[A-Z]\d{2}([A-Z]([A-Z](\d{2})?)?)?", code), code
    for name_of in each.codes.names:
        assert name_of == name_of.lower()


def is_well_formed(system, code):
    return is_loinc(code) if system == "http://loinc.org" else is_snomed(code)


def is_loinc(code):
    """The digits at odd places from the right, as one number, doubled; then all digits summed."""
    body, _, check = code.partition("-")
    backwards = body[::-1]
    digits = str(2 * int(backwards[0::2])) + backwards[1::2]
    return check == str(-sum(map(int, digits)) % 10)


_TIMES = [[(a + b) % 5 if a < 5 and b < 5 else 0 for b in range(10)] for a in range(10)]
for _a in range(10):
    for _b in range(10):
        turned = (_a - _b) if _a >= 5 else (_a + _b)
        _TIMES[_a][_b] = turned % 5 + (5 if (_a >= 5) != (_b >= 5) else 0)
_MOVE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def is_snomed(code):
    """Verhoeff's check digit over the whole identifier."""
    check = 0
    for place, digit in enumerate(map(int, reversed(code))):
        moved = digit
        for _ in range(place % 8):
            moved = _MOVE[moved]
        check = _TIMES[check][moved]
    return 6 <= len(code) <= 18 and check == 0


def test_the_check_digits_find_a_wrong_digit():
    assert is_snomed("73211009")
    assert not is_snomed("73211008")
    assert not is_snomed("73210109")
    assert is_loinc("2160-0")
    assert not is_loinc("2161-0")


def test_nothing_is_there_that_needs_a_licence():
    words = " ".join(f"{one.id} {one.title}" for one in registry().values()).lower()
    for name, why in LEFT_OUT:
        assert why
        assert name.lower() not in words


def test_phq_9_keeps_its_safety_rule():
    rules = registry()["phq-9"].safety
    assert [(rule.input, rule.above, rule.action.urgency) for rule in rules] == [
        ("item9", 0, "critical")
    ]


def test_the_page_of_calculators_is_the_one_that_the_registry_makes():
    written = (ROOT / "docs" / "reference" / "calculators.md").read_text(encoding="utf-8")
    assert written == page(registry().values()), "run `python scripts/write_calculators.py`"


GOOD = yaml.safe_load((FOLDER / "registry" / "ckd-epi-2021.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"formula": "os.system"}, "made.yaml: formula"),
        ({"decides": "something"}, "made.yaml: decides"),
        ({"surprise": 1}, "made.yaml"),
        ({"inputs": {"age": {"like": "nothing"}}}, "made.yaml: inputs.age"),
        ({"inputs": {"age": {"like": "age", "unti": "a"}}}, "made.yaml: inputs.age"),
        ({"inputs": {"age": {"like": "age", "kind": "guess"}}}, "made.yaml: inputs.age"),
        (
            {"safety": [{"input": "item9", "above": 0, "action": "refer"}]},
            "made.yaml: safety.input",
        ),
        (
            {"bands": {"a": {"low": 5, "words": "a"}, "b": {"low": 1, "words": "b"}}},
            "made.yaml: bands",
        ),
        ({"bands": {"a": {"low": 5, "words": "a", "action": "dance"}}}, "made.yaml: action"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(change, place):
    with pytest.raises(Invalid) as refused:
        read_calculator(yaml.safe_dump({**GOOD, **change}), "made.yaml")
    assert refused.value.place == place


@pytest.mark.parametrize("text", ["", "[", "a: b: c", "[1, 2]"])
def test_a_file_that_is_no_mapping_is_refused_with_its_name(text):
    with pytest.raises(Invalid) as refused:
        read_calculator(text, "made.yaml")
    assert "made.yaml" in refused.value.message
