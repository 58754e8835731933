import pytest
from fhir_samples import APPOINTMENT, OBSERVATION, OWN, PATIENT, XHTML, changed, synthea_bundles
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.standards.fhir.definitions import resource_types
from polyclinic.standards.fhir.validation import validate

SETTINGS = settings(derandomize=True, deadline=None, max_examples=200, database=None)
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CONDITION = {"resourceType": "Condition", "subject": {"reference": "Patient/p1"}}
ALLERGY = {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p1"}}


def concept(system, code):
    return {"coding": [{"system": system, "code": code}]}


def complaints(resource):
    return [(issue.code, issue.expression) for issue in validate(resource)]


@pytest.mark.parametrize("resource", OWN, ids=lambda one: one["resourceType"])
def test_a_proper_resource_has_no_issues(resource):
    assert validate(resource) == []


@pytest.mark.parametrize(
    ("more", "code", "place"),
    [
        ({"birthdate": "2020"}, "structure", "birthdate"),
        ({"name": {"family": "A"}}, "structure", "name"),
        ({"name": []}, "structure", "name"),
        ({"name": [{}]}, "invariant", "name[0]"),
        ({"name": [{"id": "only"}]}, "invariant", "name[0]"),
        ({"name": [{"given": "A"}]}, "structure", "name[0].given"),
        ({"name": [{"given": ["A", None]}]}, "value", "name[0].given[1]"),
        ({"name": [{"given": [""]}]}, "value", "name[0].given[0]"),
        ({"name": [{"family": " \n"}]}, "value", "name[0].family"),
        ({"name": [{"_given": [None]}]}, "structure", "name[0].given[0]"),
        (
            {"name": [{"given": ["A", "B"], "_given": [{"id": "x"}]}]},
            "structure",
            "name[0].given",
        ),
        ({"maritalStatus": [{"text": "x"}]}, "structure", "maritalStatus"),
        ({"maritalStatus": "M"}, "structure", "maritalStatus"),
        ({"active": "true"}, "value", "active"),
        ({"gender": "man"}, "code-invalid", "gender"),
        ({"gender": 1}, "code-invalid", "gender"),
        ({"id": "a b"}, "value", "id"),
        ({"id": "x" * 65}, "value", "id"),
        ({"implicitRules": "a b"}, "value", "implicitRules"),
        ({"language": "de  DE"}, "value", "language"),
        ({"meta": {"lastUpdated": "2020-01-01"}}, "value", "meta.lastUpdated"),
        ({"_birthDate": {"wrong": 1}}, "structure", "birthDate.wrong"),
        ({"photo": [{"contentType": "image/png", "data": "abc"}]}, "value", "photo[0].data"),
        ({"photo": [{"contentType": "picture"}]}, "code-invalid", "photo[0].contentType"),
        ({"deceasedBoolean": True}, "structure", "deceased"),
        ({"multipleBirthInteger": 2**31}, "value", "multipleBirth.ofType(integer)"),
        ({"multipleBirthBoolean": None}, None, None),
        ({"communication": [{"preferred": True}]}, "required", "communication[0].language"),
        ({"contact": [{"gender": "male"}]}, "invariant", "contact[0]"),
        ({"extension": [{"url": "u"}]}, "invariant", "extension[0]"),
        ({"extension": [{"valueCode": "x"}]}, "required", "extension[0].url"),
        (
            {"extension": [{"url": "u", "valueCode": "x", "extension": [{"url": "v"}]}]},
            "invariant",
            "extension[0]",
        ),
        (
            {"identifier": [{"period": {"start": "2020-02", "end": "2020-01-31"}}]},
            "invariant",
            "identifier[0].period",
        ),
        ({"telecom": [{"value": "1"}]}, "invariant", "telecom[0]"),
    ],
)
def test_an_error_is_named_with_its_place(more, code, place):
    found = complaints(changed(PATIENT, **more))
    expected = (code, f"Patient.{place}")
    assert expected in found if code else found == []


def test_an_unknown_element_is_answered_with_the_nearest_known_name():
    (issue,) = validate(changed(PATIENT, birthdate="1980"))
    assert "Is birthDate meant?" in issue.text


def test_a_missing_element_is_named():
    assert complaints(changed(OBSERVATION, status=None)) == [("required", "Observation.status")]


@pytest.mark.parametrize(
    "day", ["2026-02-30", "2025-02-29", "2026-13-01", "2026-1-1", "0000-01-01"]
)
def test_days_that_do_not_exist_are_refused(day):
    assert complaints(changed(PATIENT, birthDate=day)) == [("value", "Patient.birthDate")]


@pytest.mark.parametrize("day", ["2024-02-29", "2026", "2026-12", "1900-01-31"])
def test_days_that_exist_are_accepted(day):
    assert validate(changed(PATIENT, birthDate=day)) == []


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T10:00:00",
        "2026-01-01T10:00Z",
        "2026-01-01T24:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-01-01T10:00:00+14:30",
        "2026-01-01 10:00:00Z",
        "２０２６",
    ],
)
def test_times_without_zone_or_sense_are_refused(moment):
    found = complaints(changed(OBSERVATION, effectiveDateTime=moment))
    assert found == [("value", "Observation.effective.ofType(dateTime)")]


