"""Accounting of disclosures: checked against a simulated truth, and refused where it must be."""

import random
import time
import uuid
from datetime import timedelta

import pytest

from polyclinic.foundation import clock
from polyclinic.services.audit.actions import disclosing
from polyclinic.services.audit.domain.disclosures import (
    ACCOUNTED,
    EXCLUDED,
    SUPPRESSING,
    NewDisclosure,
    Told,
    since_of,
)

PEOPLE = 20
AIM_SECONDS = 2.0
TOLD = {"recipient": "County health department", "what": "a positive test", "purpose": "reporting"}


async def simulated(house, count, seed, people=PEOPLE):
    """Writes labelled disclosures down; answers the truth: patient → series → days."""
    chance, today = random.Random(seed), clock.today()
    engine, truth, batch, held = house.running.state, {}, [], []
    series = {}
    for n in range(count):
        patient = f"Patient/s{seed}-{chance.randrange(people)}"
        day = today - timedelta(days=chance.randrange(365 * 8))
        basis = chance.choice(sorted(EXCLUDED | ACCOUNTED))
        repeats = basis in ACCOUNTED and chance.random() < 0.2
        name = None
        if repeats:
            key = (patient, basis, chance.randrange(3))
            name = series.setdefault(key, uuid.UUID(int=chance.getrandbits(128)))
        until = None
        if basis in SUPPRESSING and not repeats and chance.random() < 0.5:
            until = today + timedelta(days=chance.choice([-40, -1, 0, 20]))
        told = Told(f"Recipient {n}", f"{n} results", f"Request {n}", "1 Main Street")
        protocol = "Study 7" if basis == "research" else None
        batch.append(
            NewDisclosure(
                patient=patient, day=day, basis=basis, told=told, series=name, protocol=protocol
            )
        )
        held.append(until)
        if basis in ACCOUNTED and day >= since_of(today) and (until is None or until < today):
            lines = truth.setdefault(patient, {})
            lines.setdefault(name or n, []).append((day, n))
    made = []
    for start in range(0, count, 1000):
        async with engine.database.transaction() as tx:
            part = batch[start : start + 1000]
            made += await disclosing.write_down(engine, tx, "simulator", part)
    for name, until in zip(made, held, strict=True):
        if until is not None:
            await house.sql(
                "INSERT INTO audit.suppression (id, disclosure, until, statement, actor)"
                " VALUES (gen_random_uuid(), $1, $2, 'written', 'simulator')",
                name,
                until,
            )
    return truth


async def accounted(house, patient):
    answer = await house.send("POST", "/audit/accounting", {"patient": patient})
    assert answer.status_code == 200, answer.text
    return answer.json()["lines"]


async def agrees(house, truth, patients):
    for patient in patients:
        expected = sorted(
            (str(min(rows)[0]), len(rows), str(max(rows)[0]))
            for rows in truth.get(patient, {}).values()
        )
        told = await accounted(house, patient)
        found = sorted(
            (line["day"], *((line["series"]["count"], line["series"]["last"])
                            if line["series"] else (1, line["day"])))
            for line in told
        )  # fmt: skip
        assert found == expected, patient
        assert all(line["basis"] in ACCOUNTED and line["recipient"] for line in told)


async def test_the_accounting_is_the_simulated_truth(house):
    truth = await simulated(house, 1000, seed=1)
    await agrees(house, truth, [f"Patient/s1-{n}" for n in range(PEOPLE)])


@pytest.mark.long
async def test_the_accounting_of_ten_thousand_is_the_truth(house, record_property):
    truth = await simulated(house, 10_000, seed=2, people=4)
    began = time.monotonic()
    told = await accounted(house, "Patient/s2-0")
    took = time.monotonic() - began
    record_property("runs", 10_000)
    record_property("milliseconds for a patient's accounting", round(took * 1000))
    assert len(told) > 500
    assert took < 5 * AIM_SECONDS, took
    await agrees(house, truth, [f"Patient/s2-{n}" for n in range(4)])


def new(**more):
    today = clock.today().isoformat()
    return {"patient": "Patient/ada", "day": today, "basis": "public-health", "told": TOLD, **more}


async def test_one_is_written_down_told_and_kept_back(house):
    answer = await house.send("POST", "/audit/disclosures", new(basis="law-enforcement"))
    assert answer.status_code == 201, answer.text
    assert [line["recipient"] for line in await accounted(house, "Patient/ada")] == [
        TOLD["recipient"]
    ]
    path = f"/audit/disclosures/{answer.json()['disclosure']}/suppress"
    far = (clock.today() + timedelta(days=31)).isoformat()
    refused = await house.send("POST", path, {"until": far, "statement": "oral"})
    assert refused.status_code == 400
    assert "30 days" in refused.text
    held = await house.send("POST", path, {"until": far, "statement": "written"})
    assert held.status_code == 201, held.text
    assert await accounted(house, "Patient/ada") == []


@pytest.mark.parametrize(
    ("more", "place"),
    [({"patient": "ada"}, "patient"), ({"basis": "curiosity"}, "basis"),
     ({"made_by": "X"}, "made_by"),
     ({"day": "2999-01-01"}, "day"), ({"told": {**TOLD, "what": " "}}, "told"),
     ({"basis": "research"}, "protocol")],
)  # fmt: skip
async def test_what_is_missing_is_named(house, more, place):
    answer = await house.send("POST", "/audit/disclosures", new(**more))
    assert answer.status_code == 400, answer.text
    assert place in answer.text


async def test_patients_are_told_of_their_own_and_nobody_else_writes(house):
    token = await house.sign_in("cy.park", "patient", "Patient/cy", "Cy Park")
    await house.send("POST", "/audit/disclosures", new(patient="Patient/cy"))
    told = await house.send("POST", "/audit/accounting", {"patient": "Patient/ada"}, token)
    assert [line["what"] for line in told.json()["lines"]] == [TOLD["what"]], (
        "their own all the same"
    )
    assert (await house.send("POST", "/audit/disclosures", new(), token)).status_code == 403
    desk = await house.sign_in("front.desk", "front-desk", None, "Front Desk")
    assert (await house.send("POST", "/audit/accounting", {}, desk)).status_code == 403


async def test_who_received_what_is_sealed_and_every_row_is_in_the_tree(house):
    await house.send("POST", "/audit/disclosures", new(patient="Patient/di"))
    assert not await house.sql(
        "SELECT 1 FROM audit.disclosure WHERE position($1::bytea IN envelope) > 0", b"County"
    )
    await house.gathered()
    leaves = [e for e in await house.entries() if e["source"] == "audit.disclosures"]
    rows = await house.sql("SELECT 1 FROM audit.disclosure")
    assert len(leaves) == len(rows)
    with house.unwatched():
        await house.tamper("UPDATE audit.disclosure SET basis = 'treatment'")
        code, said = await house.verified()
    assert code == 1
    assert "BROKEN: audit.disclosures, row 1." in said
    assert "was changed: basis" in said
