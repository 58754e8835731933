"""Our walkers beside the FHIRPath engine of PyPI's fhirpathpy, parameter by parameter."""

import re
from collections import Counter
from functools import cache

import fhirpathpy
import pytest
from fhir_samples import OWN, synthea_bundles
from fhirpathpy.models import models

from polyclinic.standards.fhir.dates import date_range
from polyclinic.standards.fhir.definitions import search_parameters
from polyclinic.standards.fhir.search_values import (
    DateValue,
    ReferenceValue,
    StringValue,
    UriValue,
    extract,
    unsupported_parameters,
)

# The engine cannot resolve references, so what resolve() asks is asked here.
TARGET = re.compile(r"\.where\(resolve\(\) is (\w+)\)")
SAMPLES_A_TYPE = 6


@cache
def compiled(expression):
    return fhirpathpy.compile(expression, models["r4"])


def by_engine(resource, parameter):
    found = Counter()
    for expression in parameter.expression.split(" | "):
        target = TARGET.search(expression)
        for element in compiled(TARGET.sub("", expression))(resource):
            if target and f"{target[1]}/" not in element.get("reference", ""):
                continue
            found.update(MEANINGS[parameter.type](element))
    return found


def token(element):
    if isinstance(element, bool):
        return [str(element).lower()]
    if isinstance(element, str):
        return [element]
    if "coding" in element or set(element) <= {"text", "extension", "id"}:
        texts = [element["text"]] if "text" in element else []
        return [coding.get("code") for coding in element.get("coding", [])] + texts
    return [element[key] for key in ("code", "value") if key in element][:1]


def reference(element):
    text = element if isinstance(element, str) else element.get("reference", "#")
    return [] if text.startswith("#") or "?" in text else [text]


def string(element):
    if isinstance(element, str):
        return [element]
    parts = [element[key] for key in PARTS if key in element]
    flat = [text for part in parts for text in (part if isinstance(part, list) else [part])]
    whole = element.get("text") or " ".join(flat)
    return [whole, *(text for text in flat if text != whole)]


NAME_PARTS = ("prefix", "given", "family", "suffix")
ADDRESS_PARTS = ("line", "city", "district", "state", "postalCode", "country")
PARTS = (*NAME_PARTS, *ADDRESS_PARTS)


def moment(element):
    if isinstance(element, dict):
        start, end = element.get("start"), element.get("end")
        return [(start and date_range(start)[0], end and date_range(end)[1])]
    return [date_range(str(element))]


def number(element):
    value = element.get("value") if isinstance(element, dict) else element
    return [(value, value)] if value is not None else []


MEANINGS = {
    "token": token,
    "reference": reference,
    "string": string,
    "date": moment,
    "number": number,
    "quantity": number,
    "uri": lambda element: [str(element)],
}


def meaning(value):
    if isinstance(value, ReferenceValue):
        return value.url or f"{value.type}/{value.id}"
    if isinstance(value, StringValue | UriValue):
        return value.text
    if isinstance(value, DateValue) or hasattr(value, "low"):
        return (value.low, value.high)
    return value.code or value.text


def assert_agreement(resource):
    ours = {}
    for value in extract(resource):
        ours.setdefault(value.param, Counter())[meaning(value)] += 1
    for code, parameter in search_parameters(resource["resourceType"]).items():
        if code in unsupported_parameters(resource["resourceType"]):
            continue
        if (resource["resourceType"], code) in {("Patient", "deceased"), *RANGES}:
            continue
        if parameter.type == "composite":
            composites = extract(resource, frozenset({code}))
            assert Counter(map(parts_of, composites)) == composites_by_engine(resource, parameter)
            continue
        assert ours.get(code, Counter()) == by_engine(resource, parameter), code


def parts_of(composite):
    return tuple(frozenset(meaning(value) for value in part) for part in composite.parts)


def composites_by_engine(resource, parameter):
    found = Counter()
    for expression in parameter.expression.split(" | "):
        for element in compiled(expression)(resource):
            parts = tuple(part_by_engine(resource, element, c) for c in parameter.components)
            if all(parts):
                found[parts] += 1
    return found


def part_by_engine(resource, element, component):
    found = set()
    for expression in component.expression.replace("(DateTime)", "(dateTime)").split(" | "):
        # The engine forgets of what type an element is, so that a choice is walked to by hand.
        choice = re.fullmatch(r"value\.ofType\((\w+)\)", expression)
        keys = [f"value{choice[1][0].upper()}{choice[1][1:]}"] if choice else [expression]
        for key in keys:
            values = element.get(key, [])
            for one in values if isinstance(values, list) else [values]:
                found.update(MEANINGS[component.type](one))
    return frozenset(found)


RANGES = {("RiskAssessment", "probability")}  # tested beside; the engine gives the Range itself


@pytest.mark.parametrize("resource", OWN, ids=lambda one: one["resourceType"])
def test_our_values_agree_with_the_engine_on_our_samples(resource):
    assert_agreement(resource)


def test_our_values_agree_with_the_engine_on_synthea():
    compared = Counter()
    for bundle in synthea_bundles(2):
        for entry in bundle["entry"]:
            resource = entry["resource"]
            if compared[resource["resourceType"]] < SAMPLES_A_TYPE:
                compared[resource["resourceType"]] += 1
                assert_agreement(resource)
    assert compared["Observation"] == SAMPLES_A_TYPE
