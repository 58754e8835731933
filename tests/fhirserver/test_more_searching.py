"""Composites, modifiers, chains and `_has` find what a walk over the JSON finds."""

from random import Random

import pytest
from fhir_clinic import SYSTEM, Clinic, caller, clinician, patient
from more_world import (
    CODES,
    LOCAL,
    LOINC,
    NOTES,
    NUMBERS,
    PATIENTS,
    PEOPLE,
    RECEPTION,
    STATUSES,
    TEXTS,
    TYPES,
    URLS,
    build,
    codings,
    is_coded,
    labelled,
    reference,
)  # fmt: skip
from oracle import Oracle
from oracle_values import folded

from polyclinic.fhirserver.search import plan as plans
from polyclinic.fhirserver.search import resolve, run, value_sets

ASKED = [f"{system}|{code}" if system else code for system, code in CODES] + ["a", "718-7"]


@pytest.fixture(scope="module")
async def world(clinic: Clinic) -> Oracle:
    return await build(clinic, 7)


def parts(resource):
    return resource.get("component", [])


def value_is_coded(element, asked):
    return is_coded(element.get("valueCodeableConcept"), asked)


def strings(resource):
    """R4's value-string reads the text of a concept as well."""
    said = [resource.get("valueString"), resource.get("valueCodeableConcept", {}).get("text")]
    return [text for text in said if text]


def above(element, number):
    return element.get("valueQuantity", {}).get("value", -1) > number


def composite_questions(random):
    code, other = random.choice(ASKED), random.choice(ASKED)
    number = random.choice(NUMBERS)
    return [
        (f"code-value-concept={code}${other}",
         lambda r: is_coded(r["code"], code) and value_is_coded(r, other)),
        (f"code-value-quantity={code}$gt{number}",
         lambda r: is_coded(r["code"], code) and above(r, number)),
        (f"component-code-value-quantity={code}$gt{number}",
         lambda r: any(is_coded(p["code"], code) and above(p, number) for p in parts(r))),
        (f"combo-code-value-quantity={code}$gt{number}",
         lambda r: any(is_coded(p["code"], code) and above(p, number) for p in [r, *parts(r)])),
        (f"combo-code-value-concept={code}${other}",
         lambda r: any(is_coded(p["code"], code) and value_is_coded(p, other)
                       for p in [r, *parts(r)])),
        (f"code-value-string={code}$smith",
         lambda r: is_coded(r["code"], code)
         and folded(r.get("valueString", "")).startswith("smith")),
        (f"code-value-date={code}$ge2020-02",
         lambda r: is_coded(r["code"], code) and "valueDateTime" in r),
        (f"code-value-quantity={code}$gt{number},{other}$5",
         lambda r: (is_coded(r["code"], code) and above(r, number))
         or (is_coded(r["code"], other) and r.get("valueQuantity", {}).get("value") == 5)),
    ]  # fmt: skip


def modifier_questions(random):
    code, status, text = random.choice(ASKED), random.choice(STATUSES), random.choice(TEXTS)
    number, kind = random.choice("123"), random.choice(["MR", "DL"])
    start = text[: random.choice([2, 4, 20])]
    piece = random.choice(["smith", "MITH", "came", "olf", "x"])

    def identifiers(r):
        return r.get("identifier", [])

    def hearts(r):
        return (LOINC, "8867-4") in codings(r["code"])

    return [
        (f"status:not={status}", lambda r: r["status"] != status),
        (f"code:not={code}", lambda r: not is_coded(r["code"], code)),
        (f"category:not={code},{ASKED[0]}",
         lambda r: not any(is_coded(c, code) or is_coded(c, ASKED[0])
                           for c in r.get("category", []))),
        (f"code:text={start}", lambda r: labelled(r["code"], start)),
        ("category:missing=true", lambda r: "category" not in r),
        ("category:missing=false", lambda r: "category" in r),
        ("date:missing=true", lambda r: "effectiveDateTime" not in r),
        ("value-quantity:missing=false", lambda r: "valueQuantity" in r),
        ("value-string:missing=false", lambda r: bool(strings(r))),
        ("performer:missing=true", lambda r: "performer" not in r),
        (f"value-string:contains={piece}",
         lambda r: any(folded(piece) in folded(text) for text in strings(r))),
        (f"value-string:exact={NOTES[0]}", lambda r: r.get("valueString") == NOTES[0]),
        (f"identifier:of-type={TYPES}|{kind}|{number}",
         lambda r: any(i["value"] == number and "type" in i
                       and i["type"]["coding"][0]["code"] == kind for i in identifiers(r))),
        (f"subject:identifier=urn:mrn|{number}",
         lambda r: r.get("subject", {}).get("identifier", {}).get("value") == number),
        ("code:in=http://a.example/hearts", hearts),
        ("code:in=ValueSet/hearts", hearts),
        ("code:not-in=http://a.example/hearts", lambda r: not hearts(r)),
        ("code:in=http://a.example/both",
         lambda r: hearts(r) or any((LOCAL, c) in codings(r["code"]) for c in "ab")),
        ("status:in=http://hl7.org/fhir/ValueSet/observation-status", lambda _: True),
        ("status:not-in=http://hl7.org/fhir/ValueSet/observation-status", lambda _: False),
    ]  # fmt: skip


