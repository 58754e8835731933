"""Documents go out one by one: what cannot be told holds up nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from billing_door import BILL, Door, open_door
from claims_world import SETTINGS, coded, open_clinic, submitted

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.billing.actions.publishing import publish
from polyclinic.services.billing.gateways import documents as records


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **SETTINGS) as opened:
        await open_clinic(opened)
        yield opened


async def test_a_claim_that_does_not_open_holds_up_no_other(
    door: Door, monkeypatch: pytest.MonkeyPatch
):
    one, other = [await coded(door, ("Z1001", 10_000)) for _ in range(2)]
    await submitted(door, one, other)
    # Somebody with a hand in the database gives the one what is the other's: it does not open.
    await door.sql(
        "UPDATE billing.charge c SET sealed = o.sealed FROM billing.charge o"
        " WHERE c.patient = $1 AND o.patient = $2",
        one.patient,
        other.patient,
    )
    sent: list[str] = []

    async def keep(_: object, resource: dict[str, object]) -> None:
        sent.append(str(resource["id"]))

    monkeypatch.setattr(records, "is_there", lambda _: True)
    monkeypatch.setattr(records, "publish", keep)
    assert await publish(door.books) == 1
    assert sent == [str(other.claim)]
    shown = await door.ask(BILL, "GET", f"/billing/claims/{one.claim}")
    assert shown.status_code == 500
    assert "Z1001" not in shown.text
    rows = await door.sql("SELECT tries FROM billing.publication WHERE told < version")
    assert [row["tries"] for row in rows] == [1]


async def test_records_that_does_not_answer_is_asked_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
):
    visit, asked = await coded(door, ("Z1001", 10_000)), []
    await submitted(door, visit)

    async def gone(*_: object) -> None:
        asked.append(1)
        raise Unavailable

    monkeypatch.setattr(records, "is_there", lambda _: True)
    monkeypatch.setattr(records, "publish", gone)
    assert await publish(door.books) == 0
    rows = await door.sql(
        "SELECT tries, told FROM billing.publication WHERE claim = $1", visit.claim
    )
    assert [tuple(row) for row in rows] == [(1, 0)]
