"""Our searches answer what the oracle answers, by every path, for every kind of caller."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir_clinic import SYSTEM, Answered, Clinic, caller, open_clinic
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import Oracle, Who
from oracle_values import PARAMETERS
from small_world import BIRTHS, DATES, GIVEN, NUMBERS, PATIENTS, PRACTITIONERS, STATUSES, build

from polyclinic.fhirserver.search import plan as plans
from polyclinic.fhirserver.search import run
from polyclinic.fhirserver.search.chart import Charts
from polyclinic.foundation.caller import Caller

CASES = settings(
    phases=[Phase.explicit, Phase.generate], max_examples=50, derandomize=True, deadline=None,
    database=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip
PREFIXES = ("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


def people() -> list[tuple[Caller, Who]]:
    found = [(SYSTEM, Who("system", None, (("*", "cruds"),)))]
    for role, person, scope in (
        ("system", None, "system/Observation.rs"),
        ("clinician", "Practitioner/dora", "user/*.cruds"),
        ("clinician", "Practitioner/dora", "user/Observation.s"),
        ("clinician", "Practitioner/fred", "user/*.rs"),
        ("patient", "Patient/ann", "patient/*.rs"),
        ("patient", "Patient/cyd", "patient/Observation.rs"),
        ("front-desk", "Practitioner/emil", "user/*.cruds"),
        ("billing", None, "user/*.read"),
        ("administrator", None, "user/*.cruds"),
    ):
        kind, letters = scope.partition("/")[2].split(".")
        letters = letters.replace("read", "rs")
        found.append((caller(role, person, scope), Who(role, person, ((kind, letters),))))
    return found


class World:
    """A clinic, what it must answer, and the paths that its searches took."""

    def __init__(self, clinic: Clinic, oracle: Oracle) -> None:
        self.clinic, self.oracle = clinic, oracle
        self.taken: set[str] = set()
        self.choices = 0  # of a path, for a search or the next page

    def __repr__(self) -> str:
        return "World"


LONG = [pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 15)]


@pytest.fixture(scope="module", params=[1, 2, *LONG])
async def world(
    request: pytest.FixtureRequest, postgres_url: str, key_file: Path
) -> AsyncIterator[World]:
    async with open_clinic(postgres_url, key_file) as clinic:
        yield World(clinic, await build(clinic, request.param))


@pytest.fixture(params=["rare", "common"])
def paths(
    request: pytest.FixtureRequest,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Any,
) -> Iterator[str]:
    """Every term as rare as it is, or so common that the terms' own index is avoided."""
    before = world.choices
    if request.param == "common":
        monkeypatch.setattr(plans, "RARE_MAX", -1)

    def choose(*asked: Any) -> Any:
        plan = plans.choose(*asked)
        by_change = plan.path == "type" and plan.order.by == "updated"
        world.taken.add("type by change" if by_change else plan.path)
        world.choices += 1
        return plan

    async def page(charts: Charts, ask: Any) -> Any:
        world.taken.add("chart lane by date" if ask.by_date else "chart lane")
        world.choices += 1
        return await Charts_page(charts, ask)

    Charts_page = Charts.page  # noqa: N806
    monkeypatch.setattr(run, "choose", choose)
    monkeypatch.setattr(Charts, "page", page)
    yield request.param
    record_property("choices of a path", world.choices - before)


COMMON = st.sampled_from(
    [
        ("Observation", [(name, code)])
        for name, codes in (("status", STATUSES), ("code", ("718-7", "local")))
        for code in codes
    ]
)


def questions() -> st.SearchStrategy[tuple[str, list[tuple[str, str]]]]:
    return st.one_of(COMMON, *[_questions()] * 5)


@st.composite
def _questions(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]]]:
    """A type and the parameters of a search, mostly of values that occur."""
    kind = draw(st.sampled_from(sorted(PARAMETERS) + ["Observation"] * 6 + ["Patient"] * 3))
    names = draw(st.lists(st.sampled_from(sorted(PARAMETERS[kind])), max_size=3))
    if kind != "Patient" and draw(st.booleans()) and "patient" in PARAMETERS[kind]:
        names = ["patient", *names[:2]]
    pairs: list[tuple[str, str]] = []
    for name in names:
        parameter = PARAMETERS[kind][name]
        parts = draw(st.lists(VALUES[parameter.how], min_size=1, max_size=2))
        if name == "_id":
            parts = [draw(st.sampled_from(["ann", "obs9", "obs10", "enc1", "dora", "none"]))]
        if parameter.how == "number":
            parts = [part.partition("|")[0] for part in parts]
        modifier = ""
        if parameter.how == "string" and draw(st.integers(0, 3)) == 0:
            modifier = ":exact"
        if parameter.how == "reference" and draw(st.integers(0, 3)) == 0:
            modifier, parts = ":Patient", [part.rpartition("/")[2] for part in parts]
            if "Patient" not in parameter.element.split(","):
                modifier = ""
        pairs.append((name + modifier, ",".join(parts)))
    return kind, pairs


