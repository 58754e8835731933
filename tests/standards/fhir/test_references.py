from fhir_samples import OBSERVATION, changed
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.standards.fhir.issues import FhirIssue
from polyclinic.standards.fhir.outcome import operation_outcome
from polyclinic.standards.fhir.references import references, rewrite_references
from polyclinic.standards.fhir.validation import validate

URN = "urn:uuid:0b9e1f0c-8f5d-4a3b-9d0e-0c8d3f6a1b2c"


def test_references_are_named_with_their_place():
    found = [(value, place) for _, _, value, place in references(OBSERVATION)]
    assert found == [
        ("Patient/p1", "Observation.subject.reference"),
        ("Practitioner/d1", "Observation.performer[0].reference"),
        ("Patient/p9", "Observation.performer[1].reference"),
    ]


def test_a_uri_named_reference_is_none():
    issue = {"resourceType": "DetectedIssue", "status": "final", "reference": "http://example.org"}
    assert list(references(issue)) == []


def test_references_and_addresses_are_rewritten_but_texts_are_not():
    plan = {
        "resourceType": "CarePlan",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": URN}],
        "instantiatesUri": [URN, "urn:other"],
        "subject": {"reference": URN, "display": URN},
        "author": {"reference": "Practitioner?identifier=1"},
        "extension": [{"url": "u", "valueUri": URN}, {"url": "u", "valueString": URN}],
        "contained": [{"resourceType": "List", "id": "l", "source": {"reference": URN}}],
    }
    rewrite_references(plan, {URN: "Patient/1", "Practitioner?identifier=1": "Practitioner/2"})
    assert plan == {
        "resourceType": "CarePlan",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": URN}],
        "instantiatesUri": ["Patient/1", "urn:other"],
        "subject": {"reference": "Patient/1", "display": URN},
        "author": {"reference": "Practitioner/2"},
        "extension": [{"url": "u", "valueUri": "Patient/1"}, {"url": "u", "valueString": URN}],
        "contained": [{"resourceType": "List", "id": "l", "source": {"reference": "Patient/1"}}],
    }


def test_a_resource_nested_without_end_is_walked():
    resource = inner = changed(OBSERVATION)
    for _ in range(20_000):
        inner["extension"] = [{"url": "u"}]
        inner = inner["extension"][0]
    rewrite_references(resource, {"Patient/p1": "Patient/p2"})
    assert resource["subject"]["reference"] == "Patient/p2"


KEYS = st.sampled_from(["resourceType", "contained", "reference", "url", "valueUri", "extension"])
JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from([URN, "Patient", "Patient/1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@settings(derandomize=True, deadline=None, max_examples=150, database=None)
@given(st.dictionaries(KEYS, JSON))
def test_rewriting_never_raises_and_leaves_no_reference_behind(resource):
    rewrite_references(resource, {URN: "Patient/1"})
    assert all(value != URN for _, _, value, _ in references(resource))


def test_an_outcome_names_each_issue_and_is_itself_r4():
    outcome = operation_outcome([FhirIssue("error", "value", "Patient.birthDate", "No such day.")])
    assert outcome["issue"][0]["expression"] == ["Patient.birthDate"]
    assert validate(outcome) == []
