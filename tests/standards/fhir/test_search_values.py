from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fhir_samples import (
    APPOINTMENT,
    LIBRARY,
    OBSERVATION,
    PATIENT,
    RISK,
    changed,
)

from polyclinic.standards.fhir.definitions import (
    choice_key,
    resource_types,
    search_parameters,
    structure,
)
from polyclinic.standards.fhir.paths import Unsupported, parse
from polyclinic.standards.fhir.search_values import (
    DateValue,
    NumberValue,
    QuantityValue,
    ReferenceValue,
    TokenValue,
    UriValue,
    clinical_date,
    extract,
    normalise_text,
    number_range,
    patients_of,
    unread_types,
    unsupported_parameters,
)
from polyclinic.standards.fhir.search_values.charts import CHART_DATES

GENDERS = "http://hl7.org/fhir/administrative-gender"


def values(resource, param):
    return [value for value in extract(resource) if value.param == param]


def texts(resource, param):
    return [value.text for value in values(resource, param)]


def test_the_parameters_that_are_not_read_are_these():
    unread = {
        (name, code)
        for name in resource_types()
        for code in unsupported_parameters(name)
        if search_parameters(name)[code].type != "composite"
    }
    # The first two lead to a whole resource; the third is a distance.
    assert unread == {("Bundle", "composition"), ("Bundle", "message"), ("Location", "near")}


def test_the_types_of_element_that_a_parameter_passes_over_are_these():
    passed = {pair for name in resource_types() for pair in unread_types(name)}
    # A date that is an age or a text has no instant; sampled data are no one quantity.
    assert passed == {
        ("date", "Age"),
        ("date", "Range"),
        ("date", "string"),
        ("quantity", "SampledData"),
        ("reference", "Attachment"),  # Consent.source, which is a Reference or an Attachment
    }


def test_a_token_is_read_from_each_type_that_may_hold_it():
    assert values(PATIENT, "_id") == [TokenValue("_id", None, "p1", None)]
    assert values(PATIENT, "_tag") == [TokenValue("_tag", "urn:tags", "t", None)]
    assert values(PATIENT, "identifier") == [TokenValue("identifier", "urn:mrn", "17", "MRN")]
    assert values(PATIENT, "active") == [TokenValue("active", None, "true", None)]
    assert values(PATIENT, "gender") == [TokenValue("gender", GENDERS, "female", None)]
    assert values(PATIENT, "phone") == [TokenValue("phone", None, "555", None)]
    assert values(PATIENT, "email") == [TokenValue("email", None, "a@b.c", None)]
    assert values(OBSERVATION, "code") == [
        TokenValue("code", "http://loinc.org", "8480-6", None),
        TokenValue("code", None, None, "Systolic"),
    ]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"deceasedBoolean": True}, "true"),
        ({"deceasedBoolean": False}, "false"),
        ({"deceasedDateTime": "2020"}, "true"),
        ({}, "false"),
    ],
)
def test_a_patient_is_dead_or_alive(more, code):
    patient = changed(changed(PATIENT, deceasedDateTime=None), **more)
    assert values(patient, "deceased") == [TokenValue("deceased", None, code, None)]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"reference": "Patient/p1"}, ("Patient", "p1", None, None)),
        ({"reference": "Patient/p1/_history/3"}, ("Patient", "p1", None, None)),
        ({"reference": "http://a.org/Patient/1"}, (None, None, "http://a.org/Patient/1", None)),
        ({"reference": "urn:uuid:1", "type": "Patient"}, ("Patient", None, "urn:uuid:1", None)),
        ({"identifier": {"system": "s", "value": "v"}}, (None, None, None, ("s", "v"))),
        (
            {"reference": "Patient/p1", "identifier": {"value": "v"}},
            ("Patient", "p1", None, (None, "v")),
        ),
        ({"reference": "#inside"}, None),
        ({"reference": "Patient?name=x"}, None),
        ({"display": "somebody"}, None),
    ],
)
def test_a_reference_is_literal_absolute_or_logical(reference, expected):
    found = values(changed(OBSERVATION, subject=reference), "subject")
    assert found == ([ReferenceValue("subject", *expected)] if expected else [])


def test_a_parameter_for_one_type_of_target_sees_only_that_type():
    assert [value.id for value in values(APPOINTMENT, "patient")] == ["p1"]
    assert [value.id for value in values(APPOINTMENT, "location")] == ["l1"]
    assert [value.id for value in values(APPOINTMENT, "actor")] == ["p1", "d1", "l1"]
    absolute = changed(OBSERVATION, subject={"reference": "http://a.org/fhir/Patient/1"})
    assert len(values(absolute, "patient")) == 1
    group = changed(OBSERVATION, subject={"reference": "Group/g"})
    assert values(group, "patient") == []


def test_a_canonical_is_found_by_its_address():
    assert values(LIBRARY, "depends-on") == [
        ReferenceValue("depends-on", None, None, "http://example.org/a|1", None)
    ]
    assert values(LIBRARY, "url") == [UriValue("url", "http://example.org/l")]


def test_a_name_is_found_whole_and_by_its_parts():
    assert texts(PATIENT, "name") == ["Dr. Anna Maria O'Néill", "Dr.", "Anna", "Maria", "O'Néill"]
    assert texts(PATIENT, "family") == ["O'Néill"]
    assert texts(PATIENT, "given") == ["Anna", "Maria"]
    stated = changed(PATIENT, name=[{"text": "A. O'Néill", "family": "O'Néill"}])
    assert texts(stated, "name") == ["A. O'Néill", "O'Néill"]