CODED = (
    "718-7",
    "2345-7",
    "local",
    "final",
    "male",
    "true",
    "1",
    "3",
    "red",
    "N",
    "active",
    "AMB",
    "none",
)
SYSTEMS = (
    "http://loinc.org", "http://snomed.info/sct", "urn:mrn", "urn:tags", "",
    "http://hl7.org/fhir/observation-status", "http://hl7.org/fhir/administrative-gender",
)  # fmt: skip
VALUES = {
    "token": st.one_of(
        st.sampled_from(CODED),
        st.builds("{}|{}".format, st.sampled_from(SYSTEMS), st.sampled_from(CODED)),
        st.builds("{}|".format, st.sampled_from(SYSTEMS[:-3])),
    ),
    "string": st.one_of(
        st.sampled_from(GIVEN), st.sampled_from(
            ["s", "S", "smi", "Smith", "SMITHS", "smithso", "o neill", "O'Neill", "li", "nunez",
             "Ñuñez", "jos", "maria j", "van", "ward", "johns", "zzz"]
        ),
    ),
    "date": st.builds("{}{}".format, st.sampled_from(PREFIXES),
                      st.sampled_from([*DATES, *BIRTHS, "2026", "2020-02-29T23:59", "2026-11"])),
    "number": st.builds("{}{}".format, st.sampled_from(PREFIXES), st.sampled_from(NUMBERS)),
    "quantity": st.builds(
        "{}{}{}".format, st.sampled_from(PREFIXES), st.sampled_from(NUMBERS),
        st.sampled_from(["", "||mg", "|http://unitsofmeasure.org|mg", "|http://unitsofmeasure.org|g",
                         "|http://unitsofmeasure.org|"]),
    ),
    "reference": st.sampled_from(
        [f"Patient/{p}" for p in PATIENTS] + [f"Practitioner/{p}" for p in PRACTITIONERS]
        + ["ann", "bob", "dora", "Organization/org1", "http://elsewhere.example/fhir/Patient/ann",
           "Patient/none", "Observation/obs9", "enc1"]
    ),
}  # fmt: skip
WHO = st.sampled_from([people()[0], people()[0], *people()])


def closed(who: Who, world: World, kind: str, pairs: list[tuple[str, str]]) -> bool:
    """Whether a clinician asks for the chart of somebody without a relation."""
    charts = [v for n, v in pairs if n.partition(":")[0] in ("patient", "subject")]
    asked = [f"Patient/{v.rpartition('/')[2]}" for v in charts if "," not in v]
    return who.role == "clinician" and any(
        (who.person, patient) not in world.oracle.relations for patient in asked
    )


def agree(world: World, who: Who, question: Any, pages: list[Answered]) -> list[str]:
    """The ids of all pages, which must be the oracle's, each once; [] when refused rightly."""
    kind, pairs = question
    if not who.may_ask("s", kind):
        assert pages[0].status == 403
        return []
    expected = world.oracle.search(who, kind, pairs)
    if pages[0].status == 403:
        assert not expected
        assert closed(who, world, kind, pairs)
        return []
    assert [page.status for page in pages] == [200] * len(pages), pages[-1].body
    found = [name for page in pages for name in page.ids]
    assert len(found) == len(set(found)), "a resource came twice"
    assert set(found) == expected
    return found


@CASES
@given(who=WHO, question=questions(), count=st.sampled_from([1, 2, 3, 7, 50]))
async def test_a_search_finds_what_the_oracle_finds_each_once(world, paths, who, question, count):
    pages = await world.clinic.walk(who[0], question[0], [*question[1], ("_count", str(count))])
    agree(world, who[1], question, pages)


