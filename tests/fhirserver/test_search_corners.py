"""Corners of search that a random world seldom reaches, and pages while others write."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fhir_clinic import SYSTEM, Answered, Clinic

from polyclinic.standards.fhir.definitions import resource_types, search_parameters


@pytest.fixture(scope="module", autouse=True)
async def world(clinic: Clinic) -> AsyncIterator[None]:
    await clinic.put(
        {"resourceType": "Patient", "id": "ann", "birthDate": "1980-05-03",
         "name": [{"family": "A"}]},
        {"resourceType": "Patient", "id": "bob", "birthDate": "1980-05", "name": [{"family": "B"}]},
    )  # fmt: skip
    return


async def ids_and_total(clinic: Clinic, kind: str, *pairs: tuple[str, str]) -> list[str]:
    """The ids, which must be as many as the total says."""
    answer = await clinic.search(SYSTEM, kind, [*pairs, ("_total", "accurate")])
    assert answer.status == 200, answer.body
    assert answer.body["total"] == len(answer.ids), answer.body
    return sorted(answer.ids)


async def test_the_total_of_an_id_with_a_system_counts_what_is_shown(clinic: Clinic):
    assert await ids_and_total(clinic, "Patient", ("_id", "http://x|ann")) == []
    assert await ids_and_total(clinic, "Patient", ("_id", "ann")) == ["Patient/ann"]
    assert await ids_and_total(clinic, "Patient", ("_id", "|ann")) == ["Patient/ann"]


async def test_the_total_of_a_birth_date_with_a_time_counts_what_is_shown(clinic: Clinic):
    assert await ids_and_total(clinic, "Patient", ("birthdate", "1980-05-03T10:00")) == []
    assert await ids_and_total(clinic, "Patient", ("birthdate", "1980-05-03")) == ["Patient/ann"]


async def test_last_updated_finer_than_a_millisecond_is_compared_as_shown(clinic: Clinic):
    (kept,) = await clinic.put({"resourceType": "Organization", "id": "org", "name": "Ward"})
    stated = kept["meta"]["lastUpdated"]
    for prefix, expected in (("", 1), ("ge", 1), ("le", 1), ("gt", 0), ("lt", 0), ("sa", 0)):
        found = await ids_and_total(clinic, "Organization", ("_lastUpdated", prefix + stated))
        assert len(found) == expected, prefix
    # The millisecond that is shown reaches beyond its own first tenth.
    fine = stated.replace("Z", "000Z")
    assert len(await ids_and_total(clinic, "Organization", ("_lastUpdated", f"gt{fine}"))) == 1


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.long)])
async def test_nothing_in_the_inventory_is_a_fault_of_ours(
    clinic: Clinic, every: int, record_property
):
    """Every parameter searched and sorted by, with a value that fits none or any of them."""
    urls = [
        f"{kind}?{name}"
        for kind in resource_types()
        for code in search_parameters(kind)
        for name in (f"_sort={code}", f"{code}=1")
    ]
    chosen = urls[::every]
    record_property("searches", len(chosen))
    for start in range(0, len(chosen), 400):
        part = chosen[start : start + 400]
        answer = await clinic.batch(SYSTEM, *part)
        for url, entry in zip(part, answer.body["entry"], strict=True):
            assert entry["response"]["status"][:3] in ("200", "400", "422"), url


async def walk(clinic: Clinic, pairs: list[tuple[str, str]], between) -> list[str]:
    """The ids of all pages, with something happening after each."""
    page: Answered = await clinic.search(SYSTEM, "Condition", [*pairs, ("_count", "4")])
    found = list(page.ids)
    turn = 0
    while page.next is not None:
        await between(turn, found)
        page = await clinic.ask(SYSTEM, "GET", page.next)
        assert page.status == 200, page.body
        found += page.ids
        turn += 1
        assert turn < 100
    return found


def condition(name: str, number: int) -> dict:
    onset = {"onsetDateTime": f"20{10 + number % 7}"} if number % 5 else {}
    return {
        "resourceType": "Condition", "id": name, "subject": {"reference": "Patient/ann"},
        "code": {"coding": [{"system": "urn:c", "code": f"c{number % 3}"}]}, **onset,
    }  # fmt: skip


ORDERS = ["", "onset-date", "-onset-date", "_lastUpdated", "-_lastUpdated", "_id", "code",
          "-code,onset-date"]  # fmt: skip


@pytest.mark.parametrize("chart", [True, False])
@pytest.mark.parametrize("sort", ORDERS)
async def test_what_stays_as_it_is_comes_exactly_once_while_others_change(
    clinic: Clinic, sort: str, chart: bool
):
    await clinic.empty()
    await clinic.put({"resourceType": "Patient", "id": "ann"})
    stem = "w"
    names = [f"{stem}{n}" for n in range(24)]
    await clinic.put(*(condition(name, n) for n, name in enumerate(names)))
    touched: set[str] = set()

    async def others_write(turn: int, found: list[str]) -> None:
        if turn > 8:
            return
        await clinic.put(condition(f"{stem}new{turn}", turn))
        # Whatever stands last on the page goes away, or moves: the next page starts there.
        last = found[-1]
        touched.add(last)
        if turn % 2:
            await clinic.ask(SYSTEM, "DELETE", last)
        else:
            await clinic.put(condition(last.partition("/")[2], turn + 3))
        await asyncio.sleep(0)

    pairs = [("_sort", sort)] if sort else []
    if chart:
        pairs.append(("patient", "ann"))
    found = await walk(clinic, pairs, others_write)
    for name in (f"Condition/{name}" for name in names):
        if name not in touched:
            assert found.count(name) == 1, (name, sort)
