"""The rules of identity as plain values: no clock, no database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.services.identity.domain import accounts, authorization, scopes
from polyclinic.services.identity.domain.lockout import Policy, Tries, count_try, forgive_one
from polyclinic.services.identity.domain.problems import (
    InvalidRequest,
    InvalidScope,
    TooManyTries,
    error_of,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy(5, 30, 900, timedelta(days=1))

ACTIONS = st.sampled_from(["r", "rs", "cruds", "cu", "read", "write", "*", "s", "d"])
KINDS = st.sampled_from(["*", "Patient", "Observation", "Condition"])
LEVELS = st.sampled_from(["patient", "user", "system"])
RESOURCE_SCOPES = st.builds("{}/{}.{}".format, LEVELS, KINDS, ACTIONS)


@given(scope=RESOURCE_SCOPES)
def test_every_scope_is_within_itself_and_within_everything_of_its_level(scope):
    level = scope.partition("/")[0]
    assert scopes.is_valid(scope)
    assert scopes.is_within(scope, (scope,))
    assert scopes.is_within(scope, (f"{level}/*.cruds",))
    assert scopes.is_within(scope, (f"{level}/*.*",))


@given(asked=RESOURCE_SCOPES, allowed=RESOURCE_SCOPES)
def test_a_scope_within_another_opens_nothing_that_the_other_does_not(asked, allowed):
    narrow, wide = scopes.reach(asked), scopes.reach(allowed)
    assert narrow is not None
    assert wide is not None
    opened = {(narrow.level, k, d) for k in _kinds(narrow) for d in narrow.doing}
    open_to_wide = {(wide.level, k, d) for k in _kinds(wide) for d in wide.doing}
    assert scopes.is_within(asked, (allowed,)) == (opened <= open_to_wide)


def _kinds(reach):
    everything = {"Patient", "Observation", "Condition", "and all others"}
    return everything if reach.kind == "*" else {reach.kind}


@given(text=st.text(max_size=40))
def test_any_text_is_a_list_of_scopes_or_refused(text):
    try:
        found = scopes.parse(text)
    except InvalidScope:
        return
    assert all(scopes.is_valid(scope) for scope in found)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    "scope",
    [
        "patient/Obs*",
        "patient/*",
        "patient/*.",
        "patient/*.x",
        "patient/*.rr",
        "patient/*.sr",
        "patient/.rs",
        "patient/observation.rs",
        "practitioner/*.rs",
        "user/*.rs\n",
        "user/Pаtient.rs",
        "user/Patient.rs?name=x",
        "launch/encounter",
        "openid\t",
    ],
)
def test_malformed_scopes_are_refused(scope):
    with pytest.raises(InvalidScope) as refused:
        scopes.parse(scope)
    assert scope not in refused.value.message


@pytest.mark.parametrize("role", accounts.ROLES)
def test_every_role_has_scopes_and_only_the_clinicians_reach_everything(role):
    granted = scopes.for_person(role, ("openid", "system/*.cruds", "user/*.cruds"))
    assert all(scopes.is_valid(scope) for scope in granted)
    assert not any(scope.startswith("system/") for scope in granted)
    assert ("user/*.cruds" in granted) == (role == "clinician")
    clinical = {"Observation", "Condition", "MedicationRequest", "DiagnosticReport"}
    sees = any(
        scopes.is_within(f"user/{kind}.r", granted)
        or scopes.is_within(f"patient/{kind}.r", granted)
        for kind in clinical
    )
    assert sees == (role in {"clinician", "patient"})


def test_the_first_tries_are_free_and_then_waits_double():
    tries, now, waits = Tries(0, START), START, []
    for _ in range(10):
        tries = count_try(tries, POLICY, now)
        if tries.locked_until:
            waits.append((tries.locked_until - now).seconds)
            now = tries.locked_until
    assert waits == [30, 60, 120, 240, 480, 900]


@given(pauses=st.lists(st.integers(0, 2000), min_size=1, max_size=60))
def test_no_timing_of_guesses_gets_more_than_the_waits_allow(pauses):
    tries, now, let_through = Tries(0, START), START, 0
    for pause in pauses:
        now += timedelta(seconds=pause)
        try:
            tries = count_try(tries, POLICY, now)
            let_through += 1
        except TooManyTries:
            assert tries.locked_until is not None
    spent = (now - START).total_seconds()
    most = 5
    for wait in (30, 60, 120, 240, 480):
        if spent < wait:
            break
        spent -= wait
        most += 1
    else:
        most += int(spent // 900)
    assert let_through <= most


def test_tries_are_forgotten_after_a_day():
    tries = Tries(4, START)
    assert count_try(tries, POLICY, START + timedelta(days=1)).count == 1


def test_a_right_password_gives_an_address_one_try_back():
    assert forgive_one(Tries(3, START)).count == 2
    assert forgive_one(Tries(0, START)).count == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 second"),
        (1, "1 second"),
        (30, "30 seconds"),
        (119, "119 seconds"),
        (121, "3 minutes"),
    ],
)
def test_a_wait_is_told_in_words(seconds, words):
    assert TooManyTries(seconds).message == f"Too many tries. Wait {words}."


def test_every_refusal_has_a_word_of_the_standard():
    assert error_of(InvalidScope()) == "invalid_scope"
    assert error_of(TooManyTries(1)) == "access_denied"


@pytest.mark.parametrize("typed", ["Ana", " ana ", "ANA", "Ａna"])
def test_a_user_name_is_the_same_however_it_is_typed(typed):
    assert accounts.plain_name(typed) == "ana"


@pytest.mark.parametrize("content", [b"a=1&a=1", b"a=%ff", b"a=\xff", b"&".join([b"a=1"] * 51)])
def test_doubled_and_broken_parameters_are_refused(content):
    with pytest.raises(InvalidRequest):
        authorization.read_query(content)


@given(content=st.binary(max_size=60))
def test_any_query_is_read_or_refused(content):
    try:
        found = authorization.read_query(content)
    except InvalidRequest:
        return
    assert all(found.values())


def test_the_example_of_rfc_7636_is_proven():
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    code = authorization.Code(
        client_id="portal",
        account_id=None,  # pyright: ignore[reportArgumentType]
        session_hash=b"",
        redirect_uri="https://a/b",
        challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        scopes=(),
        nonce=None,
        signed_in_at=START,
        expires_at=START + timedelta(seconds=60),
        used_at=None,
        grant_id=None,  # pyright: ignore[reportArgumentType]
    )
    authorization.check_exchange(code, "https://a/b", verifier, START)
