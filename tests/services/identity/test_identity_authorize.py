"""The authorization endpoint: where codes may be sent, and what a request must hold."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from identity_door import CHEAP, PASSWORD, RETURN, VERIFIER, asking, hidden

from polyclinic.services.identity.domain.clients import base_url


def told(answer):
    return {n: v[0] for n, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}


STRANGE_ADDRESSES = [
    "https://clinic.test.evil.test/signed-in",
    "https://clinic.test@evil.test/signed-in",
    "https://evil.test\\@clinic.test/signed-in",
    "https://clinic.test/signed-in/",
    "https://clinic.test/signed-in?next=x",
    "https://clinic.test/signed-in#x",
    "https://clinic.test/signed-in/../evil",
    "https://clinic.test/%2e%2e/evil",
    "https://clinic.test/Signed-In",
    "https://CLINIC.test/signed-in",
    "https://clinic.test:443/signed-in",
    "https://clinic.test:8443/signed-in",
    "http://clinic.test/signed-in",
    "https://clinic。test/signed-in",
    "https://user:pw@clinic.test/signed-in",
    "https://[::1]/signed-in",
    "https://localhost/signed-in",
    "https://127.0.0.1/signed-in",
    "//clinic.test/signed-in",
    "/signed-in",
    "clinic://signed-in",
    "javascript:alert(1)//clinic.test/signed-in",
    "https://clinic.test/signed-in\r\nx: y",
    " https://clinic.test/signed-in",
    "",
]


@pytest.mark.parametrize("address", STRANGE_ADDRESSES)
async def test_no_browser_is_sent_to_an_address_that_is_not_registered(door, address):
    await door.make_account("ana")
    answer = await door.send(
        "GET", "/identity/authorize", params=asking(redirect_uri=address, state="s")
    )
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "text/html" in answer.headers["content-type"]
    assert "evil" not in answer.text


@pytest.mark.parametrize("client", ["", "unknown", "operator", "bench", "Portal", "portal "])
async def test_no_browser_is_sent_anywhere_for_a_client_that_may_not_ask_people(door, client):
    await door.operator_token("system/*.rs", client="bench")
    answer = await door.send("GET", "/identity/authorize", params=asking(client_id=client))
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": VERIFIER}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"state": "x" * 513}, "invalid_request"),
        ({"state": "a\r\nb"}, "invalid_request"),
        ({"nonce": "x" * 513}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "patient/Obs*"}, "invalid_scope"),
        ({"scope": "user/Observation.rs?category=x&patient=B"}, "invalid_scope"),
        ({"scope": " ".join(f"user/T{'x' * n}.rs" for n in range(60))}, "invalid_scope"),
        ({"scope": " ".join(["openid"] * 1000)}, "invalid_scope"),
    ],
)
async def test_a_faulty_request_is_answered_at_the_clients_own_address(door, change, error):
    answer = await door.send("POST", "/identity/authorize", data=asking(**change))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{RETURN}?")
    assert told(answer)["error"] == error
    assert told(answer)["iss"] == "https://clinic.test"
    assert "code" not in told(answer)


@pytest.mark.parametrize("name", ["redirect_uri", "client_id", "state", "code_challenge", "scope"])
async def test_a_parameter_given_twice_is_refused(door, name):
    query = "&".join(f"{n}={quote(v, safe='')}" for n, v in asking().items())
    answer = await door.send("GET", f"/identity/authorize?{query}&{name}=x")
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_authorize_takes_a_form_as_well_as_a_query(door):
    page = await door.send("POST", "/identity/authorize", data=asking())
    assert page.status_code == 200
    assert "Sign in" in page.text


async def test_the_sign_in_address_alone_leads_home_and_nowhere_else(door):
    answer = await door.send("GET", "/identity/sign-in?next=https://evil.test")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_on_ones_own_machine_the_requests_own_origin_is_the_portal(open_door):
    door = await open_door(public_url=None, settings=CHEAP)
    at_home = asking(redirect_uri="http://127.0.0.1:8080/signed-in")
    assert (await door.send("GET", "/identity/authorize", params=at_home)).status_code == 200
    elsewhere = asking(redirect_uri="http://127.0.0.1:9999/signed-in")
    assert (await door.send("GET", "/identity/authorize", params=elsewhere)).status_code == 400


async def test_on_ones_own_machine_cookies_go_plain_so_that_safari_keeps_them(open_door):
    door = await open_door(public_url=None, settings=CHEAP)
    at_home = asking(redirect_uri="http://127.0.0.1:8080/signed-in")
    page = await door.send("GET", "/identity/authorize", params=at_home)
    [form] = page.headers.get_list("set-cookie")
    assert form.startswith("identity-form=")
    assert "secure" not in form.lower()
    assert "httponly" in form.lower()
    await door.make_account("ana")
    data = {**hidden(page.text), "user": "ana", "password": PASSWORD}
    assert (await door.send("POST", "/identity/sign-in", data=data)).status_code == 303
    assert "identity" in door.cookies


async def test_without_a_public_url_no_host_header_decides_where_codes_go(open_door):
    door = await open_door(public_url=None, settings=CHEAP)
    for header in ("host", "x-forwarded-host"):
        answer = await door.send(
            "GET",
            "/identity/authorize",
            params=asking(redirect_uri="http://evil.test/signed-in"),
            headers={header: "evil.test"},
        )
        assert answer.status_code == 400
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost", "http://localhost"),
        ("[::1]:80", "http://[::1]:80"),
        ("evil.test", None),
        ("127.0.0.1.evil.test", None),
        ("127.0.0.1@evil.test", None),
        ("evil.test@127.0.0.1", None),
        ("127.0.0.1/x", None),
        ("127.0.0.1?x", None),
        ("127.0.0.1#x", None),
        ("127.0.0.1\\x", None),
        ("127.0.0.1:99999", None),
        ("127.0.0.1:x", None),
        ("0x7f.1", None),
        ("", None),
    ],
)
def test_only_a_loopback_host_may_name_the_platform(host, base):
    assert base_url(None, "http", {"host": host}) == base


def test_the_configured_address_always_wins():
    given = {"host": "evil.test", "x-forwarded-host": "127.0.0.1"}
    assert base_url("https://clinic.test/", "http", given) == "https://clinic.test"


async def test_behind_our_own_front_door_its_origin_is_the_portals(open_door):
    door = await open_door(public_url=None, settings=CHEAP)
    answer = await door.send(
        "GET",
        "/identity/authorize",
        params=asking(redirect_uri="http://127.0.0.1:7777/signed-in"),
        headers={"host": "127.0.0.1:9001", "x-forwarded-host": "127.0.0.1:7777"},
    )
    assert answer.status_code == 200


async def test_on_the_network_the_configured_address_is_the_only_one(door):
    for header in ("host", "x-forwarded-host"):
        answer = await door.send(
            "GET",
            "/identity/authorize",
            params=asking(redirect_uri="http://127.0.0.1:7777/signed-in"),
            headers={header: "127.0.0.1:7777"},
        )
        assert answer.status_code == 400
