"""Two records of one person stand for each other everywhere, and stop when that is taken back."""

import itertools

import pytest
from fhir_clinic import SYSTEM, Clinic, caller, clinician, patient, together

from polyclinic.fhirserver.store.merging import joined

_numbers = itertools.count(1)
DESK = caller("front-desk", "Practitioner/tom", "user/*.cruds")
DORA = clinician("dora")


def observation(owner: str, name: str, **more):
    made = {"resourceType": "Observation", "id": name, "status": "final", "code": {"text": "x"}}
    return {**made, "subject": {"reference": f"Patient/{owner}"}, **more}


async def people(clinic: Clinic, *letters: str) -> list[str]:
    """New patients, each with an Observation of the same id."""
    number = next(_numbers)
    names = [f"m{number}{letter}" for letter in letters]
    for name in names:
        await clinic.put(
            {"resourceType": "Patient", "id": name, "name": [{"family": f"Fam{name}"}]},
            observation(name, name),
        )
    return names


def pair(loser: str, winner: str, **more):
    named = {"source-patient": loser, "target-patient": winner}
    parameters = [
        {"name": name, "valueReference": {"reference": f"Patient/{value}"}}
        for name, value in named.items()
    ] + [{"name": name, "valueBoolean": value} for name, value in more.items()]
    return {"resourceType": "Parameters", "parameter": parameters}


async def merge(clinic: Clinic, loser: str, winner: str, who=SYSTEM, **more):
    return await clinic.ask(who, "POST", "Patient/$merge", pair(loser, winner, **more))


async def part(clinic: Clinic, loser: str, winner: str, who=SYSTEM):
    return await clinic.ask(who, "POST", "Patient/$unmerge", pair(loser, winner))


async def seen(clinic: Clinic, who, *names: str) -> list[list[str]]:
    """What `who` finds of each, by search, by compartment and by $everything."""
    found = []
    for name in names:
        for url in (
            f"Observation?patient={name}", f"Observation?subject=Patient/{name}&_sort=-date",
            f"Patient/{name}/Observation", f"Observation?patient:Patient={name}&code:text=x",
        ):  # fmt: skip
            answer = await clinic.ask(who, "GET", url)
            found.append(sorted(answer.ids) if answer.status == 200 else [answer.status])
        whole = await clinic.ask(who, "GET", f"Patient/{name}/$everything?_type=Observation")
        found.append(sorted(whole.ids) if whole.status == 200 else [whole.status])
    return found


async def test_either_record_finds_both_until_the_merge_is_taken_back(clinic: Clinic):
    loser, winner = await people(clinic, "l", "w")
    made = await merge(clinic, loser, winner)
    assert made.status == 200, made.body
    both = sorted([f"Observation/{loser}", f"Observation/{winner}"])
    assert await seen(clinic, SYSTEM, loser, winner) == [both] * 10
    given_up = (await clinic.ask(SYSTEM, "GET", f"Patient/{loser}")).body
    assert given_up["active"] is False
    assert given_up["link"] == [
        {"other": {"reference": f"Patient/{winner}"}, "type": "replaced-by"}
    ]
    goes_on = (await clinic.ask(SYSTEM, "GET", f"Patient/{winner}")).body
    assert goes_on["link"] == [{"other": {"reference": f"Patient/{loser}"}, "type": "replaces"}]
    body = (await clinic.ask(SYSTEM, "GET", f"Observation/{loser}")).body
    assert body["subject"]["reference"] == f"Patient/{loser}", "nothing moves"
    await clinic.put(observation(loser, f"{loser}-late"), observation(winner, f"{winner}-late"))
    apart = await part(clinic, loser, winner)
    assert apart.status == 200, apart.body
    written = [p["valueString"] for p in apart.body["parameter"] if p["name"] == "written"]
    assert sorted(written) == sorted(
        [f"Observation/{loser}-late/1", f"Observation/{winner}-late/1"]
    )
    own = [sorted([f"Observation/{n}", f"Observation/{n}-late"]) for n in (loser, winner)]
    assert await seen(clinic, SYSTEM, loser, winner) == [own[0]] * 5 + [own[1]] * 5
    again = (await clinic.ask(SYSTEM, "GET", f"Patient/{loser}")).body
    assert "active" not in again
    assert "link" not in again


async def test_a_relation_to_one_record_opens_the_other_only_while_they_are_one(clinic: Clinic):
    loser, winner, stranger = await people(clinic, "l", "w", "s")
    await clinic.relate("dora", winner)
    closed = [[403]] * 5
    assert await seen(clinic, DORA, loser) == closed
    await merge(clinic, loser, winner)
    both = sorted([f"Observation/{loser}", f"Observation/{winner}"])
    assert await seen(clinic, DORA, loser, winner) == [both] * 10
    assert (await clinic.ask(DORA, "GET", f"Observation/{loser}")).status == 200
    written = {k: v for k, v in observation(loser, "").items() if k != "id"}
    assert (await clinic.ask(DORA, "POST", "Observation", written)).status == 201
    assert await seen(clinic, DORA, stranger) == closed
    await part(clinic, loser, winner)
    assert await seen(clinic, DORA, loser) == closed
    assert (await clinic.ask(DORA, "GET", f"Observation/{loser}")).status == 404