@pytest.mark.parametrize(
    ("inner", "is_allowed"),
    [
        ("<p style='color:red' class='x'>text</p>", True),
        ("<a href='https://example.org'>text</a>", True),
        ("<a href='#top'>text</a><br/>", True),
        ("<img src='data:image/png;base64,AA==' alt='a'/>", True),
        ("&amp; &#160; text", True),
        ("", False),
        (" ", False),
        ("<script>1</script>", False),
        ("<p onclick='x()'>text</p>", False),
        ("<a href='javascript:x()'>text</a>", False),
        ("<a href=' java&#10;script:x()'>text</a>", False),
        ("<a href='JAVASCRIPT:x()'>text</a>", False),
        ("<img src='data:text/html;base64,AA=='/>", False),
        ("<p style='background:url(//evil)'>text</p>", False),
        ("<p style='width:expression(1)'>text</p>", False),
        ("<iframe src='x'>text</iframe>", False),
        ("<form>text</form>", False),
        ("<svg xmlns='http://www.w3.org/2000/svg'>text</svg>", False),
        ("<?php text ?>text", False),
        ("&nbsp;text", False),
        ("<p>text", False),
    ],
)
def test_narrative_is_xhtml_that_cannot_act(inner, is_allowed):
    narrative = {"status": "generated", "div": XHTML.format(inner)}
    found = complaints(changed(PATIENT, text=narrative))
    assert found == ([] if is_allowed else [("value", "Patient.text.div")])


@pytest.mark.parametrize(
    "div",
    [
        "<div>no namespace</div>",
        '<!DOCTYPE div [<!ENTITY a "b">]>' + XHTML.format("&a;"),
        XHTML.format("a") + XHTML.format("b"),
        "plain",
        7,
    ],
)
def test_narrative_is_one_plain_div(div):
    found = complaints(changed(PATIENT, text={"status": "generated", "div": div}))
    assert found == [("value", "Patient.text.div")]


@pytest.mark.parametrize(
    ("reference", "is_allowed"),
    [
        ("Practitioner/1", True),
        ("Practitioner/1/_history/2", True),
        ("Practitioner?identifier=urn:a|1", True),
        ("urn:uuid:0b9e1f0c-8f5d-4a3b-9d0e-0c8d3f6a1b2c", True),
        ("https://example.org/fhir/Practitioner/1", True),
        ("Patient/1", False),
        ("Wizard/1", False),
        ("Practitioner", False),
        ("practitioner one", False),
        ("#absent", False),
    ],
)
def test_a_literal_reference_points_where_it_may(reference, is_allowed):
    found = complaints(changed(PATIENT, generalPractitioner=[{"reference": reference}]))
    place = "Patient.generalPractitioner[0].reference"
    assert [where for _, where in found] == ([] if is_allowed else [place])


@pytest.mark.parametrize(
    ("contained", "reference", "place"),
    [
        ({"id": "x"}, "#x", None),
        ({"id": "x"}, "Practitioner/1", "contained[0]"),
        ({}, "Practitioner/1", "contained[0].id"),
        ({"id": "x", "meta": {"versionId": "1"}}, "#x", "contained[0].meta.versionId"),
        ({"id": "x", "gender": "x"}, "#x", "contained[0].gender"),
        ({"id": "x", "contained": [{"resourceType": "Basic"}]}, "#x", "contained[0].contained"),
    ],
)
def test_contained_resources_are_whole_and_referenced(contained, reference, place):
    patient = changed(
        PATIENT,
        contained=[{"resourceType": "Practitioner", **contained}],
        generalPractitioner=[{"reference": reference}],
    )
    found = {where for _, where in complaints(patient)}
    assert f"Patient.{place}" in found if place else found == set()


