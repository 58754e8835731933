import pytest

from polyclinic.standards.fhir import definitions


def test_r4_has_146_concrete_resource_types_in_alphabetical_order():
    types = definitions.resource_types()
    assert len(types) == 146
    assert list(types) == sorted(types)
    assert "SubscriptionStatus" not in types


def test_the_numbers_of_types_never_change():
    # They are stored in databases: a change here would misread every one of them.
    numbered = {"Account": 1, "Encounter": 44, "Observation": 96, "Patient": 103}
    assert {name: definitions.type_number(name) for name in numbered} == numbered
    assert definitions.type_number("VisionPrescription") == 146
    assert all(
        definitions.type_name(definitions.type_number(name)) == name
        for name in definitions.resource_types()
    )


@pytest.mark.parametrize("number", [0, -1, 147])
def test_a_number_of_no_type_is_a_key_error(number):
    with pytest.raises(KeyError):
        definitions.type_name(number)


@pytest.mark.parametrize(
    ("path", "foreign"),
    [("Meta", "project"), ("Binary", "url"), ("ResearchStudy", "recruitment")],
)
def test_additions_of_our_source_that_are_not_r4_are_left_out(path, foreign):
    assert foreign not in definitions.structure(path)


def test_elements_that_our_source_replaced_are_as_r4_says():
    assert "definition[x]" in definitions.structure("EvidenceVariable.characteristic")
    binding = definitions.structure("DetectedIssue")["status"].binding
    assert binding == "http://hl7.org/fhir/ValueSet/observation-status"


def test_every_structure_that_an_element_names_is_defined():
    for name in definitions.resource_types():
        for element in definitions.structure(name).values():
            for type_ in element.types:
                if "." in type_:
                    assert definitions.structure(type_)


def test_parameters_of_every_resource_belong_to_each_type():
    own = definitions.search_parameters("Observation")
    assert {"_id", "_lastUpdated", "_tag", "_profile", "_security", "_source"} <= set(own)
    assert own["code"].type == "token"
    assert own["subject"].target == ("Device", "Group", "Location", "Patient")
    assert own["_id"].expression == "Observation.id"


def test_the_compartment_names_only_parameters_that_exist():
    for name in definitions.resource_types():
        codes = set(definitions.in_patient_compartment(name))
        assert codes <= set(definitions.search_parameters(name))


def test_a_link_puts_no_patient_into_the_compartment_of_another():
    assert definitions.in_patient_compartment("Patient") == ()


@pytest.mark.parametrize("name", ["Task", "Device", "GuidanceResponse", "Contract"])
def test_types_with_a_parameter_for_the_patient_join_the_compartment(name):
    assert "patient" in definitions.in_patient_compartment(name)