async def agrees(clinic, oracle, kind, question, means, count=7):
    """The pages of every caller hold exactly what the oracle finds and the caller may see."""
    total = 0
    for person, who in PEOPLE:
        expected = {
            name for name, r in oracle.current.items()
            if r["resourceType"] == kind and oracle.sees(who, "s", r) and means(r)
        }  # fmt: skip
        pairs = [tuple(part.split("=", 1)) for part in question.split("&")]
        pages = await clinic.walk(person, kind, [*pairs, ("_count", str(count))])
        assert pages[0].status == 200, (question, pages[0].body)
        found = [name for page in pages for name in page.ids]
        assert len(found) == len(set(found))
        assert set(found) == expected, (who, question)
        counted = await clinic.search(person, kind, [*pairs, ("_summary", "count")])
        assert counted.body["total"] == len(expected), (who, question)
        total += len(expected)
    return total


@pytest.mark.parametrize("common", [False, True])
@pytest.mark.parametrize("questions", [composite_questions, modifier_questions])
async def test_composites_and_modifiers_agree_with_the_json(
    clinic, world, monkeypatch, questions, common
):
    if common:
        monkeypatch.setattr(plans, "RARE_MAX", -1)
    random, hits = Random(3), dict.fromkeys(range(len(questions(Random(0)))), 0)
    for _ in range(3 if common else 5):
        for number, (question, means) in enumerate(questions(random)):
            hits[number] += await agrees(clinic, world, "Observation", question, means)
    for _ in range(2):
        question, means = random.choice(questions(random))
        name = random.choice(PATIENTS)
        about = f"patient=Patient/{name}&{question}"
        pairs = [tuple(part.split("=", 1)) for part in about.split("&")]
        answer = await clinic.search(SYSTEM, "Observation", pairs)
        expected = {
            n for n, r in world.current.items()
            if r["resourceType"] == "Observation" and means(r)
            and f"Patient/{name}" in reference(r, "subject")
        }  # fmt: skip
        assert set(answer.ids) == expected
    assert sum(1 for n in hits.values() if n) >= len(hits) - 3, "most questions find something"


@pytest.mark.parametrize("modifier", ["below", "above"])
async def test_addresses_lie_below_their_paths(clinic, world, modifier):
    for asked in URLS[:4]:

        def below(address, root):
            return address == root or address.startswith(root + "/")

        def means(r, asked=asked, below=below):
            one, other = (r["url"], asked) if modifier == "below" else (asked, r["url"])
            return below(one, other)

        assert await agrees(clinic, world, "ConceptMap", f"url:{modifier}={asked}", means) > 0


def chained(world, kind, **tests):
    return {n for n, r in world.current.items() if r["resourceType"] == kind and
            all(test(r) for test in tests.values())}  # fmt: skip


async def test_chains_agree_with_the_json(clinic, world):
    def patients(test):
        return {n for n, r in world.current.items() if r["resourceType"] == "Patient" and test(r)}

    def family(start):
        return lambda r: folded(r["name"][0]["family"]).startswith(folded(start))

    smiths = patients(family("smith"))
    men = patients(lambda r: r.get("gender") == "male")
    numbered = patients(lambda r: any(i["value"] == "1" for i in r.get("identifier", [])))
    of_dora = patients(lambda r: "Practitioner/dora" in reference(r, "generalPractitioner"))
    in_ward = patients(lambda r: "Organization/ward" in reference(r, "managingOrganization"))

    def about(people):
        return lambda r: bool(set(reference(r, "subject")) & people)

    for question, people in (
        ("subject:Patient.name=smith", smiths), ("patient.name=smith", smiths),
        ("patient.family:exact=Ng", patients(family("ng"))), ("patient.gender=male", men),
        ("patient.gender:not=male", patients(lambda r: r.get("gender") != "male")),
        ("patient.identifier=1", numbered), ("subject.name=smith", smiths),
        ("patient.general-practitioner.family=dorn", of_dora),
        ("patient.organization:Organization.partof=Organization/clinic", in_ward),
        ("patient.name=nobody", set()), ("patient._id=ann,bob", {"Patient/ann", "Patient/bob"}),
    ):  # fmt: skip
        await agrees(clinic, world, "Observation", question, about(people))
    both = lambda r: about(smiths)(r) and r["status"] == "final"  # noqa: E731
    await agrees(clinic, world, "Observation", "patient.name=smith&status=final", both)


