"""The page of services shows what their own numbers say, and who does badly."""

import pytest
from portal_door import Door
from prometheus_client import generate_latest

from polyclinic.foundation.telemetry import Metrics
from polyclinic.services.portal.domain import watching


def looks(*steps):
    """Looks at a service of which `(requests, status, seconds)` come between two looks."""
    metrics = Metrics("records")
    metrics.watch_pool("requests", 5, lambda: 2, lambda: 0)
    seen = []
    for number, (count, status, seconds) in enumerate([(0, 200, 0.0), *steps]):
        for _ in range(count):
            metrics.answered("/fhir/{type}/{id}", "GET", status, seconds)
        metrics.answered("/records/health/ready", "GET", 503, 9.0)
        text = generate_latest(metrics.registry).decode()
        seen.append(watching.read(text, number * 15.0))
    return seen


def test_rates_errors_and_times_are_those_of_the_last_minutes():
    v = watching.vitals(looks((150, 200, 0.003), (300, 200, 0.003)))
    assert v.requests.now == "20.0"
    assert v.errors.now == "0.0%"
    assert 2.5 <= float(v.slow.now.removesuffix(" ms")) <= 5
    assert (v.pool_used, v.pool_limit, v.pool_width) == (2, 5, 40.0)
    assert v.trouble == ""


def test_who_looks_whether_it_is_well_is_not_counted():
    v = watching.vitals(looks((0, 200, 0.0), (0, 200, 0.0)))
    assert (v.requests.now, v.errors.now, v.slow.now) == ("0.0", "0.0%", "–")


def test_a_service_that_answers_with_errors_is_degraded():
    v = watching.vitals(looks((90, 200, 0.003), (10, 503, 0.003)))
    assert v.errors.now == "10.0%"
    assert v.trouble == "answers with errors"


def test_a_few_errors_of_hardly_any_requests_say_nothing():
    assert watching.vitals(looks((3, 200, 0.003), (2, 500, 0.003))).trouble == ""


def test_a_process_that_began_anew_is_no_negative_number():
    fell = [looks((500, 200, 0.003))[-1], looks((3, 200, 0.003))[-1]]
    fell[1].at = fell[0].at + 15
    assert watching.vitals(fell).requests.now == "0.0"


@pytest.mark.parametrize("count", [2, 5, watching.LOOKS_MAX])
def test_pictures_stay_within_their_frames(count):
    v = watching.vitals(looks(*[(n, 500, 3.0) for n in range(count - 1)]))
    for line in (v.requests, v.errors, v.middle, v.slow):
        for place in line.path.removeprefix("M").split(" L"):
            x, y = map(float, place.split())
            assert 0 <= x <= watching.WIDTH
            assert 0 <= y <= watching.HEIGHT


async def test_the_page_shows_pictures_after_two_looks_and_who_is_silent(portal_door: Door):
    portal_door.installs_appointments()
    admin = await portal_door.as_("administrator")
    await portal_door.portal.watch.look()
    assert "Pictures appear after two looks" in (await admin.get("/admin")).text
    await portal_door.portal.watch.look()
    page = (await admin.get("/admin")).text
    assert page.count('class="pulse"') == 4
    assert "Does not answer" in page
    assert "requests a second: now" in page


async def test_it_remembers_ten_minutes_and_forgets_who_fell_silent(portal_door: Door):
    watch = portal_door.portal.watch
    for _ in range(watching.LOOKS_MAX + 5):
        await watch.look()
    assert len(watch.looks["portal"]) == watching.LOOKS_MAX
    portal_door.running.peers.add_remote("portal", "http://127.0.0.1:9")
    await watch.look()
    assert watch.vitals("portal") is None