@pytest.mark.parametrize(
    ("resource", "rule"),
    [
        (changed(OBSERVATION, dataAbsentReason={"text": "x"}), "obs-6"),
        (changed(OBSERVATION, component=[{"code": OBSERVATION["code"]}]), "obs-7"),
        (changed(OBSERVATION, referenceRange=[{"age": {"low": {"value": 1}}}]), "obs-3"),
        (changed(OBSERVATION, valueQuantity={"value": 1, "code": "mg"}), "qty-3"),
        (changed(CONDITION, abatementString="x"), "con-4"),
        (
            changed(
                CONDITION,
                clinicalStatus=concept(CLINICAL, "active"),
                verificationStatus=concept(VERIFICATION, "entered-in-error"),
            ),
            "con-5",
        ),
        (ALLERGY, "ait-1"),
        ({"resourceType": "Parameters", "parameter": [{"name": "a"}]}, "inv-1"),
        ({"resourceType": "Bundle", "type": "collection", "total": 1}, "bdl-1"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{"fullUrl": "urn:a"}]}, "bdl-3"),
        ({"resourceType": "Bundle", "type": "searchset", "entry": [{"fullUrl": "urn:a"}]}, "bdl-5"),
    ],
)
def test_an_invariant_is_named_by_its_key(resource, rule):
    assert any(issue.text.startswith(f"{rule}:") for issue in validate(resource))


def test_a_required_code_needs_its_system_too():
    assert validate(changed(CONDITION, clinicalStatus=concept(CLINICAL, "active"))) == []
    for wrong in (concept("urn:other", "active"), concept(CLINICAL, "alive"), {"text": "active"}):
        found = complaints(changed(CONDITION, clinicalStatus=wrong))
        assert found == [("code-invalid", "Condition.clinicalStatus")]


def test_resources_inside_bundles_and_parameters_are_validated_with_their_place():
    wrong = changed(PATIENT, gender="x")
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": wrong}]}
    assert complaints(bundle) == [("code-invalid", "Bundle.entry[0].resource.gender")]
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "a", "resource": wrong}]}
    place = "Parameters.parameter[0].resource.gender"
    assert complaints(parameters) == [("code-invalid", place)]


def test_elements_that_refer_to_their_own_definition_are_walked():
    deep = {"linkId": "1", "answer": [{"item": [{"linkId": "2", "wrong": 1}]}]}
    response = {"resourceType": "QuestionnaireResponse", "status": "completed", "item": [deep]}
    place = "QuestionnaireResponse.item[0].answer[0].item[0].wrong"
    assert complaints(response) == [("structure", place)]


@pytest.mark.parametrize("name", [None, 7, "Wizard", "Resource", "DomainResource"])
def test_an_unknown_type_is_refused(name):
    assert len(validate({"resourceType": name})) == 1


def test_what_is_nested_beyond_reason_is_refused_not_raised():
    patient = inner = {"resourceType": "Patient"}
    for _ in range(20_000):
        inner["extension"] = [{"url": "u"}]
        inner = inner["extension"][0]
    assert complaints(patient) == [("too-long", "Patient")]


def test_complaints_end_at_a_hundred():
    assert len(validate(changed(PATIENT, **{f"x{n}": 1 for n in range(10_000)}))) == 100


def test_the_value_complained_of_is_not_repeated():
    secret = "Marked Patient Text"
    wrong = changed(PATIENT, gender=secret, birthDate=secret, id=secret, active=secret)
    assert len(validate(wrong)) == 4
    assert not any(secret in issue.text + issue.expression for issue in validate(wrong))


KEYS = st.sampled_from(
    [
        "resourceType",
        "id",
        "meta",
        "text",
        "div",
        "contained",
        "extension",
        "url",
        "valueString",
        "valueQuantity",
        "value",
        "name",
        "given",
        "_given",
        "entry",
        "resource",
        "request",
        "parameter",
        "subject",
        "reference",
        "start",
        "end",
        "code",
        "coding",
        "component",
        "clinicalStatus",
        "abatementString",
        "status",
        "type",
        "fullUrl",
        "period",
        "_birthDate",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["#x"])
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@SETTINGS
@given(st.sampled_from(resource_types()), st.dictionaries(KEYS, JSON, max_size=6))
def test_validation_never_raises(name, properties):
    assert isinstance(validate({**properties, "resourceType": name}), list)


@SETTINGS
@given(st.sampled_from(OWN), st.data())
def test_validation_never_raises_on_a_damaged_resource(resource, data):
    key = data.draw(st.sampled_from(sorted(resource)))
    assert isinstance(validate({**resource, key: data.draw(JSON)}), list)


def test_the_bundles_of_synthea_are_r4():
    for bundle in synthea_bundles(4):
        assert validate(bundle) == []


def test_a_slot_of_an_appointment_is_checked():
    wrong = changed(APPOINTMENT, slot=[{"reference": "Patient/p1"}])
    assert complaints(wrong) == [("value", "Appointment.slot[0].reference")]