async def test_what_is_pointed_at_agrees_with_the_json(clinic, world):
    async def has(question, test):
        for person, who in PEOPLE:
            seen = [r for r in world.current.values() if world.sees(who, "s", r)]
            pointing = [r for r in seen if r["resourceType"] == "Observation" and test(r)]
            expected = {
                f"Patient/{r['id']}" for r in seen if r["resourceType"] == "Patient"
                and any(f"Patient/{r['id']}" in reference(o, "subject") for o in pointing)
            }  # fmt: skip
            answer = await clinic.search(person, "Patient", [question])
            assert answer.status == 200, answer.body
            assert set(answer.ids) == expected, (who, question)

    for code in ASKED:
        await has(("_has:Observation:patient:code", code), lambda r, c=code: is_coded(r["code"], c))
    await has(("_has:Observation:patient:status:not", "final"), lambda r: r["status"] != "final")
    await has(("_has:Observation:patient:code-value-quantity", "a$gt0"),
              lambda r: is_coded(r["code"], "a") and above(r, 0))  # fmt: skip
    await has(("_has:Observation:subject:performer.family", "dorn"),
              lambda r: "Practitioner/dora" in reference(r, "performer"))  # fmt: skip


async def test_has_is_nested_once_and_chains_have_two_steps(clinic, world):
    nested = "_has:Patient:general-practitioner:_has:Observation:patient:status"
    answer = await clinic.search(SYSTEM, "Practitioner", [(nested, "final")])
    known = {
        d for o in chained(world, "Observation", s=lambda r: r["status"] == "final")
        for p in reference(world.current[o], "subject") if p in world.current
        for d in reference(world.current[p], "generalPractitioner")
    }  # fmt: skip
    assert set(answer.ids) == known - {""}
    for deep in (f"{nested.rpartition(':')[0]}:patient.name",
                 "_has:Patient:general-practitioner:organization.partof.name"):  # fmt: skip
        answer = await clinic.search(SYSTEM, "Practitioner", [(deep, "x")])
        assert answer.status == 400
        assert "at most 2 steps" in answer.said
    deep = "patient.organization.partof.name"
    assert (await clinic.search(SYSTEM, "Observation", [(deep, "x")])).status == 400


@pytest.mark.parametrize(
    ("kind", "name", "value", "place"),
    [
        ("Observation", "status:contains", "x", "status:contains"),
        ("Observation", "status:exact", "x", "status:exact"),
        ("Observation", "code:of-type", "a|b|c", "code:of-type"),
        ("Observation", "code:below", "x", "code:below"),
        ("Observation", "date:not", "2020", "date:not"),
        ("Observation", "value-quantity:exact", "1", "value-quantity:exact"),
        ("Observation", "subject:Encounter", "x", "subject:Encounter"),
        ("Observation", "status:", "final", "status:"),
        ("Observation", "_id:not", "x", "_id:not"),
        ("Observation", "code-value-quantity:missing", "true", "code-value-quantity:missing"),
        ("Observation", "code:missing", "maybe", "code"),
        ("Observation", "code-value-quantity", "a", "code-value-quantity"),
        ("Observation", "code-value-quantity", "a$", "code-value-quantity"),
        ("Observation", "code-value-quantity", "a$gtx", "value-quantity"),
        ("Observation", "_text", "x", "_text"),
        ("Observation", "_content", "x", "_content"),
        ("Observation", "_filter", "x eq y", "_filter"),
        ("Observation", "patient.nothing", "x", "patient.nothing"),
        ("Observation", "status.name", "x", "status.name"),
        ("Observation", "subject:Encounter.name", "x", "subject:Encounter.name"),
        ("Observation", "focus.code", "x", "focus.code"),
        ("Observation", "patient._count", "5", "patient._count"),
        ("Patient", "_has:Observation:patient", "x", "_has:Observation:patient"),
        ("Patient", "_has:Nothing:patient:code", "x", "_has:Nothing:patient:code"),
        ("Patient", "_has:Observation:code:code", "x", "_has:Observation:code:code"),
        ("Patient", "_has:Observation:encounter:code", "x", "_has:Observation:encounter:code"),
        ("ConceptMap", "url:below", "urn:oid:1.2", "url"),
        ("Patient", "identifier:of-type", "a|b", "identifier"),
        ("Patient", "_sort", "near", "_sort"),
        ("Observation", "_sort", "code-value-quantity", "_sort"),
    ],
)
async def test_what_is_not_offered_is_refused_with_its_place(clinic, kind, name, value, place):
    answer = await clinic.search(SYSTEM, kind, [(name, value)])
    assert answer.status == 400, answer.body
    assert answer.body["issue"][0]["expression"] == [place]


