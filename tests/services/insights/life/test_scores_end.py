"""A score ends by itself once a value in it is too old, or what it foretells is over."""

from datetime import timedelta
from types import SimpleNamespace

import msgspec
from clinic_made import encounter, lab, model
from insights_house import until
from people import creatinine, patient

from polyclinic.foundation import clock
from polyclinic.services.insights.actions import assessing, following, modelling, working
from polyclinic.services.insights.domain.calculators import Chart, answer, registry
from polyclinic.services.insights.domain.expiring import AGAIN, expiry

EGFR = "ckd-epi-2021"


def aged(who, days, **more):
    at = (clock.now() - timedelta(days=days)).isoformat(timespec="seconds")
    return creatinine(who, 2.4, name=f"{who}-creatinine", effectiveDateTime=at, **more)


async def said(house, who, method):
    found = await house.found(f"RiskAssessment?patient={who}")
    return next((e for e in found if e["identifier"][0]["value"] == method), None)


async def pass_time(house, monkeypatch, modules, **more):
    later = SimpleNamespace(now=lambda: clock.now() + timedelta(**more))
    for module in modules:
        monkeypatch.setattr(module, "clock", later)
    await working.ask_what_is_due(house.running.state)


async def test_a_score_is_taken_back_when_its_result_is_too_old(house, monkeypatch):
    limit = next(e.look_back_days for e in registry()[EGFR].inputs if e.name == "creatinine")
    await house.put(patient("old"))
    await house.put(aged("old", limit - 2))
    made = await until(lambda: said(house, "old", EGFR))
    assert made["status"] == "final"
    await house.rested()
    name = "Observation/old-creatinine"
    [due] = await house.sql("SELECT * FROM insights.due WHERE name = $1", name)
    assert timedelta(days=1) < due["at"] - clock.now() < timedelta(days=3)
    assert "Patient" not in str(await house.sql("SELECT name FROM insights.due"))
    await pass_time(house, monkeypatch, (assessing, working), days=3)

    async def over():
        return (await said(house, "old", EGFR))["status"] == "cancelled"

    assert await until(over)
    await house.rested()  # the worklist hears of it a moment after the chart
    [row] = await house.sql(
        "SELECT ended FROM insights.assessment WHERE id = $1::text::uuid", made["id"]
    )
    assert row["ended"] is not None


async def test_what_a_model_foretold_ends_with_its_horizon(house, monkeypatch):
    draft = modelling.Draft(msgspec.Raw(model("1")), {"title": "Readmission"}, 0.11, "lace")
    engine, now = house.running.state, clock.now()
    async with engine.database.transaction() as tx:
        await modelling.add(engine, tx, draft, "ada")
    await house.sql("UPDATE insights.model SET state = 'champion' WHERE model = 'readmission'")
    await house.put(patient("eda", "1950-02-03"))
    await house.put(lab("eda", "2345-7", 200.0, "mg/dL", now - timedelta(days=2)))
    await house.put(encounter("eda", 1, now - timedelta(days=5), now - timedelta(days=1)))
    made = await until(lambda: said(house, "eda", "readmission"))
    assert made["status"] == "final"
    await house.rested()
    await pass_time(house, monkeypatch, (assessing, following, working), days=31)

    async def over():
        return (await said(house, "eda", "readmission"))["status"] == "cancelled"

    assert await until(over)


def ends(result, now):
    calculator = registry()[EGFR]
    chart = Chart.of(patient("ben"), [result])
    return expiry(calculator, answer(calculator, chart, now), now)


def test_the_first_value_that_becomes_too_old_is_the_one_that_is_looked_at_again():
    now = clock.now()
    name, version, at = ends(aged("ben", 10, meta={"versionId": "3"}), now)
    assert (name, version) == ("Observation/ben-creatinine", 3)
    limit = next(e.look_back_days for e in registry()[EGFR].inputs if e.name == "creatinine")
    assert abs(at - (now + timedelta(days=limit - 10))) < timedelta(minutes=1)
    calculator = registry()[EGFR]
    scored = answer(calculator, Chart.of(patient("ben"), [aged("ben", 10)]), now)
    much_later = now + timedelta(days=9999)
    assert expiry(calculator, scored, much_later)[2] == much_later + AGAIN, "never at once again"
