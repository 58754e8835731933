"""An answer to a former file of a claim is heard, and moves nothing that went out since."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from billing_door import BILL, Door, open_door
from claims_world import RULES, SETTINGS, came, claim, coded, open_clinic, replies, submitted

from polyclinic.foundation import clock
from polyclinic.standards.x12.acknowledge import (
    Acknowledgments,
    GroupAcknowledgment,
    write_acknowledgments,
)
from polyclinic.standards.x12.envelope import Envelope, Party


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **SETTINGS) as opened:
        await open_clinic(opened)
        yield opened


async def sent_twice(door: Door) -> tuple[Any, list[Any], bytes]:
    """A claim that the payer sent back once, corrected and sent anew; its files, and a refusal."""
    visit = await coded(door, ("Z1001", 15_000), member="UNKNOWN1")
    refusal = replies(await submitted(door, visit))["277CA"]
    assert (await came(door, refusal)).json()["rejected"] == 1
    assert (await claim(door, visit))["status"] == "rejected"
    await door.done(BILL, f"/billing/claims/{visit.claim}/correction", {})
    await submitted(door, visit)
    files = await door.sql(
        "SELECT f.id, f.control FROM billing.x12_file f JOIN billing.x12_file_claim c"
        " ON c.file = f.id WHERE c.claim = $1 AND f.direction = 'out' ORDER BY f.made",
        visit.claim,
    )
    return visit, files, refusal.replace(b"*P*:~", b"*T*:~", 1)  # the same as other bytes


def reference(file: UUID) -> bytes:
    return file.hex[:30].encode()


async def test_a_late_report_of_a_former_file_does_not_send_the_newer_one_back(door: Door):
    visit, _, late = await sent_twice(door)
    answer = await came(door, late)
    assert (answer.status_code, answer.json()["rejected"]) == (201, 0), answer.text
    assert (await claim(door, visit))["status"] == "submitted"


async def test_a_report_of_the_newer_file_and_one_by_the_payers_own_number_do(door: Door):
    for name in (None, b"THEIRS-1"):
        visit, (first, second), late = await sent_twice(door)
        named = late.replace(reference(first["id"]), name or reference(second["id"]))
        assert named != late
        assert (await came(door, named)).json()["rejected"] == 1
        assert (await claim(door, visit))["status"] == "rejected"


async def test_a_late_refusal_of_a_former_file_as_a_whole_does_not_either(door: Door):
    visit, files, _ = await sent_twice(door)
    for file, rejected in zip(files, (0, 1), strict=True):
        envelope = Envelope(Party(RULES.id), Party("POLYCLINIC"), clock.now(), 77, 77)
        number = str(int(file["control"]))
        group = GroupAcknowledgment("HC", number, "005010X222A1", "R", 1, 1, 0)
        answer = await came(door, write_acknowledgments(envelope, Acknowledgments((), (group,))))
        assert (answer.status_code, answer.json()["rejected"]) == (201, rejected), answer.text
    assert (await claim(door, visit))["status"] == "rejected"


@pytest.mark.parametrize(("verb", "reason"), [("to-patient", "CO-50"), ("write-off", "courtesy")])
async def test_while_the_payer_decides_nobody_else_does(door: Door, verb: str, reason: str):
    visit = await coded(door, ("Z1001", 15_000))
    answers = replies(await submitted(door, visit))
    path = f"/billing/claims/{visit.claim}/{verb}"
    for kind in ("999", "277CA"):
        refused = await door.ask(BILL, "POST", path, {"reason": reason})
        assert (refused.status_code, refused.json()["place"]) == (409, "status")
        await came(door, answers[kind])
    refused = await door.ask(BILL, "POST", path, {"reason": reason})
    assert (refused.status_code, refused.json()["place"]) == (409, "status")
    await came(door, answers["835"])
    open_with_payer = (await claim(door, visit))["open"]
    done = await door.ask(BILL, "POST", path, {"reason": reason})
    assert done.status_code == (200 if open_with_payer else 409)
