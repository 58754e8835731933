"""Small random clinics: few people, many ties, odd dates, moved and deleted resources."""

from random import Random
from typing import Any

from fhir_clinic import SYSTEM, Clinic, together
from oracle import Oracle
from oracle_values import V3, patients_of

PATIENTS = ("ann", "bob", "cyd", "dan")
PRACTITIONERS = ("dora", "emil", "fred")
GIVEN = ("Ann", "Ánne", "Bo", "Li", "Maria José", "José", "Annabel", "James", "Zoë")
FAMILY = ("Smith", "Smithson", "O'Neill", "Ñuñez", "Li", "Smi", "Ng", "Johnson", "van der Berg")
CODES = (
    ("http://loinc.org", "718-7"), ("http://loinc.org", "2345-7"),
    ("http://snomed.info/sct", "718-7"), (None, "local"), ("http://loinc.org", "8867-4"),
)  # fmt: skip
MRNS = (("urn:mrn", "1"), ("urn:mrn", "2"), ("urn:ssn", "1"), (None, "3"))
DATES = (
    "2019", "2020", "2020-02", "2020-02-29", "2020-03-01", "2020-02-29T23:30:00-05:00",
    "2020-02-29T23:59:59.5Z", "2020-03-01T00:00:00Z", "2020-03", "2021-01-01T08:30:00+01:00",
    "2020-02-29T12:00:00Z",
)  # fmt: skip
BIRTHS = ("1980", "1980-05", "1980-05-03", "1980-05-04", "1999-12-31", "2000-01-01", "1980-06")
NUMBERS = ("7", "7.0", "7.04", "7.1", "100", "99.5", "100.5", "0", "-3.5", "0.1", "1e2")
UNITS = (("http://unitsofmeasure.org", "mg"), ("http://unitsofmeasure.org", "g"), (None, "mg"))
STATUSES = ("final", "preliminary", "amended")
TAGS = (("urn:tags", "red"), ("urn:tags", "blue"))

Resource = dict[str, Any]


