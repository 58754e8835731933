"""Which side a unit lands on, and that it stays there."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from polyclinic.services.migration.domain.adapting import shaped
from polyclinic.services.migration.domain.ladder import (
    LADDER,
    Standing,
    next_percent,
    reasons_to_wait,
)
from polyclinic.services.migration.domain.routing import (
    Asked,
    Asker,
    Route,
    RouteRule,
    Table,
    bucket,
    choose,
    find,
    needs_body,
    writer,
)

KEY = b"k" * 32
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LIST = Route(name="list", method="GET", path="/patients")
ONE = Route(name="one", method="GET", path="/patients/{patient}", unit=("path:patient",))
RECENT = Route(name="recent", method="GET", path="/patients/recent")
WRITE = Route(name="write", method="POST", path="/patients/{patient}/notes")


def rule(mode="canary", percent=5, **more):
    return RouteRule(capability="patients", routes=(LIST, ONE, RECENT, WRITE), mode=mode,
                     percent=percent, **more)  # fmt: skip


def side(at, unit, **more):
    return choose(at, Asker(bucket(KEY, at.salt, unit.encode()), **more))


def test_a_hundred_thousand_requests_never_flip_a_patient_while_the_percentage_rises():
    chance = random.Random(5)
    patients = [f"patient-{n}" for n in range(2000)]
    reached: dict[str, str] = {}
    flips = requests = 0
    for percent in (1, 5, 25, 50, 100):
        at = rule(percent=percent)
        for _ in range(20_000):
            patient = chance.choice(patients)
            now = side(at, patient)
            before = reached.get(patient)
            # On one step never; from one step to the next only forward.
            flips += before == "candidate" and now == "legacy"
            reached[patient] = now
            flips += side(rule(percent=percent), patient) != now
            requests += 1
    assert (requests, flips) == (100_000, 0)


def test_a_percentage_is_that_share_of_the_patients():
    for percent in (1, 5, 25, 50):
        on_it = sum(side(rule(percent=percent), f"p{n}") == "candidate" for n in range(20_000))
        assert abs(on_it / 20_000 - percent / 100) < 0.01
    assert side(rule(percent=100), "p") == "candidate"
    assert side(rule(percent=0), "p") == "legacy"


def test_each_capability_deals_its_patients_anew():
    other = RouteRule(capability="billing", routes=(), mode="canary", percent=5)
    both = sum(side(rule(), f"p{n}") == side(other, f"p{n}") == "candidate" for n in range(20_000))
    assert both < 150, "5 % of 5 %, not the same 5 %"


def test_what_a_visit_was_promised_holds_while_the_percentage_rises():
    assert side(rule(percent=100), "p", promised="legacy") == "legacy"
    assert side(rule(percent=0), "p", promised="candidate") == "candidate"
    assert side(rule("shadow", 100), "p", promised="candidate") == "legacy", "sent back"


def test_off_and_shadow_answer_from_legacy_and_live_from_the_candidate():
    for mode, expected in (("off", "legacy"), ("shadow", "legacy"), ("live", "candidate")):
        assert choose(rule(mode, 100), Asker(1)) == expected


def test_who_opted_in_is_first_and_who_has_no_name_is_last():
    assert choose(rule(percent=0), Asker(9000, member=True)) == "candidate"
    assert choose(rule(percent=50), Asker(None)) == "legacy"
    assert choose(rule(percent=100, unit="cohort"), Asker(1)) == "legacy"
    assert choose(rule(percent=0, unit="cohort"), Asker(1, member=True)) == "candidate"


def test_a_change_has_one_writer():
    assert writer(rule(), "candidate") == "legacy"
    assert writer(rule(writer="side"), "candidate") == "candidate"
    assert writer(rule("live"), "candidate") == "candidate"
    assert writer(rule("shadow"), "legacy") == "legacy"


def test_a_request_finds_its_route_the_most_literal_one_first():
    table = Table([rule()])
    assert table.match("GET", "/patients/recent").route is RECENT
    found = table.match("HEAD", "/patients/17")
    assert (found.route, found.path) == (ONE, {"patient": "17"})
    assert table.match("GET", "/patients/17/notes") is None
    assert table.match("POST", "/patients/17/notes").route is WRITE
    assert table.match("DELETE", "/patients") is None


@pytest.mark.parametrize(
    "path", ["/x/1/", "//x//1", "/x/./1", "/y/../x/1", "/x/%31", "/%78/1", "/x/%2e%2e/x/1"]
)
def test_another_spelling_of_an_address_is_no_way_around_its_rule(path):
    rule = RouteRule(capability="x", routes=(Route(name="x", method="POST", path="/x/{id}"),))
    found = Table([rule]).match("POST", path)
    assert found is not None
    assert found.path == {"id": "1"}


def test_a_slash_within_a_step_parts_no_address():
    routes = (
        Route(name="x", method="POST", path="/x/{id}"),
        Route(name="list", method="GET", path="/x/"),
    )
    table = Table([RouteRule(capability="x", routes=routes)])
    found = table.match("POST", "/x/a%2Fb")
    assert found is not None
    assert found.path == {"id": "a/b"}
    assert table.match("POST", "/x/a/b") is None
    assert table.match("GET", "/x") is not None


def test_a_unit_is_found_where_the_route_says():
    asked = Asked(
        {"patient": "1"}, {"patient": "2"}, {"x-patient": "3", "cookie": "a=b; sid=4"},
        {"patient": {"id": 5}, "yes": True},
    )  # fmt: skip
    for place, expected in [
        ("path:patient", "1"), ("query:patient", "2"), ("header:X-Patient", "3"),
        ("cookie:sid", "4"), ("body:patient.id", "5"), ("body:patient", None), ("body:yes", None),
        ("path:nobody", None),
    ]:  # fmt: skip
        assert find((place,), asked) == expected, place
    assert find(("path:nobody", "query:patient"), asked) == "2"
    assert needs_body(rule(), Route(name="b", method="POST", path="/b", unit=("body:a",)))
    assert not needs_body(rule(), ONE)


@pytest.mark.parametrize(
    ("standing", "count"),
    [
        (Standing(1, NOW - timedelta(hours=2), 300), 0),
        (Standing(1, NOW - timedelta(minutes=59), 300), 1),
        (Standing(1, NOW - timedelta(hours=2), 299), 1),
        (Standing(1, NOW, 0, held=True, open_differences=2), 4),
        (Standing(3, NOW - timedelta(hours=2), 300), 0),
    ],
)
def test_a_step_needs_time_and_enough_seen(standing, count):
    assert len(reasons_to_wait(LADDER, standing, NOW)) == count


def test_the_ladder_is_1_5_25_50_100():
    steps, at = [], 0
    while (at := next_percent(LADDER, at)) is not None:
        steps.append(at)
    assert steps == [1, 5, 25, 50, 100]


def test_a_fhir_patient_takes_the_old_systems_shape_and_back():
    to_old = {
        "patient_id": {"$of": "$.identifier", "$where": {"system": "urn:old"}, "$take": "value"},
        "last_name": "$.name.0.family",
        "sex": {"$of": "$.gender", "$map": {"female": "F", "male": "M"}, "$else": "U"},
        "phones": {"$of": "$.telecom", "$each": {"no": "$.value", "kind": "$.use"}},
        "asked_for": "$path.patient",
        "source": "polyclinic",
        "address": {"street": "$.address.0.line.0"},
    }
    patient = {
        "identifier": [{"system": "x", "value": "0"}, {"system": "urn:old", "value": "17"}],
        "name": [{"family": "Lind"}],
        "gender": "female",
        "telecom": [{"value": "1", "use": "home"}, {"value": "2"}],
    }
    assert shaped(to_old, patient, {"patient": "17"}) == {
        "patient_id": "17", "last_name": "Lind", "sex": "F", "asked_for": "17",
        "phones": [{"no": "1", "kind": "home"}, {"no": "2"}], "source": "polyclinic",
    }  # fmt: skip
    to_fhir = {
        "resourceType": "Appointment",
        "participant": [{"actor": {"reference": {"$of": "$.pid", "$before": "Patient/"}}}],
    }
    made = shaped(to_fhir, {"pid": 17}, {})
    assert made["participant"] == [{"actor": {"reference": "Patient/17"}}]
    assert shaped({"$of": "$.ref", "$after": "Patient/"}, {"ref": "Patient/9"}, {}) == "9"
