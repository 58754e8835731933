"""A worker may die anywhere: what it did stands once, what it left is done by the next one."""

import asyncio
import random

import pytest
from insights_house import open_house, until
from people import creatinine, lab, patient

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.insights.actions import assessing
from polyclinic.services.insights.actions.working import Worker
from polyclinic.services.insights.store import work


@pytest.fixture
async def house(postgres_url, key_file):
    environ = {
        "POLYCLINIC_INSIGHTS_WORKERS": "0",
        # A busy machine needs some seconds for a few charts; tests end leases themselves.
        "POLYCLINIC_INSIGHTS_LEASE_SECONDS": "30",
        "POLYCLINIC_INSIGHTS_TRIES": "3",
        "POLYCLINIC_INSIGHTS_RETRY_FIRST_SECONDS": "0.01",
    }
    async with open_house(postgres_url, key_file, **environ) as opened:
        yield opened


async def noted(house, *names):
    async def there():
        rows = await house.sql("SELECT name FROM insights.work")
        return set(names) <= {row["name"] for row in rows}

    assert await until(there)


async def worked_off(house):
    """What is put off for a moment is taken again, until nothing is left."""
    worker = Worker(house.running.state)

    async def done():
        await worker.turn()
        return not await house.sql("SELECT FROM insights.work")

    assert await until(done)


async def test_a_worker_that_is_killed_again_and_again_leaves_each_score_once(house, monkeypatch):
    async def left_behind(*_):
        """A process that is killed gives nothing back."""

    monkeypatch.setattr(work, "release", left_behind)
    people = [f"kim{number}" for number in range(4)]
    for who in people:
        await house.put(patient(who))
        await house.put(creatinine(who, 2.5, name=f"{who}-creatinine"))
    await noted(house, *(f"Observation/{who}-creatinine" for who in people))
    chance, killed = random.Random(7), 0
    for _ in range(12):
        task = asyncio.create_task(Worker(house.running.state).turn())
        await asyncio.sleep(chance.uniform(0.0, 0.06))
        killed += task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await house.sql("UPDATE insights.work SET leased_until = now() - interval '1 second'")
    assert killed > 3
    await worked_off(house)
    for who in people:
        found = await house.found(f"RiskAssessment?patient={who}")
        assert found
        assert {each["meta"]["versionId"] for each in found} == {"1"}, who
    rows = await house.sql("SELECT DISTINCT subject FROM insights.assessment WHERE ended IS NULL")
    assert len(rows) == len(people)


async def test_two_workers_at_one_chart_agree(house):
    await house.put(patient("lou"))
    await house.put(creatinine("lou", 2.5, name="lou-creatinine"))
    task = assessing.Task("Patient/lou", (await house.get("/fhir/Patient/lou"),))
    await asyncio.gather(*(assessing.assess(house.running.state, task) for _ in range(3)))
    found = await house.found("RiskAssessment?patient=lou")
    assert found
    assert len({each["id"] for each in found}) == len(found)


async def test_a_chart_that_cannot_be_scored_is_parked_and_holds_up_nobody(house, monkeypatch):
    answer = assessing.answer

    def poisoned(calculator, chart, at):
        if chart.patient["id"] == "poison":
            raise ZeroDivisionError("born 1966-03-01, creatinine 2.5")
        return answer(calculator, chart, at)

    monkeypatch.setattr(assessing, "answer", poisoned)
    for who in ("poison", "well"):
        await house.put(patient(who))
        await house.put(creatinine(who, 2.5, name=f"{who}-creatinine"))
    await noted(house, "Observation/poison-creatinine", "Observation/well-creatinine")
    worker = Worker(house.running.state)
    for _ in range(20):
        await worker.turn()
        await asyncio.sleep(0.02)
    assert await house.found("RiskAssessment?patient=well")
    assert await house.found("RiskAssessment?patient=poison") == []
    told = await house.get("/insights/waiting")
    assert {each["name"] for each in told["items"]} >= {"Observation/poison-creatinine"}
    assert {each["reason"] for each in told["items"]} == {"NotAllScored"}
    assert told["waiting"] == 0
    monkeypatch.setattr(assessing, "answer", answer)
    for each in told["items"]:
        again = await house.send("POST", "/insights/waiting/again", {"name": each["name"]})
        assert again.status_code == 200
    await worked_off(house)
    assert await house.found("RiskAssessment?patient=poison")


async def test_an_outage_of_records_parks_nothing(house, monkeypatch):
    await house.put(patient("max"))
    await house.put(creatinine("max", 2.5, name="max-creatinine"))
    await noted(house, "Observation/max-creatinine")

    async def away(*_, **__):
        raise Unavailable(place="records")

    worker = Worker(house.running.state)
    send = house.running.peers.send
    monkeypatch.setattr(house.running.peers, "send", away)
    for _ in range(6):
        await worker.turn()
        await asyncio.sleep(0.03)
    monkeypatch.setattr(house.running.peers, "send", send)
    rows = await house.sql("SELECT tries, parked FROM insights.work")
    assert rows
    assert all(row["parked"] is None and row["tries"] == 0 for row in rows)
    await worked_off(house)
    assert await house.found("RiskAssessment?patient=max")


async def test_what_concerns_nobody_is_simply_done(house):
    group = lab("nobody", "2160-0", 1.0, "mg/dL", name="of-a-device")
    group["subject"] = {"display": "a control sample"}
    await house.put(group)
    await noted(house, "Observation/of-a-device")
    await worked_off(house)
