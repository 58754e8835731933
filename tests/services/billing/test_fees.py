"""Fee schedules come in whole or not at all, and each day of a payer has one."""

import asyncio
import csv
import io
import string
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from billing_door import BILL, SYSTEM, TOM, Door, clinician, open_door, patient
from billing_setup import ALLOWED, PRICES, coded, coding, payer, prices, visit
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.foundation.errors import Invalid
from polyclinic.services.billing.domain.fees import Fee, fee_for, read_fees

HEADER = "code,modifier,title,amount\n"


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file) as opened:
        await payer(opened)
        yield opened


def body(**changes: Any) -> dict[str, Any]:
    return {"name": "List", "from_day": "2020-01-01", "csv": PRICES, "currency": "USD", **changes}


async def post(door: Door, who: Any, **changes: Any):
    return await door.ask(who, "POST", "/billing/fee-schedules", body(**changes))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "line 1"),
        ("code,title,amount\n", "line 1"),
        ("code,modifier,title,amount,extra\n", "line 1"),
        (HEADER, "line 2"),
        (HEADER + "Z1,,Visit,1.00\n", "line 2, column code"),
        (HEADER + "Z1001,abc,Visit,1.00\n", "line 2, column modifier"),
        (HEADER + "Z1001,,,1.00\n", "line 2, column title"),
        (HEADER + "Z1001,,Visit,ten\n", "line 2, column amount"),
        (HEADER + "Z1001,,Visit,1.005\n", "line 2, column amount"),
        (HEADER + "Z1001,,Visit,-1\n", "line 2, column amount"),
        (HEADER + "Z1001,,Visit,1e3\n", "line 2, column amount"),
        (HEADER + 'Z1001,,Visit,"1,000"\n', "line 2, column amount"),
        (HEADER + "Z1001,,Visit\n", "line 2"),
        (HEADER + "\nZ1001,,Visit,1\nZ1001,,Again,2\n", "line 4, column code"),
        (HEADER + 'Z1001,,"Vis', "line 2"),
    ],
)
async def test_a_bad_file_is_named_by_line_and_column_and_nothing_of_it_is_kept(
    clinic: Door, text: str, place: str
):
    answer = await post(clinic, BILL, csv=text)
    assert (answer.status_code, answer.json()["place"]) == (400, place), answer.text
    assert await clinic.sql("SELECT FROM billing.fee_schedule") == []


async def test_every_bad_line_is_said_and_a_good_one_saves_none(clinic: Door):
    text = HEADER + "Z1001,,Visit,1.00\nbad,,x,1\nZ1002,,Blood,x\n"
    answer = await post(clinic, BILL, csv=text)
    places = [issue["place"] for issue in answer.json()["issues"]]
    assert places == ["line 3, column code", "line 4, column amount"]
    assert await clinic.sql("SELECT FROM billing.fee") == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"currency": "EUR"}, "currency"),
        ({"payer": "nobody"}, "payer"),
        ({"until_day": "2019-01-01"}, "until_day"),
        ({"name": " "}, "name"),
        ({"from_day": "soon"}, "from_day"),
    ],
)
async def test_a_schedule_that_cannot_be_is_refused(
    clinic: Door, change: dict[str, Any], place: str
):
    answer = await post(clinic, BILL, **change)
    assert (answer.status_code, answer.json()["place"]) == (400, place), answer.text


async def test_only_billing_brings_prices_in_and_whoever_may_read_them_does(clinic: Door):
    for who in (patient("a"), TOM, clinician("ana")):
        assert (await post(clinic, who)).status_code == 403
    name = await prices(clinic, ALLOWED, payer="north", from_day="2010-01-01", name="Northern")
    for who in (patient("a"), TOM, clinician("ana"), SYSTEM):
        shown = await clinic.ask(who, "GET", f"/billing/fee-schedules/{name}")
        assert [fee["amount"] for fee in shown.json()["fees"]] == [8_000, 2_000]
        listed = await clinic.ask(who, "GET", "/billing/fee-schedules")
        assert name in [each["id"] for each in listed.json()["schedules"]]
    missing = "/billing/fee-schedules/018f0000-0000-7000-8000-000000000000"
    assert (await clinic.ask(BILL, "GET", missing)).status_code == 404
    assert (await clinic.ask(BILL, "GET", "/billing/fee-schedules/x")).status_code == 404


