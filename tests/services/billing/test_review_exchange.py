"""Files travel by folder and by address: each is sent and taken once, wherever somebody dies."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import httpx
import pytest
from billing_door import BILL, Door, open_door
from claims_world import (
    RULES,
    SETTINGS,
    balance,
    came,
    checked,
    claim,
    coded,
    open_clinic,
    replies,
    submitted,
)
from review_payer import advice, decided, file_of, number_of, service

from polyclinic.demo.payer import app
from polyclinic.demo.payer.serving import answer_folder
from polyclinic.foundation import clock
from polyclinic.foundation.errors import Unavailable
from polyclinic.services.billing.actions.exchanging import exchange
from polyclinic.services.billing.gateways import exchange as ways
from polyclinic.services.billing.gateways.exchange import Address, Folder
from polyclinic.services.billing.store import remittances
from polyclinic.standards.x12.acknowledge import (
    Acknowledgments,
    GroupAcknowledgment,
    InterchangeAcknowledgment,
    write_acknowledgments,
)
from polyclinic.standards.x12.envelope import Envelope, Party


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **SETTINGS) as opened:
        await open_clinic(opened)
        yield opened


async def sent_as_file(door: Door) -> tuple:
    visit = await coded(door, ("Z1001", 10_000))
    await checked(door, visit)
    file = await door.done(BILL, "/billing/submissions", {"claims": [str(visit.claim)]})
    return visit, file["file"]


async def status_of(door: Door, file: str) -> str:
    rows = await door.sql("SELECT status FROM billing.x12_file WHERE id = $1::text::uuid", file)
    return rows[0]["status"]


async def test_a_claim_is_paid_through_the_folder(door: Door, tmp_path: Path):
    visit, file = await sent_as_file(door)
    way = Folder(tmp_path)
    assert (await exchange(door.books, way))[0] >= 1
    assert await status_of(door, file) == "sent"
    answer_folder(tmp_path, RULES)
    _, taken = await exchange(door.books, way)
    assert taken >= 3
    assert (await claim(door, visit))["status"] == "paid"
    assert list((tmp_path / "in").iterdir()) == []
    assert await exchange(door.books, way) == (0, 0)
    assert (await door.proof())["holds"]


async def test_who_dies_after_putting_a_file_sends_it_again_and_is_paid_once(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    visit, file = await sent_as_file(door)
    bank, way = await balance(door, "bank"), Folder(tmp_path)

    async def dies(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr("polyclinic.services.billing.store.files.set_sent", dies)
        with pytest.raises(asyncio.CancelledError):
            await exchange(door.books, way)
    answer_folder(tmp_path, RULES)  # the payer has it already
    assert await status_of(door, file) == "ready"
    for _ in range(2):
        await exchange(door.books, way)
        answer_folder(tmp_path, RULES)
    await exchange(door.books, way)
    assert (await claim(door, visit))["status"] == "paid"
    assert await balance(door, "bank") - bank == (await claim(door, visit))["paid"]
    assert (await door.proof())["holds"]


async def test_an_insurer_that_answers_a_file_again_says_the_same(door: Door, tmp_path: Path):
    visit = await coded(door, ("Z1001", 10_000))
    content, said = await submitted(door, visit), []
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "claims.x12").write_bytes(content)
    os.utime(tmp_path / "out" / "claims.x12", (1_700_000_000, 1_700_000_000))
    for _ in range(2):  # it died before it put the file away
        answer_folder(tmp_path, RULES)
        said.append({each.name: each.read_bytes() for each in (tmp_path / "in").iterdir()})
        (tmp_path / "answered" / "claims.x12").replace(tmp_path / "out" / "claims.x12")
    assert said[0] == said[1]
    assert len(said[0]) == 3


async def test_who_dies_after_taking_a_file_takes_it_no_second_time(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    visit = await coded(door, ("Z1001", 10_000))
    content = replies(await submitted(door, visit))["835"]
    way, bank = Folder(tmp_path), await balance(door, "bank")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "paid.x12").write_bytes(content)
    (tmp_path / "in" / "broken.x12").write_bytes(b"no X12 at all")

    async def dies(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "done", dies)
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await exchange(door.books, way)
    assert await exchange(door.books, way) == (0, 2)
    paid = (await claim(door, visit))["paid"]
    assert paid > 0
    assert await balance(door, "bank") - bank == paid
    # What was refused is told apart also when it was refused a turn ago.
    assert [each.name for each in (tmp_path / "held").iterdir()] == ["broken.x12"]
    assert [each.name for each in (tmp_path / "done").iterdir()] == ["paid.x12"]


async def test_two_replicas_at_one_folder_take_each_file_once(
    door: Door, tmp_path: Path, postgres_url: str, key_file: Path
):
    bank, total = await balance(door, "bank"), 0
    (tmp_path / "in").mkdir()
    for n in range(12):
        visit = await coded(door, ("Z1001", 10_000))
        await submitted(door, visit)
        number = await number_of(door, visit)
        said = advice(decided(number, "1", [service(number, 1, 10_000, 10_000)]))
        (tmp_path / "in" / f"{n}.x12").write_bytes(file_of(said))
        total += 10_000
    async with open_door(postgres_url, key_file, beside=door, **SETTINGS) as other:
        await asyncio.gather(
            *[exchange(each.books, Folder(tmp_path)) for each in (door, other, door, other)]
        )
    assert await balance(door, "bank") - bank == total
    assert len(list((tmp_path / "done").iterdir())) == 12
    assert list((tmp_path / "in").iterdir()) == []
    assert (await door.proof())["holds"]


async def test_a_file_that_hits_a_bug_stays_and_holds_up_no_other(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    several = [await coded(door, ("Z1001", 10_000)) for _ in range(2)]
    (tmp_path / "in").mkdir()
    for n, visit in enumerate(several):
        await submitted(door, visit)
        number = await number_of(door, visit)
        said = advice(decided(number, "1", [service(number, 1, 10_000, 10_000)]), trace=f"BUG{n}")
        (tmp_path / "in" / f"{n}.x12").write_bytes(file_of(said))
    add = remittances.add

    async def breaks(tx, posted, lines):
        if posted.trace == "BUG0":
            raise KeyError(posted.trace)
        await add(tx, posted, lines)

    with monkeypatch.context() as patched:
        patched.setattr(remittances, "add", breaks)
        assert (await exchange(door.books, Folder(tmp_path)))[1] == 1
    assert [each.name for each in (tmp_path / "in").iterdir()] == ["0.x12"]
    states = [(await claim(door, each))["status"] for each in several]
    assert states == ["submitted", "paid"]
    assert await exchange(door.books, Folder(tmp_path)) == (0, 1)
    assert (await claim(door, several[0]))["status"] == "paid"


async def test_a_claim_is_paid_over_http(door: Door, monkeypatch: pytest.MonkeyPatch):
    visit, _ = await sent_as_file(door)
    payer = httpx.ASGITransport(app=app(RULES))
    client = httpx.AsyncClient
    monkeypatch.setattr(ways.httpx, "AsyncClient", lambda **k: client(transport=payer, **k))
    way = Address("http://payer.test")
    assert (await exchange(door.books, way))[0] >= 1
    await exchange(door.books, way)
    assert (await claim(door, visit))["status"] == "paid"
    assert await way.names() == []
    assert await way.read("../gone") is None
    await way.done("gone", is_good=True)


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": bytes(1000), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    client, payer = httpx.AsyncClient, httpx.ASGITransport(app=endless)
    monkeypatch.setattr(ways.httpx, "AsyncClient", lambda **k: client(transport=payer, **k))
    monkeypatch.setattr(ways, "SIZE_MAX", 5_000)
    assert len(await Address("http://payer.test").read("a") or b"") == 5_001
    with pytest.raises(Unavailable):
        await Address("http://payer.test").names()


def said(door: Door, notes=(), groups=()) -> bytes:
    envelope = Envelope(Party(RULES.id), Party("POLYCLINIC"), clock.now(), 77, 77)
    return write_acknowledgments(envelope, Acknowledgments(tuple(notes), tuple(groups)))


def group(control: str, status: str, accepted: int) -> GroupAcknowledgment:
    return GroupAcknowledgment("HC", str(int(control)), "005010X222A1", status, 1, 1, accepted)


async def control_of(door: Door, file: str) -> str:
    rows = await door.sql("SELECT control FROM billing.x12_file WHERE id = $1::text::uuid", file)
    return rows[0]["control"]


async def test_the_word_that_a_file_came_twice_takes_no_claim_back(door: Door):
    visit, file = await sent_as_file(door)
    control = await control_of(door, file)
    twice = InterchangeAcknowledgment(control, f"{date.today():%y%m%d}", "1200", "R", "025")  # noqa: DTZ011
    answer = await came(door, said(door, [twice]))
    assert (answer.status_code, answer.json()["rejected"]) == (201, 0), answer.text
    assert (await claim(door, visit))["status"] == "submitted"


@pytest.mark.parametrize(("status", "accepted"), [("R", 0), ("X", 0), ("M", 0), ("P", 0)])
async def test_a_group_that_is_refused_behind_a_good_envelope_sends_its_claims_back(
    door: Door, status: str, accepted: int
):
    visit, file = await sent_as_file(door)
    control = await control_of(door, file)
    good = InterchangeAcknowledgment(control, f"{date.today():%y%m%d}", "1200")  # noqa: DTZ011
    answer = await came(door, said(door, [good], [group(control, status, accepted)]))
    assert (answer.status_code, answer.json()["rejected"]) == (201, 1), answer.text
    assert (await claim(door, visit))["status"] == "rejected"
    assert await status_of(door, file) == "refused"


async def test_one_answer_may_speak_of_several_files(door: Door):
    (one, first), (other, second) = await sent_as_file(door), await sent_as_file(door)
    groups = [
        group(await control_of(door, first), "A", 1),
        group(await control_of(door, second), "R", 0),
    ]
    answer = await came(door, said(door, groups=groups))
    assert (answer.json()["claims"], answer.json()["rejected"]) == (2, 1)
    assert (await claim(door, one))["status"] == "submitted"
    assert (await claim(door, other))["status"] == "rejected"


async def test_names_that_no_file_can_carry_are_said_and_nothing_is_sent(
    postgres_url: str, key_file: Path
):
    names = SETTINGS | {"POLYCLINIC_BILLING_SUBMITTER_ID": "A NAME OF MORE THAN FIFTEEN"}
    async with open_door(postgres_url, key_file, **names) as opened:
        await open_clinic(opened)
        visit = await coded(opened, ("Z1001", 10_000))
        await checked(opened, visit)
        body = {"claims": [str(visit.claim)]}
        answer = await opened.ask(BILL, "POST", "/billing/submissions", body)
        assert (answer.status_code, answer.json()["place"]) == (422, "settings"), answer.text
        assert (await claim(opened, visit))["status"] == "checked"