@pytest.mark.parametrize("value", ["http://nowhere.example/vs", "ValueSet/none", "|", ""])
async def test_a_value_set_that_is_not_here_is_said_to_be_missing(clinic, world, value):
    answer = await clinic.search(SYSTEM, "Observation", [("code:in", value)])
    assert answer.status == (422 if value else 400)


async def test_too_many_are_too_costly_and_not_wrong(clinic, world, monkeypatch):
    monkeypatch.setattr(resolve, "IDS_MAX", 2)
    for kind, name, value in (
        ("Observation", "patient._id", "ann,bob,cyd"),
        ("Patient", "_has:Observation:patient:status", "final"),
    ):
        answer = await clinic.search(SYSTEM, kind, [(name, value)])
        assert answer.status == 422
        assert answer.body["issue"][0]["code"] == "too-costly"
    monkeypatch.setattr(value_sets, "CODES_MAX", 1)
    answer = await clinic.search(SYSTEM, "Observation", [("code:in", "http://a.example/both")])
    assert answer.status == 422
    monkeypatch.setattr(run, "OPENED_MAX", 5)
    answer = await clinic.search(SYSTEM, "Observation", [("value-string:contains", "zzz")])
    assert answer.status == 422
    assert answer.body["issue"][0]["code"] == "too-costly"


async def test_a_chain_needs_both_types(clinic, world):
    only = clinician("dora", "user/Observation.rs")
    for name in ("patient.name", "subject:Patient.name"):
        assert (await clinic.search(only, "Observation", [(name, "smith")])).status == 403
    only = clinician("dora", "user/Patient.rs")
    has = [("_has:Observation:patient:code", "a")]
    assert (await clinic.search(only, "Patient", has)).status == 403
    # The desk sees patients but no observations.
    assert (await clinic.search(RECEPTION, "Patient", has)).status == 403


async def test_a_chain_to_one_unrelated_patient_is_empty_and_not_refused(clinic, world):
    """A refusal would tell that exactly one patient matches."""
    for asked in ("eve", "ann,eve", "nobody"):
        answer = await clinic.search(clinician("emil"), "Observation", [("patient._id", asked)])
        assert (answer.status, answer.ids) == (200, [])
    answer = await clinic.search(clinician("emil"), "Observation", [("patient", "Patient/eve")])
    assert answer.status == 403


async def test_a_chain_logs_what_it_shows_and_nothing_else(clinic, world):
    answer = await clinic.search(SYSTEM, "Observation", [("patient._id", "ann"), ("_count", "3")])
    assert len(answer.ids) == 3
    assert await clinic.logged(answer) == [("s", clinic.person("ann"), 0, 3)]


async def test_a_patient_finds_nobody_else_by_chains(clinic, world):
    ann = patient("ann")
    for kind, name, value in (
        ("Observation", "patient.name:contains", "s"), ("Observation", "subject.gender", "male"),
        ("Patient", "_has:Observation:patient:status", "final"),
    ):  # fmt: skip
        answer = await clinic.search(ann, kind, [(name, value)])
        assert answer.status == 200
        people = {
            place for name in answer.ids
            for place in ([name] if kind == "Patient" else
                          reference(world.current[name], "subject"))
        }  # fmt: skip
        assert people <= {"Patient/ann"}
    nobody = caller("patient", "Patient/none", "patient/*.rs")
    answer = await clinic.search(nobody, "Patient", [("_has:Observation:patient:status", "final")])
    assert answer.ids == []


async def test_foreign_types_are_asked_of_their_owner(clinic, world, monkeypatch):
    """What the other owner answers becomes the outer criterion; without one it is refused."""
    resolver = clinic.server.search.resolver
    asked = []

    async def elsewhere(errand, kind, pairs, through, most):
        asked.append((errand.access.actor, kind, tuple(pairs), through, most))
        return ["ann"]

    foreign = frozenset({"Patient", "Appointment"})
    wired = resolve.Resolver(resolver.finds, foreign, elsewhere)
    monkeypatch.setattr(clinic.server.search, "resolver", wired)
    answer = await clinic.search(SYSTEM, "Observation", [("patient.name", "x"), ("_count", "100")])
    assert {p for n in answer.ids for p in reference(world.current[n], "subject")} == {
        "Patient/ann"
    }
    answer = await clinic.search(SYSTEM, "Patient", [("_has:Appointment:patient:date", "2026")])
    assert answer.ids == ["Patient/ann"]
    assert asked == [
        ("importer", "Patient", (("name", "x"),), None, 1000),
        ("importer", "Appointment", (("date", "2026"),), ("patient", "Patient"), 1000),
    ]
    alone = resolve.Resolver(resolver.finds, foreign, None)
    monkeypatch.setattr(clinic.server.search, "resolver", alone)
    answer = await clinic.search(SYSTEM, "Observation", [("patient.name", "x")])
    assert answer.status == 400
