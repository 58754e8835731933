"""Random money against a simple model: no unbalanced ledger, no double charge, no lost payment."""

import asyncio
from collections import Counter

import pytest
from billing_door import open_door
from cards_at_work import cards_at_work
from claims_world import SETTINGS
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from money_world import Clinic
from random_money import RandomMoney

from polyclinic.foundation import clock

STEPS = 40
# What a run must have done, or it proved nothing of it.
ALWAYS = {"visit", "claim sent", "file", "card page", "cash back", "day closed"}
SOMETIMES = ALWAYS | {
    "file again", "refund 201", "charge taken back", "to-patient", "answer lost", "coded again",
    "broken file", "write-off", "statement", "entry reversed", "appeal",
    "correction", "dispute", "dispute won", "dispute lost", "card 4242424242424242",
    "card 4000002500003155", "card 4000000000000002", "card 000123456789", "card 000111111116",
    "card 4000000000007726", "card 4000000000005126",
}  # fmt: skip


async def driven(postgres_url, key_file, monkeypatch, worlds: int, seed: int) -> Clinic:
    """Drives so many random clinics on one database; answers what saw it happen."""
    with cards_at_work("--settle-seconds", "30") as cards:
        async with open_door(postgres_url, key_file, **SETTINGS, **cards.settings) as door:
            clinic = Clinic(door, cards, asyncio.get_running_loop())
            await clinic.open()
            chosen = settings(
                max_examples=worlds, stateful_step_count=STEPS, deadline=None, database=None,
                phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
                derandomize=True,
            )  # fmt: skip
            # What is derandomized follows from the name: each seed is a run of its own.
            kind = type(f"RandomMoney{seed}", (RandomMoney,), {"clinic": clinic})
            with monkeypatch.context() as patched:
                patched.setattr(clock, "now", clinic.now)
                await asyncio.to_thread(run_state_machine_as_test, kind, settings=chosen)
            await clinic.close()
    return clinic


async def test_random_money_agrees_with_a_simple_model(postgres_url, key_file, monkeypatch):
    """Ten worlds; ten thousand steps are in the long run."""
    did = (await driven(postgres_url, key_file, monkeypatch, worlds=10, seed=0)).did
    assert did.keys() >= ALWAYS, ALWAYS - did.keys()


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_ten_thousand_steps_of_random_money_agree_with_a_simple_model(
    postgres_url, key_file, monkeypatch, record_property
):
    did, steps, seed = Counter[str](), 0, 0
    while steps < 10_000:
        seed += 1
        clinic = await driven(postgres_url, key_file, monkeypatch, worlds=25, seed=seed)
        did, steps = did + clinic.did, steps + clinic.steps
    assert did.keys() >= SOMETIMES, SOMETIMES - did.keys()
    record_property("worlds", 25 * seed)
    record_property("steps", steps)
    record_property("money events", sum(did.values()))
