"""Which parts of an address are ids, by their shape and by their neighbours."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.services.migration.domain.inventory.links import shortens, words
from polyclinic.services.migration.domain.inventory.templates import Templates, described, is_id

IDS = [
    "1", "000123", "HS-100007", "RX00012345", "INV-2026-000123", "20260303", "2026-03-03",
    "6f1c1c9e-2a7e-4b52-9c1a-8f7d2a1b3c4d", "7KQ2M9XA", "ann@example.org", "a%20b",
    "dGhpc0lzQVRva2VuQWJj", "x" * 60, "{id}", ":id",
]  # fmt: skip
WORDS = [
    "api", "patients", "no-shows", "results.do", "aging.csv", "login.asp", "v1", "v2.1", "step2",
    "icd10", "search", "_history", "getPatientAppointments",
]  # fmt: skip


@pytest.mark.parametrize("part", IDS)
def test_this_is_an_id(part):
    assert is_id(part)


@pytest.mark.parametrize("part", [each for each in WORDS if each != "_history"])
def test_this_is_a_word(part):
    assert not is_id(part)


def templates(*paths):
    learning = Templates()
    learned = [learning.learn(path) for path in paths]
    return {learning.settled(each) for each in learned}


def test_a_key_that_happens_to_have_no_digit_is_known_by_its_neighbours():
    assert templates("/labs/7KQ2M9XA", "/labs/KQXMWZRA", "/labs/order.do") == {
        "/labs/{}", "/labs/order.do",
    }  # fmt: skip


def test_many_words_at_one_place_with_the_same_behind_them_are_names():
    people = [f"/users/{a}{b}son/profile" for a in "abcdefg" for b in "aeiou"]
    assert templates(*people, "/users/search") == {"/users/{}/profile", "/users/search"}


def test_a_program_with_many_pages_keeps_them():
    pages = [f"/app/{word}" for word in ("home", "day", "bills", "labs", "meds", "notes")]
    assert templates(*pages) == set(pages)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_path_has_a_template_that_stays_the_same(path):
    learning = Templates()
    settled = learning.settled(learning.learn(path))
    assert settled.startswith("/")
    assert learning.settled(settled) == settled


def test_templates_that_somebody_wrote_are_read_in_all_their_ways():
    for path in ("/a/{id}/b", "/a/:id/b", "/a/<int:id>/b", "/a/{id:int}/b/"):
        assert described(path) == "/a/{}/b"


def test_names_fall_apart_into_words():
    assert words("patientMRN_no") == ["patient", "mrn", "no"]
    assert words("ins_policies") == ["ins", "policy"]
    assert shortens("pat", "patient") > shortens("pt", "patient") > shortens("tp", "patient") == 0
