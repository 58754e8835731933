"""The isolation experiment's parts, each small: weights, loops, the open loop, and the drawing."""

import os
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from bench.figure import drawing
from bench.isolation_table import ARMS, Plan, Step, draw, errors, markdown
from bench.shares import LESS, MORE, Shares

CGROUP = Path("/sys/fs/cgroup")
RECORDS = {"sent": 100, "good": 100, "p50": 2.0}


def steps():
    found = []
    for arm in ARMS:
        for level in (0, 4):
            p99 = 10 + level * (5 if arm == ARMS[0] else 2)
            bookings = {"good": 90, "seconds": 1} if level and arm != ARMS[3] else None
            found.append(Step(arm, level, 0, {**RECORDS, "p99": p99}, bookings, 0.5))
    return found


def test_the_table_says_what_a_rush_did_to_records_and_whether_the_aims_are_met():
    capacity = {arm: {"records": 1000.0, "bookings": 100.0} for arm in ARMS}
    text = markdown(steps(), Plan(levels=(0, 4)), "nice values, 0 and 10", capacity)
    assert "| one process | 10.0 | 30.0 | 0.50 | 0 |" in text
    assert "answered bookings, of what they can do: 90%" in text
    assert "p99 1.80 of alone (aim ≤ 2), 1.00 of the control (aim ≤ 1.3), 0 errors" in text
    assert text.endswith("met: yes")


def test_an_answer_that_was_not_wanted_is_an_error():
    found = steps()
    found[-4].records["good"] = 97
    assert errors(found, found[-4].arm) == 3
    assert errors(found, ARMS[0]) == 0


def test_the_drawing_is_one_picture_for_light_and_dark_whose_text_says_the_same():
    picture = draw(steps(), Plan(levels=(0, 4)))
    root = ElementTree.fromstring(picture)
    space = "{http://www.w3.org/2000/svg}"
    words = " ".join(each.text or "" for each in root.iter(f"{space}text"))
    assert all(arm in words for arm in ARMS)
    about = root.find(f"{space}desc")
    assert about is not None
    assert "one process: 0 times 10 ms, 4 times 30 ms" in (about.text or "")
    assert "prefers-color-scheme:dark" in picture


def test_a_single_load_can_be_drawn():
    assert "<svg" in drawing({"one": [(0, 5.0)]}, "title", "about", "foot")


def test_weights_are_real_or_nice_values_and_leave_nothing_behind():
    shares = Shares()
    words = [sys.executable, "-c", "import time; time.sleep(60)"]
    sleeping = [psutil.Popen(words) for _ in (MORE, LESS)]
    try:
        for weight, process in zip((MORE, LESS), sleeping, strict=True):
            shares.give(weight, [process.pid])
        if shares.way == "nice values":
            assert [process.nice() for process in sleeping] == [0, 10]
        else:
            for weight, process in zip((MORE, LESS), sleeping, strict=True):
                group = Path(f"/proc/{process.pid}/cgroup").read_text()
                assert f"polyclinic-bench-{os.getpid()}-{weight}\n" in group
    finally:
        for process in sleeping:
            process.kill()
            process.wait()
        shares.close()
    left = [root / f"polyclinic-bench-{os.getpid()}-{MORE}" for root in (CGROUP, CGROUP / "cpu")]
    assert not any(each.exists() for each in left)


@pytest.mark.parametrize("cores", [0.2])
def test_a_loop_uses_no_more_of_the_processor_than_it_is_told(cores: float):
    hog = psutil.Popen([sys.executable, "-m", "bench.hog", str(cores)])
    try:
        until = time.monotonic() + 30
        while not hog.children() and time.monotonic() < until:
            time.sleep(0.02)
        [child] = hog.children()
        began, before = time.monotonic(), child.cpu_times()
        time.sleep(2)
        after = child.cpu_times()
        used = after.user + after.system - before.user - before.system
        assert 0 < used <= (time.monotonic() - began) * cores + 0.1
    finally:
        for each in (*hog.children(), hog):
            each.kill()
        hog.wait()
