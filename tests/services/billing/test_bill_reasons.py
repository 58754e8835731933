"""A patient's bill says by which of the insurer's reasons each line came about."""

from typing import Any

from billing_door import BILL, Door, open_door, patient
from claims_world import SETTINGS, came, coded, open_clinic, replies, submitted


async def _owed(door: Door, who: str) -> dict[str, Any]:
    answer = await door.ask(patient(who), "GET", "/billing/owed")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_line_has_the_reasons_of_its_own_decision_and_they_add_up(
    postgres_url, key_file
):
    async with open_door(postgres_url, key_file, **SETTINGS) as door:
        await open_clinic(door)
        mine = await coded(door, ("Z1001", 12_500), ("Z2001", 1_800))
        theirs = await coded(door, ("Z1002", 19_000))
        for content in replies(await submitted(door, mine, theirs)).values():
            assert (await came(door, content)).is_success
        who = mine.patient.partition("/")[2]
        owed = await _owed(door, who)
        assert [line["code"] for line in owed["lines"]] == ["Z1001", "Z2001"]
        for line in owed["lines"]:
            shares = [w["amount"] for w in line["why"] if w["group"] == "PR"]
            reductions = [w["amount"] for w in line["why"] if w["group"] != "PR"]
            assert line["share"]
            assert sum(shares) == line["share"]
            assert sum(reductions) == line["contract"]
        body = {"patient": mine.patient}
        made = (await door.done(BILL, "/billing/statements", body))["statement"]
        bill = (await door.ask(patient(who), "GET", f"/billing/statements/{made}")).json()
        assert [line["why"] for line in bill["lines"]] == [line["why"] for line in owed["lines"]]
        assert (await door.proof())["holds"]


async def test_a_line_that_no_insurer_decided_has_no_reasons(postgres_url, key_file):
    async with open_door(postgres_url, key_file, **SETTINGS) as door:
        await open_clinic(door)
        mine = await coded(door, ("Z1001", 12_500))
        owed = await _owed(door, mine.patient.partition("/")[2])
        assert [line["why"] for line in owed["lines"]] == [[]]
        assert owed["lines"][0]["waiting"] == 12_500
        assert (await door.proof())["holds"]
