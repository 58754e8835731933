"""People at the sign-in page: what they see, and what guessing gets."""

import asyncio
import logging
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from identity_door import CHEAP, PASSWORD, RETURN, asking, hidden

from polyclinic.services.identity.settings import IdentitySettings


def told(answer):
    return {n: v[0] for n, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def test_a_person_signs_in_and_the_portal_gets_their_tokens(door):
    account = await door.make_account("ana@clinic.test")
    answer = await door.sign_in("  Ana@Clinic.test ")
    assert answer.headers["location"].startswith(f"{RETURN}?")
    assert told(answer)["state"] == "state-1"
    assert told(answer)["iss"] == "https://clinic.test"
    tokens = (await door.exchange(told(answer)["code"])).json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    caller = await door.running.callers.verify(tokens["access_token"])
    assert (caller.subject, caller.client, caller.role) == (account, "portal", "clinician")
    assert caller.person == "Practitioner/ana"
    assert "user/*.cruds" in caller.scopes


async def test_a_patient_gets_the_scopes_of_a_patient_and_their_own_id(door):
    await door.make_account("maria", "patient", "Patient/m-1")
    tokens = await door.signed_in("maria", scope="openid fhirUser user/*.cruds system/*.cruds")
    assert tokens["patient"] == "m-1"
    assert set(tokens["scope"].split()) == {
        "openid",
        "fhirUser",
        "patient/*.rs",
        "patient/Appointment.cru",
        "patient/PaymentNotice.c",
        "patient/Account.u",
    }


async def test_an_administrator_gets_no_clinical_scope(door):
    await door.make_account("root", "administrator", None)
    scopes = (await door.signed_in("root"))["scope"].split()
    assert "user/identity.accounts" in scopes
    assert not any("*" in scope or "Patient" in scope or "Obs" in scope for scope in scopes)


async def test_unknown_user_and_wrong_password_get_the_same_answer(door):
    await door.make_account("ana")
    wrong = await door.browser().sign_in("ana", "not it")
    unknown = await door.browser().sign_in("bob", "not it")
    assert wrong.status_code == unknown.status_code == 401
    assert "do not go together" in wrong.text
    same = [
        page.text.replace('value="ana"', "").replace('value="bob"', "") for page in (wrong, unknown)
    ]
    tokens = [hidden(page.text)["form_token"] for page in (wrong, unknown)]
    assert same[0].replace(tokens[0], "") == same[1].replace(tokens[1], "")
    assert wrong.headers.keys() == unknown.headers.keys()


async def test_unknown_and_known_users_cost_the_same_work(open_door, monkeypatch):
    door = await open_door()
    await door.make_account("ana")
    passwords, seen = door.identity.passwords, []
    real = passwords._hasher.verify

    class Counting:
        def verify(self, kept, password):
            seen.append(kept.split("$")[3])
            return real(kept, password)

        check_needs_rehash = passwords._hasher.check_needs_rehash

    monkeypatch.setattr(passwords, "_hasher", Counting())
    for user in ("ana", "nobody"):
        await door.browser().sign_in(user, "wrong")
    assert len(seen) == 2
    assert seen[0] == seen[1] == "m=64,t=1,p=1"


def test_a_password_costs_what_owasp_asks():
    settings = IdentitySettings()
    assert (settings.argon2_memory_kib, settings.argon2_passes) == (19_456, 2)


@pytest.mark.parametrize("user", ["ana", "nobody"])
async def test_after_five_wrong_passwords_the_name_is_locked_for_30_seconds(door, hands, user):
    await door.make_account("ana")
    for _ in range(5):
        assert (await door.sign_in(user, "wrong")).status_code == 401
    locked = await door.sign_in(user)
    assert locked.status_code == 429
    assert locked.headers["retry-after"] == "30"
    assert "Too many tries. Wait 30 seconds." in locked.text
    hands.move(seconds=29)
    assert "Wait 1 second." in (await door.sign_in(user)).text
    hands.move(seconds=1)
    assert (await door.sign_in(user)).status_code == (303 if user == "ana" else 401)


async def test_each_further_wrong_password_doubles_the_wait_up_to_15_minutes(door, hands):
    waits = []
    for tries in range(11):
        answer = await door.sign_in("nobody", "wrong")
        assert answer.status_code == 401
        if tries >= 4:
            locked = await door.sign_in("nobody", "wrong")
            waits.append(int(locked.headers["retry-after"]))
            hands.move(seconds=waits[-1])
    assert waits == [30, 60, 120, 240, 480, 900, 900]


async def test_a_right_password_forgets_the_wrong_ones(door):
    await door.make_account("ana")
    for _ in range(3):
        for _ in range(4):
            assert (await door.sign_in("ana", "wrong")).status_code == 401
        assert (await door.browser().sign_in("ana")).status_code == 303


async def test_forty_guesses_at_once_get_no_more_than_the_free_tries(door):
    await door.make_account("ana")
    browser = door.browser()
    form = await browser.form()
    guesses = [
        browser.send("POST", "/identity/sign-in", data={**form, "user": "ana", "password": f"g{n}"})
        for n in range(39)
    ]
    right = {**form, "user": "ana", "password": PASSWORD}
    answers = await asyncio.gather(*guesses)
    counted = Counter(answer.status_code for answer in answers)
    assert counted == {401: 5, 429: 34}
    assert (await browser.send("POST", "/identity/sign-in", data=right)).status_code == 429


async def test_one_address_cannot_try_many_names(door):
    statuses = Counter()
    for number in range(45):
        statuses[(await door.sign_in(f"user-{number}", "wrong")).status_code] += 1
    assert statuses == {401: 40, 429: 5}


async def test_a_forged_forwarding_header_is_not_another_address(door):
    form = await door.form()
    statuses = Counter()
    for number in range(42):
        answer = await door.send(
            "POST",
            "/identity/sign-in",
            data={**form, "user": f"user-{number}", "password": "wrong"},
            headers={"x-forwarded-for": f"198.51.100.{number}"},
        )
        statuses[answer.status_code] += 1
    assert statuses == {401: 40, 429: 2}


async def test_behind_a_proxy_of_ours_each_address_counts_for_itself(open_door):
    door = await open_door(settings=msgspec.structs.replace(CHEAP, proxies_trusted=1))
    form = await door.form()
    for number in range(42):
        answer = await door.send(
            "POST",
            "/identity/sign-in",
            data={**form, "user": f"user-{number}", "password": "wrong"},
            headers={"x-forwarded-for": f"forged, 198.51.100.{number}"},
        )
        assert answer.status_code == 401


async def test_a_lock_outlives_the_process(open_door):
    first = await open_door()
    await first.make_account("ana")
    for _ in range(5):
        await first.sign_in("ana", "wrong")
    second = await open_door(first.identity.database)
    assert (await second.sign_in("ana")).status_code == 429


async def test_a_disabled_account_answers_like_a_wrong_password(door):
    await door.make_account("ana")
    body = {"user": "ana", "assertion": door.operator_assertion()}
    done = await door.send("POST", "/identity/operator/accounts/disable", json=body)
    assert done.json()["disabled"] is True
    answer = await door.sign_in("ana")
    assert answer.status_code == 401
    assert "do not go together" in answer.text


async def test_a_form_from_another_browser_signs_nobody_in(door):
    await door.make_account("ana")
    form = await door.browser().form()
    data = {**form, "user": "ana", "password": PASSWORD}
    victim = door.browser()
    answer = await victim.send("POST", "/identity/sign-in", data=data)
    assert answer.status_code == 403
    assert "location" not in answer.headers
    assert "__Host-identity" not in victim.cookies


async def test_a_form_sent_by_another_site_signs_nobody_in(door):
    await door.make_account("ana")
    form = await door.form()
    answer = await door.send(
        "POST",
        "/identity/sign-in",
        data={**form, "user": "ana", "password": PASSWORD},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("name", ["state", "code_challenge", "scope", "nonce"])
async def test_a_form_whose_hidden_fields_were_changed_is_refused(door, name):
    await door.make_account("ana")
    form = await door.form()
    form[name] = ("A" * 43) if name == "code_challenge" else "openid"
    answer = await door.send(
        "POST", "/identity/sign-in", data={**form, "user": "ana", "password": PASSWORD}
    )
    assert answer.status_code == 403


async def test_a_form_left_open_for_too_long_is_shown_again(door, hands):
    await door.make_account("ana")
    form = await door.form()
    hands.move(minutes=31)
    answer = await door.send(
        "POST", "/identity/sign-in", data={**form, "user": "ana", "password": PASSWORD}
    )
    assert answer.status_code == 403
    again = hidden(answer.text) | {"user": "ana", "password": PASSWORD}
    assert (await door.send("POST", "/identity/sign-in", data=again)).status_code == 303


async def test_empty_fields_are_named_and_count_as_no_try(door):
    for _ in range(6):
        answer = await door.sign_in("", "")
        assert answer.status_code == 400
    assert "Enter your user name." in answer.text
    assert "Enter your password." in answer.text


async def test_cookies_belong_to_this_host_alone(door):
    await door.make_account("ana")
    page = await door.send("GET", "/identity/authorize", params=asking())
    cookies = page.headers.get_list("set-cookie")
    cookies += (await door.sign_in("ana")).headers.get_list("set-cookie")
    kept = [cookie for cookie in cookies if "Max-Age=0" not in cookie]
    assert {cookie.partition("=")[0] for cookie in kept} == {
        "__Host-identity",
        "__Host-identity-form",
    }
    for cookie in kept:
        parts = {part.strip().lower() for part in cookie.split(";")}
        assert {"path=/", "secure", "httponly", "samesite=lax"} <= parts
        assert not any(part.startswith("domain") for part in parts)


async def test_a_session_id_planted_before_signing_in_is_worth_nothing(door):
    await door.make_account("ana")
    door.cookies["__Host-identity"] = "planted"
    await door.sign_in("ana")
    assert door.cookies["__Host-identity"] != "planted"
    thief = door.browser()
    thief.cookies["__Host-identity"] = "planted"
    assert (await thief.send("GET", "/identity/authorize", params=asking())).status_code == 200


async def test_a_signed_in_browser_is_not_asked_again_for_half_an_hour(door, hands):
    await door.make_account("ana")
    await door.sign_in("ana")
    assert (await door.send("GET", "/identity/authorize", params=asking())).status_code == 303
    again = await door.send("GET", "/identity/authorize", params=asking(prompt="login"))
    assert again.status_code == 200
    hands.move(minutes=30)
    assert (await door.send("GET", "/identity/authorize", params=asking())).status_code == 200


async def test_signing_out_ends_the_session_and_its_grants(door):
    await door.make_account("ana")
    tokens = await door.signed_in("ana")
    page = await door.send("GET", "/identity/sign-out")
    assert "Sign out?" in page.text
    forged = await door.browser().send("POST", "/identity/sign-out", data={"form_token": "1.x"})
    assert forged.status_code == 403
    done = await door.send("POST", "/identity/sign-out", data=hidden(page.text))
    assert "You are signed out" in done.text
    assert (await door.send("GET", "/identity/authorize", params=asking())).status_code == 200
    assert (await door.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_pages_allow_no_foreign_script_frame_or_cache(door):
    page = await door.send("GET", "/identity/authorize", params=asking())
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert "<script>" not in page.text
    assert "style=" not in page.text


async def test_what_was_typed_is_shown_as_text_only(door):
    evil = '"><script>alert(1)</script>'
    page = await door.sign_in(evil, "wrong")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


async def test_no_log_line_and_no_row_holds_a_user_name(door, caplog):
    caplog.set_level(logging.INFO)
    await door.make_account("xanthippe-planted", "patient", "Patient/planted-person")
    await door.sign_in("xanthippe-planted", "wrong")
    await door.signed_in("xanthippe-planted")
    lines = " ".join(f"{r.getMessage()} {getattr(r, 'fields', '')}" for r in caplog.records)
    assert "sign-in-failed" in lines
    assert "planted" not in lines
    tables = await door.identity.database.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'identity'"
    )
    for table in tables:
        rows = await door.identity.database.fetch(f"SELECT t::text FROM identity.{table[0]} t")
        text = " ".join(row[0] for row in rows)
        for secret in ("xanthippe", "planted", "Ana Ruiz", PASSWORD, "argon2"):
            assert secret not in text
            assert secret.encode().hex() not in text


async def test_sign_ins_leave_security_events_with_the_account_only(door):
    account = await door.make_account("ana")
    await door.sign_in("ana", "wrong")
    await door.sign_in("ana")
    rows = await door.identity.database.fetch(
        "SELECT kind, account_id FROM identity.security_event ORDER BY id"
    )
    kinds = [row["kind"] for row in rows if str(row["account_id"]) == account]
    assert kinds == ["account-made", "sign-in-failed", "sign-in", "code"]


async def test_a_flood_of_tries_is_turned_away_before_it_counts(door, monkeypatch):
    await door.make_account("ana")
    form = await door.form()
    monkeypatch.setattr("polyclinic.services.identity.actions.state.WAITING_MAX", 0)
    data = {**form, "user": "ana", "password": PASSWORD}
    for _ in range(6):
        answer = await door.send("POST", "/identity/sign-in", data=data)
        assert answer.status_code == 429
        assert "retry-after" in answer.headers
    monkeypatch.undo()
    assert await door.identity.database.fetch("SELECT FROM identity.tries") == []


async def test_the_page_bears_the_clinics_name(open_door):
    door = await open_door(settings=msgspec.structs.replace(CHEAP, clinic="Harbour <Street>"))
    page = await door.send("GET", "/identity/authorize", params=asking())
    assert "Harbour &lt;Street&gt;" in page.text
