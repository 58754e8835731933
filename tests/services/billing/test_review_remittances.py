"""Remittances as real payers send them: every cent on its account, and nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from billing_door import Door, open_door
from claims_world import SETTINGS, balance, came, claim, coded, open_clinic, submitted
from review_payer import advice, decided, file_of, number_of, service

from polyclinic.services.billing.actions import receiving
from polyclinic.standards.x12.remittance import ProviderAdjustment


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **SETTINGS) as opened:
        await open_clinic(opened)
        yield opened


async def waiting(door: Door, queue: str, subject: str) -> list[tuple[str, int]]:
    rows = await door.sql(
        "SELECT code, amount FROM billing.work_item"
        " WHERE queue = $1 AND subject = $2 AND done IS NULL",
        queue,
        subject,
    )
    return [(row["code"], row["amount"]) for row in rows]


async def taken(door: Door, content: bytes) -> Any:
    answer = await came(door, content)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_what_stands_at_the_claim_itself_is_no_money(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number, bank = await number_of(door, visit), await balance(door, "bank")
    paid = decided(number, "1", [service(number, 1, 10_000, 10_000)], ("PR", "1", 2_000))
    assert paid.paid == 8_000
    await taken(door, file_of(advice(paid)))
    assert await balance(door, "bank") - bank == 8_000
    assert await balance(door, f"patient/{visit.patient[8:]}") == 2_000
    told = await claim(door, visit)
    assert (told["status"], told["paid"], told["open"]) == ("paid", 8_000, 0)
    assert (await door.proof())["holds"]


async def test_a_claim_without_lines_is_decided_as_a_whole(door: Door):
    visit = await coded(door, ("Z1001", 10_000), ("Z2002", 5_000))
    await submitted(door, visit)
    number = await number_of(door, visit)
    told = (("PR", "3", 2_500), ("CO", "45", 1_500))
    await taken(door, file_of(advice(decided(number, "1", [], *told, whole=(15_000, 11_000)))))
    assert await balance(door, f"patient/{visit.patient[8:]}") == 2_500
    found = await claim(door, visit)
    assert (found["status"], found["paid"], found["open"]) == ("paid", 11_000, 0)


async def test_one_payment_that_stands_twice_in_a_file_is_posted_once(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number, bank = await number_of(door, visit), await balance(door, "bank")
    said = advice(decided(number, "1", [service(number, 1, 10_000, 10_000)]))
    posted = await taken(door, file_of(said, said))
    assert (posted["posted"], posted["known"]) == (1, 1)
    assert await balance(door, "bank") - bank == 10_000
    assert (await claim(door, visit))["open"] == 0


async def test_two_payments_of_one_trace_number_in_a_file_hold_it(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number, bank = await number_of(door, visit), await balance(door, "bank")
    one = advice(decided(number, "1", [service(number, 1, 10_000, 10_000)]), trace="TWICE")
    other = advice(
        decided(number, "1", [service(number, 1, 10_000, 9_000, ("CO", "45", 1_000))]),
        trace="TWICE",
    )
    answer = await came(door, file_of(one, other))
    assert (answer.status_code, answer.json()["status"]) == (422, "held")
    assert await balance(door, "bank") == bank


async def test_one_payment_in_several_files_at_once_is_posted_once(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number, bank = await number_of(door, visit), await balance(door, "bank")
    said = advice(decided(number, "1", [service(number, 1, 10_000, 10_000)]))
    files = [file_of(said) for _ in range(6)]
    answers = await asyncio.gather(*[came(door, content) for content in files])
    assert [each.status_code for each in answers] == [201] * 6
    assert sum(each.json()["posted"] for each in answers) == 1
    assert await balance(door, "bank") - bank == 10_000
    assert (await door.proof())["holds"]


async def test_a_reversal_and_its_correction_leave_what_the_correction_says(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number, bank = await number_of(door, visit), await balance(door, "bank")
    first = service(number, 1, 10_000, 7_000, ("CO", "45", 1_000), ("PR", "2", 2_000))
    await taken(door, file_of(advice(decided(number, "1", [first]))))
    back = service(number, 1, -10_000, -7_000, ("CO", "45", -1_000), ("PR", "2", -2_000))
    anew = service(number, 1, 10_000, 8_500, ("CO", "45", 1_000), ("PR", "2", 500))
    await taken(door, file_of(advice(decided(number, "22", [back]), decided(number, "1", [anew]))))
    assert await balance(door, "bank") - bank == 8_500
    assert await balance(door, f"patient/{visit.patient[8:]}") == 500
    told = await claim(door, visit)
    assert (told["status"], told["paid"], told["open"]) == ("paid", 8_500, 0)
    assert await waiting(door, "held", f"Claim/{visit.claim}") == []


async def test_a_denial_that_is_taken_back_waits_for_nobody(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number, subject = await number_of(door, visit), f"Claim/{visit.claim}"
    no = service(number, 1, 10_000, 0, ("CO", "50", 10_000))
    await taken(door, file_of(advice(decided(number, "4", [no]))))
    assert await waiting(door, "denied", subject) == [("CO-50", 10_000)]
    back = service(number, 1, -10_000, 0, ("CO", "50", -10_000))
    yes = service(number, 1, 10_000, 9_000, ("PR", "2", 1_000))
    await taken(door, file_of(advice(decided(number, "22", [back]), decided(number, "1", [yes]))))
    told = await claim(door, visit)
    assert (told["status"], told["paid"], told["open"]) == ("paid", 9_000, 0)
    assert await waiting(door, "denied", subject) == []


async def test_a_part_that_is_denied_stays_in_its_queue_until_it_is_decided(door: Door):
    visit = await coded(door, ("Z1001", 10_000), ("Z1002", 5_000))
    await submitted(door, visit)
    number, subject = await number_of(door, visit), f"Claim/{visit.claim}"
    lines = [
        service(number, 1, 10_000, 10_000),
        service(number, 2, 5_000, 0, ("CO", "50", 5_000)),
    ]
    await taken(door, file_of(advice(decided(number, "1", lines))))
    assert await waiting(door, "denied", subject) == [("CO-50", 5_000)]
    only = [service(number, 2, 5_000, 4_000, ("CO", "45", 1_000))]
    await taken(door, file_of(advice(decided(number, "1", only))))
    assert await waiting(door, "denied", subject) == []
    assert (await claim(door, visit))["open"] == 0


async def test_a_denial_by_what_is_the_patients_is_seen_by_somebody(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number = await number_of(door, visit)
    no = service(number, 1, 10_000, 0, ("PR", "204", 10_000))
    await taken(door, file_of(advice(decided(number, "4", [no]))))
    assert (await claim(door, visit))["status"] == "denied"
    assert await waiting(door, "denied", f"Claim/{visit.claim}") == [("PR-204", 10_000)]


async def test_a_duplicate_takes_nothing_off(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number = await number_of(door, visit)
    await taken(door, file_of(advice(decided(number, "1", [service(number, 1, 10_000, 10_000)]))))
    off = await balance(door, "adjusted")
    again = service(number, 1, 10_000, 0, ("OA", "18", 10_000))
    await taken(door, file_of(advice(decided(number, "4", [again]))))
    assert await balance(door, "adjusted") == off
    told = await claim(door, visit)
    assert (told["paid"], told["open"]) == (10_000, 0)


async def test_a_payment_of_more_than_was_open_is_asked_about(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number, subject = await number_of(door, visit), f"Claim/{visit.claim}"
    paid = service(number, 1, 10_000, 9_000, ("CO", "45", 1_000))
    await taken(door, file_of(advice(decided(number, "1", [paid]))))
    assert await waiting(door, "held", subject) == []
    await taken(door, file_of(advice(decided(number, "1", [paid]))))
    assert await waiting(door, "held", subject) == [("overpaid", 10_000)]
    assert (await claim(door, visit))["open"] == -10_000
    assert (await door.proof())["holds"]


async def test_what_the_payer_pays_beside_the_claims_is_on_its_own_account(door: Door):
    bank, kept = await balance(door, "bank"), await balance(door, "forwarded/nhp")
    ahead = ProviderAdjustment("1234567893", date(2026, 12, 31), "L6", "", -1_250)
    posted = await taken(door, file_of(advice(kept_back=[ahead])))
    assert (posted["posted"], posted["lines"]) == (1, 0)
    assert await balance(door, "bank") - bank == 1_250
    assert await balance(door, "forwarded/nhp") - kept == -1_250
    assert (await door.proof())["holds"]


async def test_nothing_paid_is_a_remittance_too(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number, bank = await number_of(door, visit), await balance(door, "bank")
    said = advice(decided(number, "1", [service(number, 1, 10_000, 0, ("PR", "1", 10_000))]))
    assert (said.paid, said.method) == (0, "NON")
    await taken(door, file_of(said))
    assert await balance(door, "bank") == bank
    assert await balance(door, f"patient/{visit.patient[8:]}") == 10_000
    told = await claim(door, visit)
    assert (told["status"], told["open"]) == ("paid", 0)


async def test_another_currency_is_held(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number, bank = await number_of(door, visit), await balance(door, "bank")
    content = file_of(advice(decided(number, "1", [service(number, 1, 10_000, 10_000)])))
    segments = content.split(b"~")
    at = next(n for n, each in enumerate(segments) if each.strip().startswith(b"TRN*"))
    gap = segments[at][: len(segments[at]) - len(segments[at].lstrip())]
    segments.insert(at + 1, gap + b"CUR*PR*CAD")
    content = _recounted(b"~".join(segments))
    answer = await came(door, content)
    assert (answer.status_code, answer.json()["status"]) == (422, "held"), answer.text
    assert "CUR02" in answer.json()["problem"]
    assert await balance(door, "bank") == bank


def _recounted(content: bytes) -> bytes:
    head, _, tail = content.partition(b"SE*")
    count, _, rest = tail.partition(b"*")
    return head + b"SE*" + str(int(count) + 1).encode() + b"*" + rest


async def test_a_file_of_more_than_one_transaction_can_post_waits_whole(
    door: Door, monkeypatch: pytest.MonkeyPatch
):
    visit = await coded(door, ("Z1001", 10_000), ("Z1002", 5_000))
    await submitted(door, visit)
    number, bank = await number_of(door, visit), await balance(door, "bank")
    lines = [service(number, 1, 10_000, 10_000), service(number, 2, 5_000, 5_000)]
    content = file_of(advice(decided(number, "1", lines)))
    monkeypatch.setattr(receiving, "PARTS_MAX", 2)
    answer = await came(door, content)
    assert (answer.status_code, answer.json()["status"]) == (422, "held")
    assert "several files" in answer.json()["problem"]
    assert await balance(door, "bank") == bank
    # Beyond the size of a body nothing is looked at: it is kept and says so.
    monkeypatch.setattr("polyclinic.standards.x12.tokens.FILE_BYTES_MAX", 1_000)
    answer = await came(door, content + b"\n" * 2_000)
    assert (answer.status_code, answer.json()["status"]) == (422, "refused")


@pytest.mark.parametrize("amount", [b"1000000000000.00", b"90000000000000000"])
async def test_an_amount_that_cannot_be_right_is_held_with_its_place(door: Door, amount: bytes):
    said = advice(decided("NOTOURS00002", "1", [service("NOTOURS00002", 1, 12_345, 12_345)]))
    answer = await came(door, file_of(said).replace(b"123.45", amount))
    assert (answer.status_code, answer.json()["status"]) == (422, "held"), answer.text
    assert "Segment" in answer.json()["problem"]