async def test_two_schedules_of_a_payer_never_meet_unless_the_former_is_closed(clinic: Door):
    first = await prices(clinic, from_day="2021-01-01")
    again = await post(clinic, BILL, from_day="2022-01-01")
    assert (again.status_code, again.json()["kind"]) == (409, "Overlapping")
    dearer = PRICES.replace("120.00", "130.00")
    made = await clinic.done(
        BILL, "/billing/fee-schedules", body(from_day="2022-01-01", csv=dearer, close_former=True)
    )
    assert made["closed"] == [first]
    shown = await clinic.ask(BILL, "GET", f"/billing/fee-schedules/{first}")
    assert shown.json()["until_day"] == "2021-12-31"
    earlier = await post(clinic, BILL, from_day="2021-06-01", close_former=True)
    assert (earlier.status_code, earlier.json()["kind"]) == (409, "Overlapping")
    before = await clinic.done(
        BILL, "/billing/fee-schedules", body(from_day="2020-01-01", until_day="2020-12-31")
    )
    assert before["closed"] == []
    # Each visit is priced by the list of its own day.
    for day, amount in (("2021-12-31", 12_000), ("2022-01-01", 13_000)):
        name = await visit(clinic, "b", day=day)
        charged = await clinic.done(BILL, f"/billing/visits/{name}/code", coding())
        assert charged["total"]["amount"] == amount
    found = await clinic.ask(SYSTEM, "GET", "/fhir/ChargeItemDefinition?_count=100")
    closed = [
        each["resource"]
        for each in found.json()["entry"]
        if each["resource"]["effectivePeriod"]["start"] == "2021-01-01"
    ]
    assert {each["effectivePeriod"]["end"] for each in closed} == {"2021-12-31"}
    assert (await clinic.proof())["holds"]


async def test_two_imports_at_once_leave_one_schedule(clinic: Door):
    await payer(clinic, "south", x12_id="SOUTH")
    asked = [post(clinic, BILL, payer="south", from_day="2030-01-01") for _ in range(4)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_a_modifier_with_a_price_of_its_own_is_found_first(clinic: Door):
    lines = [{"code": "Z1001", "modifiers": ["59", "25"]}, {"code": "Z1001", "modifiers": ["59"]}]
    made = await coded(clinic, "c", lines=lines)
    assert [each["amount"] for each in made["charges"]] == [14_000, 13_000]


CODES = st.text(string.ascii_uppercase + string.digits, min_size=5, max_size=5)
FEES = st.lists(
    st.tuples(
        CODES,
        st.sampled_from(["", "25", "TC"]),
        st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40),
        st.integers(0, 10**9),
    ),
    min_size=1, max_size=30, unique_by=lambda row: (row[0], row[1]),
)  # fmt: skip


@given(FEES)
def test_what_is_written_as_csv_is_read_again(rows: list[tuple[str, str, str, int]]):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["code", "modifier", "title", "amount"])
    writer.writerows((c, m, t, f"{a // 100}.{a % 100:02}") for c, m, t, a in rows)
    assert read_fees(text.getvalue(), "USD") == [Fee(*row) for row in rows]


@given(st.text(max_size=300).filter(lambda text: "amount" not in text))
def test_a_text_that_is_no_schedule_is_refused_by_its_line(text: str):
    with pytest.raises(Invalid) as refused:
        read_fees(text, "USD")
    assert (refused.value.place or "").startswith("line ")


@given(FEES, st.lists(st.sampled_from(["25", "TC", "59"]), max_size=3, unique=True))
def test_a_fee_is_that_of_its_own_code(rows: list[tuple[str, str, str, int]], modifiers: list[str]):
    fees = {(row[0], row[1]): Fee(*row) for row in rows}
    for code, *_ in rows:
        found = fee_for(fees, code, modifiers)
        assert found is None or (found.code == code and found.modifier in ("", *modifiers))
