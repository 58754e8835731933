"""Paying with the link on a bill, not signed in: only with the birth date, and seeing little."""

import re

import httpx
import pytest
from billing_in_memory import BORN, PAGE, TOKEN
from portal_door import Door

RIGHT = {"month": "3", "day": "14", "year": "1968"}
OWN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def door(portal_door: Door) -> Door:
    return portal_door.installs_billing()


async def _post(client: httpx.AsyncClient, path: str, **form: str) -> httpx.Response:
    return await client.post(path, data=form, headers=OWN)


async def _to_amount(client: httpx.AsyncClient) -> dict[str, str]:
    page = (await _post(client, f"/pay/{TOKEN}", **RIGHT)).text
    return {name: _value(page, name) for name in ("proof", "turn")}


def _value(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


async def test_opening_a_link_says_nothing_and_is_no_attempt(door: Door):
    answer = await door.client().get(f"/pay/{TOKEN}")
    assert answer.status_code == 200
    assert "When was the patient born?" in answer.text
    assert "$" not in answer.text
    assert door.billing.tries == []


async def test_a_link_is_kept_out_of_search_engines_and_of_other_addresses(door: Door):
    answer = await door.client().get(f"/pay/{TOKEN}")
    assert "noindex" in answer.headers["x-robots-tag"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert '<meta name="robots" content="noindex' in answer.text


async def test_a_guest_pays_and_comes_back_to_a_page_that_says_so(door: Door):
    client = door.client()
    shown = await _post(client, f"/pay/{TOKEN}", **RIGHT)
    assert "Bill 001042 for M.K." in shown.text
    assert "$42.00" in shown.text
    assert "Visit of a known patient" not in shown.text
    sent = {name: _value(shown.text, name) for name in ("proof", "turn")}
    begun = await _post(client, f"/pay/{TOKEN}/amount", much="all", **sent)
    assert f'href="{PAGE}"' in begun.text
    # Neither the link nor who pays is left at the card company.
    assert door.billing.returns == ["http://127.0.0.1:8080/pay/back"]
    back = await client.get("/pay/back")
    assert "Thank you" in back.text
    assert "Nothing more is to pay" in back.text


async def test_the_cookie_that_leads_back_says_nothing(door: Door):
    client = door.client()
    sent = await _to_amount(client)
    begun = await _post(client, f"/pay/{TOKEN}/amount", much="all", **sent)
    cookie = begun.headers["set-cookie"]
    assert TOKEN not in cookie
    assert BORN.isoformat() not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


async def test_a_declined_card_leads_back_to_the_link(door: Door):
    door.billing.card = "failed"
    client = door.client()
    sent = await _to_amount(client)
    await _post(client, f"/pay/{TOKEN}/amount", much="all", **sent)
    back = await client.get("/pay/back")
    assert "was not paid" in back.text
    assert f'href="/pay/{TOKEN}"' in back.text


async def test_a_wrong_birth_date_is_told_and_what_was_typed_is_kept(door: Door):
    wrong = await _post(door.client(), f"/pay/{TOKEN}", month="3", day="15", year="1968")
    assert wrong.status_code == 422
    assert "<title>Error:" in wrong.text
    assert "That is not the birth date of the person whom this bill is for." in wrong.text
    assert 'name="day" value="15"' in wrong.text
    assert "$42.00" not in wrong.text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"month": "", "day": "14", "year": ""}, "month and year"),
        ({"month": "13", "day": "1", "year": "1968"}, "Enter a real date"),
        ({"month": "March", "day": "1", "year": "1968"}, "Enter a real date"),
        ({"month": "3", "day": "14", "year": "68"}, "four digits"),
    ],
)
async def test_what_is_no_date_is_no_attempt(door: Door, typed: dict[str, str], said: str):
    answer = await _post(door.client(), f"/pay/{TOKEN}", **typed)
    assert answer.status_code == 422
    assert said in answer.text
    assert door.billing.tries == []


async def test_a_link_that_ended_says_what_else_one_can_do(door: Door):
    door.billing.ended_link = True
    answer = await _post(door.client(), f"/pay/{TOKEN}", **RIGHT)
    assert answer.status_code == 410
    assert "This link no longer works" in answer.text
    assert "Call <a" in answer.text


async def test_too_many_tries_at_once_are_asked_to_wait(door: Door):
    door.billing.hurried = True
    answer = await _post(door.client(), f"/pay/{TOKEN}", **RIGHT)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"
    assert "Wait a minute" in answer.text


async def test_a_proof_of_one_link_opens_no_other(door: Door):
    client = door.client()
    sent = await _to_amount(client)
    other = "b" * 27
    refused = await _post(client, f"/pay/{other}/amount", much="all", **sent)
    assert refused.status_code == 422
    assert "give the birth date again" in refused.text
    assert door.billing.payments == []


@pytest.mark.parametrize("proof", ["", "x", "é", "AAAA" * 400])
async def test_a_made_up_proof_pays_nothing(door: Door, proof: str):
    client = door.client()
    answer = await _post(client, f"/pay/{TOKEN}/amount", much="all", proof=proof, turn="t")
    assert answer.status_code == 422
    assert door.billing.payments == []


async def test_coming_back_without_the_cookie_is_told_without_a_fright(door: Door):
    answer = await door.client().get("/pay/back")
    assert answer.status_code == 410
    assert "If you paid, the payment has arrived all the same." in answer.text


async def test_a_guests_form_from_elsewhere_is_refused(door: Door):
    away = {"sec-fetch-site": "cross-site"}
    answer = await door.client().post(f"/pay/{TOKEN}", data=RIGHT, headers=away)
    assert answer.status_code == 403
    assert door.billing.tries == []


async def test_billing_that_is_stopped_is_named_to_guests_too(door: Door):
    door.billing.down = True
    answer = await _post(door.client(), f"/pay/{TOKEN}", **RIGHT)
    assert answer.status_code == 503
    assert "signed in" not in answer.text
    assert "Your bills cannot be reached at the moment" in answer.text


async def test_without_billing_there_is_nothing_at_a_link(portal_door: Door):
    answer = await portal_door.client().get(f"/pay/{TOKEN}")
    assert answer.status_code == 404
    assert "When was the patient born?" not in answer.text


async def test_a_link_is_in_no_log(door: Door, capfd: pytest.CaptureFixture[str]):
    client = door.client()
    await client.get(f"/pay/{TOKEN}")
    sent = await _to_amount(client)
    await _post(client, f"/pay/{TOKEN}/amount", much="all", **sent)
    written = "".join(capfd.readouterr())
    assert TOKEN not in written
    assert "1968" not in written