@CASES
@given(who=WHO, question=questions(), post=st.booleans())
async def test_the_total_is_the_oracles_whether_by_get_or_post(world, paths, who, question, post):
    kind, pairs = question
    asked = [*pairs, ("_total", "accurate"), ("_count", "3")]
    if post:
        from urllib.parse import urlencode

        answer = await world.clinic.ask(
            who[0], "POST", f"{kind}/_search", urlencode(asked).encode(),
            {"content-type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
    else:
        answer = await world.clinic.search(who[0], kind, asked)
    if answer.status == 403:
        assert not world.oracle.search(who[1], kind, pairs)
        return
    assert answer.status == 200, answer.body
    assert answer.body["total"] == len(world.oracle.search(who[1], kind, pairs))
    counted = await world.clinic.search(who[0], kind, [*pairs, ("_summary", "count")])
    assert counted.body["total"] == answer.body["total"]
    assert "entry" not in counted.body


SORTED = {
    kind: sorted(n for n, p in PARAMETERS[kind].items() if not n.startswith("_t"))
    for kind in PARAMETERS
}


@CASES
@given(who=WHO, question=questions(), count=st.sampled_from([1, 3, 7]), data=st.data())
async def test_a_sorted_walk_is_in_order_and_complete(world, paths, who, question, count, data):
    kind, pairs = question
    key = st.sampled_from([*SORTED[kind], "_lastUpdated", "_id", *(["date"] * 9)])
    key = key.filter(lambda name: name in PARAMETERS[kind])
    keys = data.draw(st.lists(st.tuples(st.sampled_from(["", "-"]), key), min_size=1, max_size=2))
    keys = keys[: data.draw(st.integers(1, 2))]
    shape = data.draw(st.sampled_from(["any", "any", "chart", "whole type"]))
    if shape == "chart" and "date" in PARAMETERS[kind]:
        # What the chart page of a portal asks all day.
        pairs, keys = [("patient", data.draw(st.sampled_from(PATIENTS)))], [("-", "date")]
    elif shape == "whole type":
        dates = [name for name, p in PARAMETERS[kind].items() if p.how == "date"]
        pairs, keys = [], [(data.draw(st.sampled_from(["", "-"])), dates[0])]
    sort = ",".join(sign + name for sign, name in keys)
    pages = await world.clinic.walk(
        who[0], kind, [*pairs[:1], ("_sort", sort), ("_count", str(count))]
    )
    found = agree(world, who[1], (kind, pairs[:1]), pages)
    order = [world.oracle.order_of(name, sort) for name in found]
    assert order == sorted(order), list(zip(found, order, strict=True))


@CASES
@given(who=WHO, question=questions(), data=st.data())
async def test_includes_are_what_the_page_points_at_and_what_points_at_it(
    world, paths, who, question, data
):
    kind, pairs = question
    pointing = [
        (k, n) for k in PARAMETERS for n, p in PARAMETERS[k].items() if p.how == "reference"
    ]
    forward = [f"{k}:{n}" for k, n in pointing if k == kind] or ["Patient:organization"]
    include = data.draw(st.sampled_from(forward))
    back = ":".join(data.draw(st.sampled_from(pointing)))
    wanted = data.draw(st.sampled_from([True, False]))
    asked = ("_include", include) if wanted else ("_revinclude", back)
    if wanted and not include.startswith(kind):
        return
    answer = await world.clinic.search(who[0], kind, [*pairs, asked, ("_count", "5")])
    if answer.status == 403:
        assert not world.oracle.search(who[1], kind, pairs)
        return
    assert answer.status == 200, answer.body
    expected = world.oracle.included if wanted else world.oracle.pointing
    assert len(answer.included) == len(set(answer.included))
    assert set(answer.included) == expected(who[1], answer.ids, asked[1])


async def test_reads_and_histories_are_the_oracles(world, record_property):
    everybody = len(people())
    versions = sum(len(each) for each in world.oracle.versions.values())
    record_property("reads", everybody * len(world.oracle.versions))
    record_property("reads of one version", everybody * versions)
    for person, who in people():
        for name, versions in world.oracle.versions.items():
            kind = name.partition("/")[0]
            answer = await world.clinic.ask(person, "GET", name)
            expected = world.oracle.reads(who, name)
            assert (answer.status == 200) == (expected is not None), (who, name, answer.body)
            if expected is not None:
                assert answer.body == expected
            if not who.may_ask("r", kind):
                assert answer.status == 403
                continue
            seen = world.oracle.history(who, name)
            for number, version in enumerate(versions, 1):
                past = await world.clinic.ask(person, "GET", f"{name}/_history/{number}")
                wanted = (200 if version else 410) if number in seen else 404
                assert past.status == wanted, (who, name, number, past.body)
                assert past.status != 200 or past.body == version


async def test_a_history_is_walked_to_its_end(world, record_property):
    record_property("histories", len(people()) * len(world.oracle.versions))
    for person, who in people():
        for name in world.oracle.versions:
            if who.may_ask("r", name.partition("/")[0]):
                expected = world.oracle.history(who, name)
                assert await _history(world.clinic, person, name) == expected, (who, name)


async def _history(clinic: Clinic, person: Caller, name: str) -> list[int]:
    answer = await clinic.ask(person, "GET", f"{name}/_history?_count=1")
    found: list[int] = []
    while answer.status == 200:
        entries = answer.body.get("entry", [])
        found += [int(entry["response"]["etag"][3:-1]) for entry in entries]
        if answer.next is None:
            return found
        answer = await clinic.ask(person, "GET", answer.next)
    assert not found
    return found


async def test_every_path_was_taken(world, record_property):
    record_property("choices of a path", world.choices)
    assert world.taken == {
        "chart", "chart lane", "chart lane by date", "ids", "terms", "postings", "dates", "type",
        "type by change",
    }  # fmt: skip