class Builder:
    """Draws resources; each call of the same Random gives the same world."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._number = 0

    def some(self, *values: Any) -> Any:
        return self._random.choice(values)

    def maybe(self, **fields: Any) -> Resource:
        return {name: value for name, value in fields.items() if self._random.random() < 0.7}

    def ref(self, kind: str, *names: str) -> Resource:
        return {"reference": f"{kind}/{self.some(*names)}"}

    def new(self, kind: str, **fields: Any) -> Resource:
        self._number += 1
        return {
            "resourceType": kind, "id": f"{kind[:3].lower()}{self._number}",
            **self.maybe(meta=self.meta()), **fields,
        }  # fmt: skip

    def meta(self) -> Resource:
        system, code = self.some(*TAGS)
        labels = [{"system": V3, "code": "V" if self._random.random() < 0.3 else "N"}]
        return {"tag": [{"system": system, "code": code}], **self.maybe(security=labels)}

    def coded(self) -> Resource:
        found = []
        for system, code in self._random.sample(CODES, self.some(1, 1, 2)):
            found.append({"code": code, **({"system": system} if system else {})})
        return {"coding": found}

    def identifier(self) -> Resource:
        system, value = self.some(*MRNS)
        return {"value": value, **({"system": system} if system else {})}

    def quantity(self) -> Resource:
        system, code = self.some(*UNITS)
        number = self.some(*NUMBERS)
        value: Resource = {"value": float(number) if "." in number else int(float(number))}
        if system is None:
            return {**value, "unit": code}
        return {**value, "system": system, "code": code, "unit": code}

    def period(self) -> Resource:
        first, last = sorted(self._random.sample([d for d in DATES if len(d) == 10], 2))
        return self.some({"start": first}, {"start": first, "end": last}, {"start": last})

    def when(self, name: str) -> Resource:
        return self.some(
            {}, {f"{name}DateTime": self.some(*DATES)}, {f"{name}DateTime": self.some(*DATES)},
            {f"{name}Period": self.period()},
        )  # fmt: skip

    def human(self) -> list[Resource]:
        return [
            {"family": self.some(*FAMILY), **self.maybe(given=[self.some(*GIVEN)])}
            for _ in range(self.some(1, 1, 2))
        ]

    def patient(self, name: str) -> Resource:
        return {
            "resourceType": "Patient", "id": name, "name": self.human(),
            **self.maybe(
                meta=self.meta(), gender=self.some("male", "female"), birthDate=self.some(*BIRTHS),
                identifier=[self.identifier()], active=self.some(True, False),
                generalPractitioner=[self.ref("Practitioner", *PRACTITIONERS)],
                managingOrganization=self.ref("Organization", "org1", "org2"),
                telecom=[{"system": self.some("phone", "email"), "value": self.some("123", "456")}],
                deceasedDateTime=self.some("2020", "2020-02-29", "2020-02-29T10:00:00Z"),
            ),
        }  # fmt: skip

    def encounter(self) -> Resource:
        return self.new(
            "Encounter", status=self.some("finished", "planned"),
            subject=self.ref("Patient", *PATIENTS), **{"class": {"code": self.some("AMB", "IMP")}},
            **self.maybe(
                type=[self.coded()], period=self.period(),
                participant=[{"individual": self.ref("Practitioner", *PRACTITIONERS)}],
                location=[
                    {"location": {"display": "A"}, "period": self.period()},
                    {"location": {"display": "B"}, "period": self.period()},
                ],
                serviceProvider=self.ref("Organization", "org1", "org2"),
            ),
        )  # fmt: skip

    def observation(self) -> Resource:
        value = self.some(
            {"valueQuantity": self.quantity()}, {"valueQuantity": self.quantity()},
            {"valueString": self.some("Smith", "Ölfleck", "smith's")},
            {"valueDateTime": self.some(*DATES)},
            {"component": [{"code": self.coded(), "valueQuantity": self.quantity()}]},
        )  # fmt: skip
        performers = [
            self.some(self.ref("Practitioner", *PRACTITIONERS), self.ref("Patient", *PATIENTS))
        ]
        return self.new(
            "Observation", status=self.some(*STATUSES), code=self.coded(), **value,
            **self.when("effective"), **self.maybe(
                subject=self.some(
                    *(self.ref("Patient", *PATIENTS) for _ in range(5)),
                    {"reference": "http://elsewhere.example/fhir/Patient/ann"},
                ),
                performer=performers, category=[self.coded()], identifier=[self.identifier()],
            ),
        )  # fmt: skip

    def condition(self) -> Resource:
        onset = self.some({"onsetAge": {**self.quantity(), "code": "a",
                                        "system": "http://unitsofmeasure.org"}},
                          self.when("onset"))  # fmt: skip
        return self.new(
            "Condition", subject=self.ref("Patient", *PATIENTS), **onset,
            **self.maybe(code=self.coded(), asserter=self.ref("Patient", *PATIENTS)),
        )  # fmt: skip

    def care_plan(self) -> Resource:
        details = [
            {"detail": {"status": "unknown", "scheduledPeriod": self.period()}}
            for _ in range(self.some(0, 1, 2, 3))
        ]
        return self.new(
            "CarePlan", status=self.some("active", "draft"), intent="plan",
            subject=self.ref("Patient", *PATIENTS), **({"activity": details} if details else {}),
            **self.maybe(period=self.period()),
        )  # fmt: skip

    def coverage(self) -> Resource:
        return self.new(
            "Coverage", status=self.some("active", "cancelled"),
            beneficiary=self.ref("Patient", *PATIENTS),
            payor=[self.some(self.ref("Organization", "org1"), self.ref("Patient", *PATIENTS))],
            **self.maybe(policyHolder=self.ref("Patient", *PATIENTS)),
        )  # fmt: skip

    def appointment(self) -> Resource:
        people = [
            {"actor": ref, "status": "accepted"}
            for ref in (self.ref("Patient", *PATIENTS), self.ref("Practitioner", *PRACTITIONERS),
                        self.ref("Patient", *PATIENTS))
        ]  # fmt: skip
        moment = self.some("2020-03-01T00:00:00Z", "2021-01-01T08:30:00+01:00")
        return self.new(
            "Appointment", status="booked", participant=people, start=moment,
            end="2021-01-01T09:30:00+01:00",
        )  # fmt: skip

    def risk(self) -> Resource:
        chances = [{"probabilityDecimal": self.some(0.1, 0.25, 0.05, 0)} for _ in range(2)]
        return self.new(
            "RiskAssessment", status="final", subject=self.ref("Patient", *PATIENTS),
            **self.maybe(prediction=chances, occurrenceDateTime=self.some(*DATES)),
        )  # fmt: skip

    def group(self) -> Resource:
        members = [{"entity": self.ref("Patient", *PATIENTS)} for _ in range(2)]
        return self.new("Group", type="person", actual=True, member=members)

    def people(self) -> list[Resource]:
        found: list[Resource] = [
            {"resourceType": "Organization", "id": name, "name": self.some("Ward", "Wárd 2", "W")}
            for name in ("org1", "org2")
        ]
        found += [
            {"resourceType": "Practitioner", "id": name, "name": self.human()}
            for name in PRACTITIONERS
        ]
        return found + [self.patient(name) for name in PATIENTS]

    def chart(self) -> list[Resource]:
        made = [self.encounter() for _ in range(8)] + [self.observation() for _ in range(22)]
        made += [self.condition() for _ in range(8)] + [self.care_plan() for _ in range(6)]
        made += [self.coverage() for _ in range(4)] + [self.appointment() for _ in range(4)]
        return made + [self.risk() for _ in range(4)] + [self.group() for _ in range(2)]

    def again(self, resource: Resource) -> Resource:
        """The same resource with everything else about it drawn anew: another subject, too."""
        make = {
            "Encounter": self.encounter, "Observation": self.observation,
            "Condition": self.condition, "CarePlan": self.care_plan, "Coverage": self.coverage,
            "Appointment": self.appointment, "RiskAssessment": self.risk, "Group": self.group,
        }[resource["resourceType"]]  # fmt: skip
        return {**make(), "id": resource["id"]}


async def build(clinic: Clinic, seed: int) -> Oracle:
    """The same random history in the clinic and in the oracle."""
    random, oracle = Random(seed), Oracle()
    make = Builder(random)
    for practitioner, patient in (("dora", "ann"), ("dora", "bob"), ("emil", "cyd")):
        await clinic.relate(practitioner, patient)
        oracle.relations.add((f"Practitioner/{practitioner}", f"Patient/{patient}"))
    for resource in make.people():
        await _keep(clinic, oracle, resource)
    chart = make.chart()
    await together(*(_keep(clinic, oracle, resource) for resource in chart))
    observations = [r["id"] for r in chart if r["resourceType"] == "Observation"]
    for resource in random.sample(chart, 20):
        changed = make.again(resource)
        if resource["resourceType"] == "Observation" and random.random() < 0.5:
            changed["hasMember"] = [make.ref("Observation", *observations)]
        await _keep(clinic, oracle, changed)
    for name in PATIENTS[:2]:
        await _keep(clinic, oracle, make.patient(name))
    for resource in random.sample(chart, 8):
        await _delete(clinic, oracle, resource)
        if random.random() < 0.4:
            await _keep(clinic, oracle, make.again(resource))
    assert all(patients_of(r) for r in oracle.current.values() if r["resourceType"] == "Group")
    return oracle


async def _keep(clinic: Clinic, oracle: Oracle, resource: Resource) -> None:
    name = f"{resource['resourceType']}/{resource['id']}"
    answer = await clinic.ask(SYSTEM, "PUT", name, resource)
    if answer.status == 422 and "There is no" in answer.said:
        return  # what it refers to was deleted in the meantime
    assert answer.status in (200, 201), (resource, answer.body)
    oracle.keep(answer.body)


async def _delete(clinic: Clinic, oracle: Oracle, resource: Resource) -> None:
    name = f"{resource['resourceType']}/{resource['id']}"
    answer = await clinic.ask(SYSTEM, "DELETE", name)
    if answer.status == 204:
        oracle.delete(name)
    else:
        assert answer.status == 409, answer.body
