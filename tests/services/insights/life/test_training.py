"""Learning from the clinic's own events: beside the platform, without a way out, or refused."""

import importlib.util
import json
import random
import subprocess
import sys
from datetime import timedelta

import msgspec
import pytest
from events_made import day
from insights_house import House

from polyclinic.services.insights.domain import models
from polyclinic.services.insights.domain.tasks import teaching
from polyclinic.services.insights.domain.tasks.teaching import Learnt, Lesson, Said

INSTALLED = all(
    importlib.util.find_spec(name) for name in ("sklearn", "interpret", "lightgbm")
) and importlib.util.find_spec("polyclinic.services.insights.domain.learning")


def discharges(count, seed=1):
    """People who come back the more often the lower their haemoglobin is."""
    chance, found = random.Random(seed), []
    for subject in range(count):

        def said(at, code, value=None, unit="", subject=subject):
            found.append(Said(subject, at, at, code, value, unit))

        home = day(chance.randrange(700))
        said(home - timedelta(days=365 * 60), "MEDS_BIRTH")
        said(home - timedelta(days=365 * 60), f"SEX//{chance.choice(('female', 'male'))}")
        blood = chance.gauss(12, 2)
        said(home - timedelta(days=2), "LOINC//718-7", blood, "g/dL")
        said(home - timedelta(days=4), "STAY//IMP//START")
        said(home, "STAY//IMP//END", 4.0, "d")
        if chance.random() < (0.5 if blood < 11 else 0.08):
            said(home + timedelta(days=chance.randrange(1, 29)), "STAY//IMP//START")
        said(home + timedelta(days=90), "STAY//AMB//START")
    return found


def learn(events):
    lesson = Lesson("readmission-30d", "own", "1", events)
    return msgspec.json.decode(teaching.taught(msgspec.json.encode(lesson)), type=Learnt)


def test_too_little_is_refused_with_what_is_needed():
    learnt = learn(discharges(60))
    assert not learnt.model
    assert learnt.refused.startswith("60 questions with")
    assert "500" in learnt.refused
    assert learn([]).refused.startswith("0 questions")


@pytest.mark.skipif(bool(INSTALLED), reason="the extra `insights` is installed")
def test_without_the_extra_it_is_refused_and_said_which():
    assert "polyclinic[insights]" in learn(discharges(900)).refused


@pytest.mark.skipif(not INSTALLED, reason="the extra `insights` is not installed")
def test_what_is_learned_is_a_plain_model_that_finds_what_was_put_in():
    learnt = learn(discharges(1500))
    assert not learnt.refused
    model = models.load(learnt.model.encode())
    row = dict.fromkeys(model.columns)
    low = models.predict(model, {**row, "haemoglobin.last": 9.0}).probability
    high = models.predict(model, {**row, "haemoglobin.last": 14.0}).probability
    assert low > 0.3 > 0.2 > high
    assert 0 < learnt.threshold < 1
    assert "Brier score" in learnt.record["validity_internal"]


def test_the_process_that_learns_reaches_nobody():
    program = (
        "import socket, subprocess\n"
        "from polyclinic.services.insights.domain.tasks import teaching\n"
        "teaching.work()\n"
        "for way in (lambda: socket.create_connection(('127.0.0.1', 9), 1),\n"
        "            lambda: socket.getaddrinfo('localhost', 80),\n"
        "            lambda: subprocess.run(['true'])):\n"
        "    try:\n"
        "        way()\n"
        "    except PermissionError as refused:\n"
        "        print(refused)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["Learning has no way out."] * 3


async def test_at_the_door_it_is_refused_for_who_may_not_and_for_what_is_not(quiet: House):
    ops = await quiet.person("administrator", "Practitioner/ops", "")
    body = {"task": "readmission-30d", "model": "own", "version": "1"}
    answer = await quiet.send("POST", "/insights/models/training", body, token=ops)
    assert answer.status_code == 422, answer.text
    assert "0 questions with 0 outcomes are too few" in json.dumps(answer.json())
    answer = await quiet.send(
        "POST", "/insights/models/training", {**body, "task": "../../etc/passwd"}, token=ops
    )
    assert answer.status_code == 400
    clinician = await quiet.clinician("cleo")
    answer = await quiet.send("POST", "/insights/models/training", body, token=clinician)
    assert answer.status_code == 403