def test_an_address_is_found_whole_and_by_its_parts():
    assert texts(PATIENT, "address") == ["1 Main St Ulm 89073", "1 Main St", "Ulm", "89073"]
    assert texts(PATIENT, "address-city") == ["Ulm"]


def test_a_value_that_has_only_extensions_is_passed_over():
    patient = changed(PATIENT, name=[{"given": [None, "B"], "_given": [{"id": "x"}, None]}])
    assert texts(patient, "given") == ["B"]


def test_dates_are_ranges_and_open_periods_have_open_ends():
    low, high = datetime(1980, 2, 29, tzinfo=UTC), datetime(1980, 3, 1, tzinfo=UTC)
    assert values(PATIENT, "birthdate") == [DateValue("birthdate", low, high)]
    start = datetime(2020, 1, 1, tzinfo=UTC)
    assert values(RISK, "date") == []  # R4's expression asks for the dateTime only
    encounter = {"resourceType": "Encounter", "period": {"start": "2020-01-01"}}
    assert values(encounter, "date") == [DateValue("date", start, None)]
    timed = {"event": ["2021-01-02", "2020-01-01"]}
    plan = changed(OBSERVATION, effectiveDateTime=None, effectiveTiming=timed)
    end = datetime(2021, 1, 3, tzinfo=UTC)
    assert values(plan, "date") == [DateValue("date", start, end)]


@pytest.mark.parametrize(
    ("number", "low", "high"),
    [
        (100, "99.5", "100.5"),
        (Decimal("100.00"), "99.995", "100.005"),
        (Decimal("-1.5"), "-1.55", "-1.45"),
        (0, "-0.5", "0.5"),
    ],
)
def test_a_number_stands_for_the_range_of_its_digits(number, low, high):
    assert number_range(number) == (Decimal(low), Decimal(high))


def test_numbers_and_quantities_are_exact_and_keep_their_unit():
    bounds = (Decimal(1), Decimal(2))
    assert values(RISK, "probability") == [NumberValue("probability", *bounds)]
    exact = changed(RISK, prediction=[{"probabilityDecimal": Decimal("0.5")}])
    bounds = (Decimal("0.5"), Decimal("0.5"))
    assert values(exact, "probability") == [NumberValue("probability", *bounds)]
    ucum = ("http://unitsofmeasure.org", "mm[Hg]", "mm[Hg]")
    assert values(OBSERVATION, "value-quantity") == [
        QuantityValue("value-quantity", Decimal(120), Decimal(120), *ucum)
    ]
    below = changed(OBSERVATION, valueQuantity={"value": 5, "comparator": "<"})
    assert values(below, "value-quantity") == [
        QuantityValue("value-quantity", None, Decimal(5), None, None, None)
    ]
    account = {"resourceType": "Invoice", "totalNet": {"value": 5, "currency": "EUR"}}
    (money,) = values(account, "totalnet")
    assert (money.system, money.code) == ("urn:iso:std:iso:4217", "EUR")


@pytest.mark.parametrize(
    ("resource", "ids"),
    [
        (PATIENT, ("p1",)),
        (OBSERVATION, ("p9", "p1")),
        (APPOINTMENT, ("p1",)),
        (LIBRARY, ()),
        (changed(OBSERVATION, performer=None), ("p1",)),
        (changed(OBSERVATION, performer=None, subject={"reference": "urn:uuid:1"}), ()),
        (changed(OBSERVATION, performer=None, subject={"reference": "http://a/Patient/1"}), ()),
        ({"resourceType": "Task", "for": {"reference": "Patient/a"}}, ("a",)),
    ],
)
def test_a_resource_lies_in_the_compartments_that_it_names_literally(resource, ids):
    assert patients_of(resource) == ids


def test_a_chart_is_ordered_by_the_clinical_date():
    assert clinical_date(OBSERVATION) == datetime(2021, 3, 4, 8, 11, 12, tzinfo=UTC)
    assert clinical_date(RISK) == datetime(2020, 1, 1, tzinfo=UTC)
    assert clinical_date(PATIENT) is None


def test_only_the_parameters_asked_for_are_read():
    found = extract(OBSERVATION, only=frozenset({"code", "near", "unknown"}))
    assert {value.param for value in found} == {"code"}
    assert extract(PATIENT, only=frozenset({"deceased"}))[0].param == "deceased"


def test_each_date_of_a_chart_exists_in_r4():
    for name, paths in CHART_DATES.items():
        for path in paths:
            type_name = name
            for key in path:
                type_name = _types_by_key(type_name)[key]
            assert type_name in {"date", "dateTime", "instant"}


def _types_by_key(path):
    return {
        choice_key(name[:-3], type_) if name.endswith("[x]") else name: type_
        for name, element in structure(path).items()
        for type_ in element.types
    }


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  O'Néill-SMITH ", "o neill smith"),
        ("Łódź", "lodz"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("王 小明", "王 小明"),
        ("", ""),
    ],
)
def test_texts_are_compared_without_accents_case_and_punctuation(text, normal):
    assert normalise_text(text) == normal
    assert normalise_text(normal) == normal


@pytest.mark.parametrize("expression", ["a.all()", "a[0]", "(a", "a = b", "a.as(B)", "a and b"])
def test_an_expression_beyond_the_subset_is_refused_rather_than_misread(expression):
    with pytest.raises(Unsupported):
        parse(expression)
