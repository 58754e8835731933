"""A small world for the rest of search, and a slow oracle that walks its JSON by hand."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from fhir_clinic import SYSTEM, Clinic, caller, clinician, patient
from oracle import DIRECTORY, Oracle, Who
from oracle_values import folded

DIRECTORY.update(["CodeSystem", "ConceptMap", "ValueSet"])

PATIENTS = ("ann", "bob", "cyd", "dan", "eve")
LOINC, LOCAL, TYPES = "http://loinc.org", "urn:local", "urn:id-types"
CODES = ((LOINC, "718-7"), (LOINC, "8867-4"), (LOCAL, "a"), (LOCAL, "b"), (None, "plain"))
TEXTS = ("Heart rate", "heart sound", "Hémoglobine", "Pulse")
STATUSES = ("final", "preliminary", "amended")
NUMBERS = (5, 7, 99.5, 120)
NOTES = ("Smith came late", "the smithy", "Ölfleck", "nothing")
URLS = (
    "http://a.example/fhir/ValueSet/1", "http://a.example/fhir/ValueSet/12",
    "http://a.example/fhir", "http://a.example/fhirs", "urn:oid:1.2.3",
)  # fmt: skip

Resource = dict[str, Any]
PEOPLE = [
    (SYSTEM, Who("system", None, (("*", "cruds"),))),
    (clinician("dora"), Who("clinician", "Practitioner/dora", (("*", "cruds"),))),
    (clinician("emil"), Who("clinician", "Practitioner/emil", (("*", "cruds"),))),
    (patient("ann"), Who("patient", "Patient/ann", (("*", "cruds"),))),
]
RECEPTION = caller("front-desk", None, "user/*.cruds")


class Making:
    """Draws resources; the same seed gives the same world."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def some(self, values: Iterable[Any]) -> Any:
        return self.random.choice(list(values))

    def often(self, **fields: Any) -> Resource:
        return {name: value for name, value in fields.items() if self.random.random() < 0.7}

    def concept(self) -> Resource:
        system, code = self.some(CODES)
        coding = {"code": code, **({"system": system} if system else {})}
        coding |= self.often(display=self.some(TEXTS))
        return {"coding": [coding], **self.often(text=self.some(TEXTS))}

    def value(self) -> Resource:
        return self.some([
            {"valueQuantity": {"value": self.some(NUMBERS), "unit": "mg"}},
            {"valueCodeableConcept": self.concept()},
            {"valueString": self.some(NOTES)},
            {"valueDateTime": self.some(["2020", "2020-02-29", "2021-01"])},
            {},
        ])  # fmt: skip

    def identifier(self) -> Resource:
        kind = {"coding": [{"system": TYPES, "code": self.some(["MR", "DL"])}]}
        return {"value": self.some("123"), **self.often(type=kind, system="urn:mrn")}

    def subject(self) -> Resource:
        if self.random.random() < 0.1:
            return {"identifier": {"system": "urn:mrn", "value": self.some("123")}}
        return {"reference": f"Patient/{self.some(PATIENTS)}"}

    def observation(self, number: int) -> Resource:
        parts = [{"code": self.concept(), **self.value()} for _ in range(self.some([0, 0, 1, 2]))]
        code = self.concept()
        repeated = any(set(codings(code)) & set(codings(part["code"])) for part in parts)
        own = {} if repeated else self.value()  # obs-7
        return {
            "resourceType": "Observation", "id": f"o{number}", "status": self.some(STATUSES),
            "code": code, **own, **({"component": parts} if parts else {}),
            **self.often(
                subject=self.subject(), identifier=[self.identifier()], category=[self.concept()],
                effectiveDateTime="2020-02-29",
                performer=[{"reference": f"Practitioner/{self.some(['dora', 'emil'])}"}],
                meta={"security": [{"system": V3, "code": self.some("NV")}]},
            ),
        }  # fmt: skip

    def patient(self, name: str) -> Resource:
        return {
            "resourceType": "Patient", "id": name,
            "name": [{"family": self.some(["Smith", "Smithson", "Ng", "Ólafur"])}],
            **self.often(
                gender=self.some(["male", "female"]), birthDate="1980-05-03",
                identifier=[self.identifier()],
                managingOrganization={"reference": f"Organization/{self.some(['ward', 'clinic'])}"},
                generalPractitioner=[{"reference": f"Practitioner/{self.some(['dora', 'emil'])}"}],
            ),
        }  # fmt: skip


V3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def directory() -> list[Resource]:
    found: list[Resource] = [
        {"resourceType": "Organization", "id": "clinic", "name": "Clinic"},
        {"resourceType": "Organization", "id": "ward", "name": "Ward",
         "partOf": {"reference": "Organization/clinic"}},
        {"resourceType": "Practitioner", "id": "dora", "name": [{"family": "Dorn"}]},
        {"resourceType": "Practitioner", "id": "emil", "name": [{"family": "Erz"}]},
        {"resourceType": "CodeSystem", "id": "local", "url": LOCAL, "status": "active",
         "content": "complete", "concept": [{"code": "a", "concept": [{"code": "b"}]}]},
        {"resourceType": "ValueSet", "id": "hearts", "url": "http://a.example/hearts",
         "status": "active", "compose": {"include": [
             {"system": LOINC, "concept": [{"code": "8867-4"}, {"code": "718-7"}]}],
             "exclude": [{"system": LOINC, "concept": [{"code": "718-7"}]}]}},
        {"resourceType": "ValueSet", "id": "both", "url": "http://a.example/both",
         "status": "active", "compose": {"include": [
             {"system": LOCAL}, {"valueSet": ["http://a.example/hearts"]}]}},
    ]  # fmt: skip
    for number, url in enumerate(URLS):
        found.append({"resourceType": "ConceptMap", "id": f"c{number}", "url": url,
                      "status": "draft"})  # fmt: skip
    return found


async def build(clinic: Clinic, seed: int, observations: int = 60) -> Oracle:
    making, oracle = Making(seed), Oracle()
    resources = directory() + [making.patient(name) for name in PATIENTS]
    resources += [making.observation(n) for n in range(observations)]
    for kept in await clinic.put(*resources):
        oracle.keep(kept)
    await clinic.relate("dora", "ann", "bob")
    await clinic.relate("emil", "cyd")
    oracle.relations |= {("Practitioner/dora", "Patient/ann"), ("Practitioner/dora", "Patient/bob"),
                         ("Practitioner/emil", "Patient/cyd")}  # fmt: skip
    return oracle


# What each question means, said on raw JSON --------------------------------------------------

Test = Callable[[Resource], bool]


def codings(concept: Resource | None) -> list[tuple[str | None, str | None]]:
    return [(c.get("system"), c.get("code")) for c in (concept or {}).get("coding", [])]


def is_coded(concept: Resource | None, asked: str) -> bool:
    system, bar, code = asked.rpartition("|")
    return any(c == code and (not bar or (s or "") == system) for s, c in codings(concept))


def labelled(concept: Resource | None, start: str) -> bool:
    texts = [c.get("display") for c in (concept or {}).get("coding", [])]
    texts.append((concept or {}).get("text"))
    return any(text and folded(text).startswith(folded(start)) for text in texts)


def reference(resource: Resource, name: str) -> list[str]:
    value = resource.get(name, [])
    return [one.get("reference", "") for one in (value if isinstance(value, list) else [value])]