async def test_a_patient_sees_all_records_of_their_own_and_nobody_elses(clinic: Clinic):
    loser, winner, stranger = await people(clinic, "l", "w", "s")
    await merge(clinic, loser, winner)
    both = sorted([f"Observation/{loser}", f"Observation/{winner}"])
    for name in (loser, winner):
        who = patient(name)
        assert await seen(clinic, who, loser, winner) == [both] * 10
        assert sorted((await clinic.ask(who, "GET", "Observation")).ids) == both
        assert sorted((await clinic.ask(who, "GET", "Patient")).ids) == [
            f"Patient/{loser}", f"Patient/{winner}"
        ]  # fmt: skip
        assert (await clinic.ask(who, "GET", f"Observation/{stranger}")).status == 404
    await part(clinic, loser, winner)
    assert (await clinic.ask(patient(winner), "GET", "Observation")).ids == [
        f"Observation/{winner}"
    ]
    assert (await clinic.ask(patient(winner), "GET", f"Observation/{loser}")).status == 404


async def test_merges_of_merges_are_one_person_and_come_apart_where_they_were_joined(
    clinic: Clinic,
):
    a, b, c = await people(clinic, "a", "b", "c")
    await merge(clinic, a, b)
    await merge(clinic, b, c)
    every = sorted(f"Observation/{name}" for name in (a, b, c))
    assert await seen(clinic, SYSTEM, a, b, c) == [every] * 15
    await part(clinic, b, c)
    assert await seen(clinic, SYSTEM, c) == [[f"Observation/{c}"]] * 5
    two = sorted(f"Observation/{name}" for name in (a, b))
    assert await seen(clinic, SYSTEM, a, b) == [two] * 10


async def test_what_cannot_be_merged_is_refused_and_nothing_is_half_done(clinic: Clinic):
    a, b, c = await people(clinic, "a", "b", "c")
    assert (await merge(clinic, a, a)).status == 400
    assert (await merge(clinic, a, "nobody-here")).status == 404
    first = await merge(clinic, a, b)
    again = await merge(clinic, a, b)
    assert again.body == first.body, "asked again, it is the same merge"
    back = await merge(clinic, b, a)
    assert (back.status, "given up" in back.said) == (409, True)
    assert (await merge(clinic, a, c)).status == 409
    assert (await merge(clinic, c, a)).status == 409
    assert (await part(clinic, c, a)).status == 404
    for who in (patient(a), clinician("dora"), caller("billing", "Practitioner/g", "user/*.cruds")):
        assert (await merge(clinic, c, b, who)).status == 403
    assert (await clinic.ask(SYSTEM, "POST", "Patient/$merge", {"resourceType": "Parameters"})).said
    assert (await clinic.ask(SYSTEM, "GET", f"Patient/{c}")).body["meta"]["versionId"] == "1"


async def test_a_preview_shows_the_winner_and_keeps_nothing(clinic: Clinic):
    loser, winner = await people(clinic, "l", "w")
    shown = await merge(clinic, loser, winner, DESK, preview=True)
    (result,) = [p["resource"] for p in shown.body["parameter"] if p["name"] == "result"]
    assert result["link"][0]["type"] == "replaces"
    assert (await clinic.ask(SYSTEM, "GET", f"Patient/{winner}")).body["meta"]["versionId"] == "1"
    assert (await merge(clinic, loser, winner, DESK)).status == 200


async def test_racing_merges_leave_no_loop(clinic: Clinic):
    a, b, c = await people(clinic, "a", "b", "c")
    answers = await together(
        merge(clinic, a, b), merge(clinic, b, c), merge(clinic, c, a), merge(clinic, b, a)
    )
    assert {answer.status for answer in answers} <= {200, 409, 412}
    rows = await clinic.database.fetch(
        "SELECT loser, winner FROM patient_merge WHERE ended IS NULL AND loser = ANY ($1)",
        [a, b, c],
    )
    edges = {row["loser"]: row["winner"] for row in rows}
    for start in edges:
        walked, here = set(), start
        while here in edges:
            assert here not in walked, "a loop"
            walked.add(here)
            here = edges[here]


async def test_everything_pages_over_all_records_of_a_person(clinic: Clinic):
    loser, winner = await people(clinic, "l", "w")
    for name in (loser, winner):
        await clinic.put(*(observation(name, f"{name}-{n}") for n in range(4)))
    await merge(clinic, loser, winner)
    found: list[str] = []
    answer = await clinic.ask(SYSTEM, "GET", f"Patient/{winner}/$everything?_count=3")
    for _ in range(20):
        found += answer.ids
        if answer.next is None:
            break
        answer = await clinic.ask(SYSTEM, "GET", answer.next)
    assert len(found) == len(set(found)) == 12
    assert found[0] == f"Patient/{winner}"


@pytest.mark.parametrize(
    ("names", "merges", "expected"),
    [
        ("ab", [], ["a", "b"]),
        ("ab", ["ab"], ["ab"]),
        ("a", ["ab", "bc", "de"], ["abc", "de"]),
        ("abcd", ["ab", "cd", "bc"], ["abcd"]),
    ],
)
def test_who_is_one_person_follows_from_all_merges(names, merges, expected):
    found = joined(names, [(m[0], m[1]) for m in merges])
    assert sorted("".join(sorted(person)) for person in found) == expected
