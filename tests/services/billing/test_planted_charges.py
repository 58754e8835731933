"""What was done to whom stands readable in no table of billing, in no event and in no log."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from billing_door import BILL, TOM, Door, open_door
from billing_setup import PAYER, coded, coverage, payer, prices

LIST = "code,modifier,title,amount\nQ9471,,Plantedtitle,120.00\n"
# Codes and titles of the price list itself are no patient's; a charge that names them is.
PRICE_TABLES = ("fee", "resource", "version")
PERSON = {"family": "Plantedfamily", "given": "Plantedgiven", "phone": "555 7731"}
WORDS = ("Plantedfamily", "Plantedgiven", "555 7731", "NM947194", "S72.001A", "S72001A")


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file) as opened:
        await payer(opened)
        await prices(opened, LIST)
        yield opened


async def everything(door: Door) -> None:
    """All that charges go through: told, estimated, coded, refused, taken back, looked at."""
    await door.ask(TOM, "PUT", "/billing/people/z", PERSON)
    await coverage(door, "z", member_id="NM947194", relationship="child", subscriber=PERSON)
    estimate = {
        "patient": "Patient/z", "kind": "insured", "for_day": door.books.today().isoformat(),
        "diagnoses": ["S72.001A"], "lines": [{"code": "Q9471"}],
    }  # fmt: skip
    made = await door.done(BILL, "/billing/estimates", estimate)
    await door.ask(BILL, "GET", f"/billing/estimates/{made['estimate']}")
    charged = await coded(door, "z", "Q9471", diagnoses=["S72.001A", "I10"])
    await door.ask(BILL, "GET", f"/billing/visits/{charged['visit']}")
    await door.ask(
        BILL, "POST", f"/billing/visits/{charged['visit']}/code",
        {"diagnoses": ["S72.001A"], "lines": [{"code": "Q9471"}]},
    )  # fmt: skip
    refused = {**estimate, "diagnoses": ["S72.001A", "Plantedfamily"]}
    await door.ask(BILL, "POST", "/billing/estimates", refused)
    await door.ask(BILL, "PUT", "/billing/people/z", {**PERSON, "sex": "Plantedfamily"})
    await door.ask(BILL, "PUT", "/billing/payers/north", {**PAYER, "name": "North"})
    path = f"/billing/charges/{charged['charges'][0]['id']}/abort"
    await door.done(BILL, path, {"reason": "entered-in-error"})
    await door.ask(BILL, "GET", "/fhir/ChargeItem?subject=Patient/z&code=Q9471")
    await door.ask(BILL, "GET", "/billing/work")


async def test_no_word_of_it_is_readable(clinic: Door, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        await everything(clinic)
    tables = await clinic.sql(
        "SELECT table_name AS t FROM information_schema.tables"
        " WHERE table_schema = 'billing' AND table_type = 'BASE TABLE'"
    )
    seen = 0
    for table in (row["t"] for row in tables):
        words = WORDS if table in PRICE_TABLES else (*WORDS, "Q9471", "Plantedtitle")
        for row in await clinic.sql(f"SELECT t::text AS line FROM billing.{table} t"):
            seen += 1
            for word in words:
                assert word not in row["line"], (table, word)
                assert word.encode().hex() not in row["line"], (table, word)
    assert seen > 30
    logged = "\n".join(
        f"{record.getMessage()} {record.__dict__.get('fields', '')}"
        for record in caplog.records
        if not record.name.startswith("httpx")  # the test's own client says its addresses
    )
    for word in (*WORDS, "Q9471", "Plantedtitle"):
        assert word not in logged
    assert (await clinic.proof())["holds"]


async def test_the_price_list_itself_is_found_by_the_scan(clinic: Door):
    """Else the scan above would prove nothing."""
    rows = await clinic.sql("SELECT t::text AS line FROM billing.fee t")
    assert any("Plantedtitle" in row["line"] for row in rows)
