"""Learning from the clinic's own events: beside the platform, without a way out, or refused."""

import importlib.util
import random
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
from events_made import day
from insights_house import House

from polyclinic.services.insights.actions.learning import Teacher
from polyclinic.services.insights.domain import models
from polyclinic.services.insights.domain.life.measures import Seen
from polyclinic.services.insights.domain.tasks import teaching
from polyclinic.services.insights.domain.tasks.membership import attacked, halves
from polyclinic.services.insights.domain.tasks.teaching import Lesson, Said
from polyclinic.services.insights.store import lessons

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
    *before, last = teaching.steps(Lesson("readmission-30d", "own", "1", events))
    assert [each.percent for each in before] == sorted(each.percent for each in before)
    assert all(each.words for each in before)
    assert last.learnt is not None
    return last.learnt


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
    assert learnt.membership is not None
    assert 0.45 < learnt.membership < 0.55, "few numbers of many people: it remembers nobody"


def test_an_attack_finds_a_model_that_learned_its_people_by_heart():
    by_heart = [Seen(0.98 if n % 3 == 0 else 0.02, int(n % 3 == 0)) for n in range(300)]
    others = [Seen(0.3, int(n % 3 == 0)) for n in range(300)]
    assert attacked(by_heart, others) > 0.95
    assert attacked(others, others) == pytest.approx(0.5)
    assert attacked([], others) is None
    one, other = halves([n // 3 for n in range(300)], 1)
    assert len(one) + len(other) == 300
    assert not {n // 3 for n in one} & {n // 3 for n in other}, "nobody is in both"


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


TRAINING = "/insights/models/training"
ASKED = {"task": "readmission-30d", "model": "own", "version": "1"}


async def test_at_the_door_it_is_refused_for_who_may_not_and_for_what_is_not(quiet: House):
    ops = await quiet.person("administrator", "Practitioner/ops", "")
    for wrong in ({"task": "../../etc/passwd"}, {"model": "a b"}, {"fallback": "nothing"}):
        answer = await quiet.send("POST", TRAINING, {**ASKED, **wrong}, token=ops)
        assert answer.status_code == 400, wrong
        assert answer.json()["place"] == next(iter(wrong))
    clinician = await quiet.clinician("cleo")
    answer = await quiet.send("POST", TRAINING, ASKED, token=clinician)
    assert answer.status_code == 403
    assert await quiet.sql("SELECT * FROM insights.lesson") == []


async def test_it_is_taken_up_at_once_and_can_be_followed_to_its_end(quiet: House):
    ops = await quiet.person("administrator", "Practitioner/ops", "")
    answer = await quiet.send("POST", TRAINING, ASKED, token=ops)
    assert answer.status_code == 202, answer.text
    place = answer.headers["location"]
    assert (await quiet.get(place, token=ops))["state"] == "waiting"
    again = await quiet.send("POST", TRAINING, ASKED, token=ops)
    assert again.status_code == 409, "one at a time of a version"
    assert await Teacher(quiet.running.state).turn()
    found = await quiet.get(place, token=ops)
    assert found["state"] == "refused"
    assert found["words"].startswith("0 questions with 0 outcomes are too few")
    assert found["ended"]
    [listed] = (await quiet.get("/insights/models", token=ops))["trainings"]
    assert listed["training"] == found["training"]
    assert not await Teacher(quiet.running.state).turn(), "nothing is left to do"


async def test_what_a_process_left_when_it_died_is_begun_anew_but_not_for_ever(quiet: House):
    ops = await quiet.person("administrator", "Practitioner/ops", "")
    engine = quiet.running.state
    answer = await quiet.send("POST", TRAINING, {**ASKED, "version": "2"}, token=ops)
    place = answer.headers["location"]
    died = await lessons.claim(engine.database, uuid4(), 60)
    assert died is not None
    assert not await Teacher(engine).turn(), "somebody is at it"
    await quiet.sql("UPDATE insights.lesson SET leased_until = now() WHERE ended IS NULL")
    assert await Teacher(engine).turn()
    assert (await quiet.get(place, token=ops))["state"] == "refused"
    answer = await quiet.send("POST", TRAINING, {**ASKED, "version": "3"}, token=ops)
    await quiet.sql("UPDATE insights.lesson SET tries = 3 WHERE ended IS NULL")
    assert await Teacher(engine).turn()
    found = await quiet.get(answer.headers["location"], token=ops)
    assert "several times" in found["words"]
