"""The token endpoint: codes and refresh tokens are good once, for one client, for a while."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections import Counter

import pytest
from identity_door import PASSWORD, RETURN, VERIFIER, challenge, hidden


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.fixture
async def ana(door):
    await door.make_account("ana")
    return door


async def test_an_access_token_says_exactly_what_is_agreed(ana, hands):
    tokens = await ana.signed_in("ana")
    claims = claims_of(tokens["access_token"])
    for name in ("jti", "grant_id", "sub"):
        assert len(claims.pop(name)) == 36
    scope = claims.pop("scope")
    assert scope == tokens["scope"]
    assert claims == {
        "iss": "https://clinic.test",
        "aud": "polyclinic",
        "iat": ana.now(),
        "exp": ana.now() + 900,
        "client_id": "portal",
        "role": "clinician",
        "fhirUser": "Practitioner/ana",
    }


async def test_an_id_token_carries_the_nonce_and_the_name(ana):
    tokens = await ana.signed_in("ana", nonce="n-77")
    claims = claims_of(tokens["id_token"])
    assert (claims["aud"], claims["nonce"], claims["name"]) == ("portal", "n-77", "Ana Ruiz")
    assert "id_token" not in await ana.browser().signed_in("ana", scope="fhirUser")


async def test_token_answers_are_never_kept_by_a_cache(ana):
    answer = await ana.exchange(await ana.code("ana"))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    refused = await ana.exchange("nothing")
    assert refused.headers["cache-control"] == "no-store"


async def test_a_code_is_exchanged_once_and_a_second_time_withdraws_the_tokens(ana):
    code = await ana.code("ana")
    tokens = (await ana.exchange(code)).json()
    assert (await ana.introspect(tokens["access_token"]))["active"] is True
    again = await ana.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await ana.introspect(tokens["access_token"])) == {"active": False}
    assert (await ana.refresh(tokens["refresh_token"])).status_code == 400


async def test_of_ten_exchanges_at_once_one_wins(ana):
    code = await ana.code("ana")
    answers = await asyncio.gather(*(ana.exchange(code) for _ in range(10)))
    assert Counter(a.status_code for a in answers) == {200: 1, 400: 9}


async def test_a_code_lives_for_a_minute(ana, hands):
    code = await ana.code("ana")
    hands.move(seconds=60)
    assert (await ana.exchange(code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "change",
    [
        {"code_verifier": ""},
        {"code_verifier": "x" * 42},
        {"code_verifier": "x" * 129},
        {"code_verifier": "x" * 64},
        {"code_verifier": challenge(VERIFIER)},
        {"code_verifier": f"{VERIFIER}é"},
        {"redirect_uri": "https://clinic.test/elsewhere"},
        {"redirect_uri": ""},
    ],
)
async def test_an_exchange_that_proves_the_wrong_thing_uses_the_code_up(ana, change):
    code = await ana.code("ana")
    refused = await ana.exchange(code, **change)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (await ana.exchange(code)).status_code == 400


@pytest.mark.parametrize("code", ["", "x", "é" * 10, "x" * 10_000])
async def test_a_made_up_code_is_worth_nothing(ana, code):
    assert (await ana.exchange(code)).json()["error"] == "invalid_grant"


async def test_a_code_is_worth_nothing_after_signing_out(ana):
    code = await ana.code("ana")
    page = await ana.send("GET", "/identity/sign-out")
    await ana.send("POST", "/identity/sign-out", data=hidden(page.text))
    assert (await ana.exchange(code)).status_code == 400


async def test_another_client_cannot_use_a_code_or_a_refresh_token(ana, stranger_key):
    body = {
        "client": "thief",
        "scope": "system/*.rs",
        "jwks": {"keys": [stranger_key.as_dict(private=False)]},
        "assertion": ana.operator_assertion(),
    }
    assert (await ana.send("POST", "/identity/operator/clients", json=body)).status_code == 200
    code = await ana.code("ana")
    proof = ana.proof("thief", stranger_key)
    assert (await ana.exchange(code, **proof)).json()["error"] == "invalid_grant"
    tokens = (await ana.exchange(code)).json()
    proof = ana.proof("thief", stranger_key)
    refused = await ana.refresh(tokens["refresh_token"], **proof)
    assert refused.json()["error"] == "invalid_grant"
    form = {"token": tokens["access_token"], **ana.proof("thief", stranger_key)}
    told = await ana.send("POST", "/identity/introspect", data=form)
    assert told.json() == {"active": False}
    form = {"token": tokens["refresh_token"], **ana.proof("thief", stranger_key)}
    assert (await ana.send("POST", "/identity/revoke", data=form)).status_code == 200
    assert (await ana.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_refresh_token_gives_a_new_one_and_is_used_up(ana, hands):
    first = await ana.signed_in("ana")
    second = (await ana.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == first["scope"]
    assert (await ana.running.callers.verify(second["access_token"])).role == "clinician"


async def test_of_twenty_renewals_at_once_one_wins_and_keeps_its_tokens(ana):
    tokens = await ana.signed_in("ana")
    answers = await asyncio.gather(*(ana.refresh(tokens["refresh_token"]) for _ in range(20)))
    assert Counter(a.status_code for a in answers) == {200: 1, 400: 19}
    winner = next(a for a in answers if a.status_code == 200).json()
    assert (await ana.refresh(winner["refresh_token"])).status_code == 200


async def test_an_old_refresh_token_presented_again_ends_the_whole_family(ana, hands):
    first = await ana.signed_in("ana")
    second = (await ana.refresh(first["refresh_token"])).json()
    hands.move(seconds=11)
    assert (await ana.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await ana.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await ana.introspect(second["access_token"])) == {"active": False}


async def test_a_withdrawn_family_stays_withdrawn_after_a_restart(ana, hands, open_door):
    first = await ana.signed_in("ana")
    second = (await ana.refresh(first["refresh_token"])).json()
    hands.move(seconds=11)
    await ana.refresh(first["refresh_token"])
    restarted = await open_door(ana.identity.database)
    assert (await restarted.refresh(second["refresh_token"])).status_code == 400


async def test_a_renewal_may_ask_for_less_and_never_for_more(ana):
    tokens = await ana.signed_in("ana")
    more = await ana.refresh(tokens["refresh_token"], scope="system/*.cruds")
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")
    less = (await ana.refresh(tokens["refresh_token"], scope="user/Patient.r")).json()
    assert less["scope"] == "user/Patient.r"
    again = (await ana.refresh(less["refresh_token"])).json()
    assert again["scope"] == tokens["scope"]


async def test_nothing_is_renewed_after_twelve_hours(ana, hands):
    tokens = await ana.signed_in("ana")
    hands.move(hours=11, minutes=59)
    tokens = (await ana.refresh(tokens["refresh_token"])).json()
    hands.move(minutes=1)
    assert (await ana.refresh(tokens["refresh_token"])).status_code == 400


async def test_a_disabled_account_gets_no_more_tokens(ana):
    tokens = await ana.signed_in("ana")
    body = {"user": "ana", "assertion": ana.operator_assertion()}
    await ana.send("POST", "/identity/operator/accounts/disable", json=body)
    assert (await ana.refresh(tokens["refresh_token"])).status_code == 400
    assert await ana.introspect(tokens["access_token"]) == {"active": False}


async def test_withdrawing_the_portals_refresh_token_ends_the_browsers_session(ana):
    tokens = await ana.signed_in("ana")
    form = {"token": tokens["refresh_token"], **ana.portal_proof()}
    assert (await ana.send("POST", "/identity/revoke", data=form)).status_code == 200
    assert (await ana.refresh(tokens["refresh_token"])).status_code == 400
    assert (await ana.form())["client_id"] == "portal"


async def test_a_withdrawn_access_token_is_told_to_be_inactive(ana):
    tokens = await ana.signed_in("ana")
    assert (await ana.introspect(tokens["access_token"]))["scope"] == tokens["scope"]
    form = {"token": tokens["access_token"], **ana.portal_proof()}
    assert (await ana.send("POST", "/identity/revoke", data=form)).status_code == 200
    assert await ana.introspect(tokens["access_token"]) == {"active": False}


@pytest.mark.parametrize("path", ["/identity/introspect", "/identity/revoke"])
async def test_nobody_asks_about_tokens_without_proving_who_they_are(ana, path):
    tokens = await ana.signed_in("ana")
    answer = await ana.send("POST", path, data={"token": tokens["access_token"]})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "x" * 20_000])
async def test_rubbish_is_an_inactive_token(ana, token):
    form = {"token": token, **ana.portal_proof()}
    answer = await ana.send("POST", "/identity/introspect", data=form)
    assert answer.status_code == (200 if token else 400)
    if token:
        assert answer.json() == {"active": False}


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ],
)
async def test_other_grants_are_not_offered(ana, kind):
    form = {"grant_type": kind, "username": "ana", "password": PASSWORD}
    answer = await ana.token(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


async def test_token_parameters_are_read_from_the_body_alone_and_once(ana):
    code = await ana.code("ana")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": RETURN,
        "code_verifier": VERIFIER,
        **ana.portal_proof(),
    }
    in_address = await ana.send("POST", "/identity/token", params=form)
    assert in_address.status_code == 400
    both = await ana.send("POST", "/identity/token?code=x", data=form)
    assert both.status_code == 400
    twice = await ana.send("POST", "/identity/token", data=form | {"code": [code, "other"]})
    assert twice.json()["error"] == "invalid_request"
    as_json = await ana.send("POST", "/identity/token", json=form)
    assert as_json.status_code == 400
    large = await ana.send("POST", "/identity/token", data=form | {"pad": "x" * 70_000})
    assert large.status_code == 413
    assert (await ana.send("POST", "/identity/token", data=form)).status_code == 200
    assert (await ana.send("GET", "/identity/token")).status_code == 405
