"""What waits for a person: taken by one, given back, dealt with, and counted."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from billing_door import BILL, SYSTEM, TOM, Door, caller, clinician, open_door, patient
from billing_setup import waiting

from polyclinic.services.billing.domain.work import QUEUES, Item
from polyclinic.services.billing.store import work

SUE = caller("billing", "Practitioner/sue", "user/*.cruds")


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file) as opened:
        yield opened


async def put(door: Door, *items: Item) -> None:
    async with door.running.database.transaction() as tx:
        await work.open_item(tx, *items)


async def one(door: Door, queue: str, subject: str) -> str:
    await put(door, Item(queue, subject, "Patient/w", "north", 1250, "CO-50", date(2027, 1, 2)))
    return (await waiting(door, queue, subject))[0]["id"]


async def test_an_item_says_what_waits_and_for_what_it_is_worth(clinic: Door):
    await one(clinic, "denied", "Claim/1")
    found = (await waiting(clinic, "denied", "Claim/1"))[0]
    assert (found["amount"], found["code"], found["payer"]) == (1250, "CO-50", "north")
    assert (found["due"], found["age_days"], found["owner"]) == ("2027-01-02", 0, None)


async def test_what_waits_already_is_not_put_in_again(clinic: Door):
    item = Item("held", "Claim/2")
    await put(clinic, item, item)
    await put(clinic, item)
    assert len(await waiting(clinic, "held", "Claim/2")) == 1


async def test_one_person_takes_an_item_and_gives_it_back(clinic: Door):
    path = f"/billing/work/{await one(clinic, 'rejected', 'Claim/3')}"
    await clinic.done(BILL, f"{path}/take", {})
    await clinic.done(BILL, f"{path}/take", {})
    taken = await clinic.ask(SUE, "POST", f"{path}/take", {})
    assert (taken.status_code, taken.json()["kind"]) == (409, "WrongState")
    not_hers = await clinic.ask(SUE, "POST", f"{path}/done", {"outcome": "written-off"})
    assert not_hers.status_code == 409
    mine = await clinic.ask(BILL, "GET", "/billing/work?mine=true")
    assert [each["subject"] for each in mine.json()["items"]] == ["Claim/3"]
    await clinic.done(BILL, f"{path}/release", {})
    await clinic.done(SUE, f"{path}/done", {"outcome": "written-off"})
    again = await clinic.ask(SUE, "POST", f"{path}/done", {"outcome": "written-off"})
    assert again.status_code == 409
    assert await waiting(clinic, "rejected", "Claim/3") == []
    rows = await clinic.sql("SELECT done_by, outcome FROM billing.work_item WHERE done IS NOT NULL")
    assert ("billing:Practitioner/sue", "written-off") in [tuple(row) for row in rows]


async def test_a_closed_item_may_come_again(clinic: Door):
    item = Item("gateway", "Payment/1")
    await put(clinic, item)
    async with clinic.running.database.transaction() as tx:
        assert await work.close_item(tx, "gateway", "Payment/1", "test", "settled")
        assert not await work.close_item(tx, "gateway", "Payment/1", "test", "settled")
    await put(clinic, item)
    assert len(await waiting(clinic, "gateway", "Payment/1")) == 1


async def test_pages_show_each_item_once_while_others_are_dealt_with(clinic: Door):
    await put(clinic, *(Item("unapplied", f"Patient/u{n:03}") for n in range(23)))
    seen: list[str] = []
    path = "/billing/work?queue=unapplied&limit=5"
    page = (await clinic.ask(BILL, "GET", path)).json()
    assert page["counts"]["unapplied"] == 23
    assert set(page["counts"]) == set(QUEUES)
    while True:
        seen += [each["subject"] for each in page["items"]]
        first = page["items"][0]["id"]
        await clinic.done(BILL, f"/billing/work/{first}/done", {"outcome": "refunded"})
        if page["next"] is None:
            break
        page = (await clinic.ask(BILL, "GET", f"{path}&after={page['next']}")).json()
    assert sorted(seen) == [f"Patient/u{n:03}" for n in range(23)]
    assert len(set(seen)) == 23


@pytest.mark.parametrize(
    "query", ["queue=nothing", "after=x", "limit=many", "limit=-1", "colour=red"]
)
async def test_a_question_that_means_nothing_is_refused(clinic: Door, query: str):
    answer = await clinic.ask(BILL, "GET", f"/billing/work?{query}")
    assert (answer.status_code, answer.json()["place"]) == (400, query.partition("=")[0])


async def test_an_outcome_is_a_code_and_never_a_sentence(clinic: Door):
    path = f"/billing/work/{await one(clinic, 'denied', 'Claim/9')}/done"
    for outcome in ("He was ill", "", "a" * 50):
        answer = await clinic.ask(BILL, "POST", path, {"outcome": outcome})
        assert (answer.status_code, answer.json()["place"]) == (400, "outcome")


async def test_the_queues_are_billings_own(clinic: Door):
    path = f"/billing/work/{await one(clinic, 'denied', 'Claim/10')}"
    for who in (patient("w"), TOM, clinician("ana"), caller("administrator", None, "user/*.cruds")):
        assert (await clinic.ask(who, "GET", "/billing/work")).status_code == 403
        for verb, body in (("take", {}), ("release", {}), ("done", {"outcome": "other"})):
            assert (await clinic.ask(who, "POST", f"{path}/{verb}", body)).status_code == 403
    reader = caller("billing", "Practitioner/bill", "user/*.rs")
    assert (await clinic.ask(reader, "POST", f"{path}/take", {})).status_code == 403
    assert (await clinic.ask(SYSTEM, "POST", f"{path}/take", {})).status_code == 200
    missing = "/billing/work/018f0000-0000-7000-8000-000000000000/take"
    assert (await clinic.ask(BILL, "POST", missing, {})).status_code == 404


async def test_who_saw_whose_items_is_in_the_access_log(clinic: Door):
    await put(clinic, Item("unapplied", "Patient/logged", "Patient/logged"))
    before = await logged(clinic)
    await waiting(clinic, "unapplied", "Patient/logged")
    assert await logged(clinic) == before + 1


async def logged(door: Door) -> int:
    person = door.books.server.store.terms.person("Patient/logged")
    rows = await door.sql("SELECT FROM billing.access_log WHERE patient = $1", person)
    return len(rows)
