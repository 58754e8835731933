"""Programs that act for themselves: signed proofs, the operator, registration, accounts."""

import asyncio
from collections import Counter

import pytest
from identity_door import PASSWORD, PUBLIC_URL, signed
from joserfc.jwk import ECKey, OKPKey, RSAKey

KEYS = {
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
    "ES384": lambda: ECKey.generate_key("P-384"),
    "RS384": lambda: RSAKey.generate_key(2048),
}


async def register(door, key, client="lab", scope="system/Observation.rs system/Patient.read"):
    body = {
        "client": client,
        "scope": scope,
        "jwks": {"keys": [key.as_dict(private=False)]},
        "assertion": door.operator_assertion(),
    }
    return await door.send("POST", "/identity/operator/clients", json=body)


def asking(scope="system/Observation.rs", **form):
    return {"grant_type": "client_credentials", "scope": scope, **form}


@pytest.fixture
async def key(door):
    key = OKPKey.generate_key("Ed25519")
    assert (await register(door, key)).status_code == 200
    return key


@pytest.mark.parametrize("alg", list(KEYS))
async def test_a_registered_client_gets_a_token_by_a_signed_proof(door, alg):
    key = KEYS[alg]()
    assert (await register(door, key)).status_code == 200
    answer = await door.token(**asking(**door.proof("lab", key)))
    assert answer.status_code == 200, answer.text
    assert answer.json()["scope"] == "system/Observation.rs"
    caller = await door.running.callers.verify(answer.json()["access_token"])
    assert (caller.subject, caller.client, caller.role) == ("lab", "lab", "system")
    assert caller.scopes == {"system/Observation.rs"}
    assert caller.person is None


async def test_the_token_endpoint_is_an_audience_too(door, key):
    proof = door.proof("lab", key, aud=f"{PUBLIC_URL}/identity/token")
    assert (await door.token(**asking(**proof))).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "https://other.test"},
        {"aud": f"{PUBLIC_URL}/"},
        {"aud": [PUBLIC_URL]},
        {"aud": [PUBLIC_URL, "https://other.test"]},
        {"aud": None},
        {"iss": "portal"},
        {"sub": "portal"},
        {"sub": None},
        {"iss": "LAB"},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": 1e10},
        {"exp": True},
        {"exp": -1},
        {"exp": 10**30},
        {"header": {"alg": "none"}},
        {"header": {"crit": ["x"], "x": 1}},
        {"header": {"jku": "https://evil.test/keys"}},
        {"header": {"x5u": "https://evil.test/keys"}},
        {"header": {"b64": False, "crit": ["b64"]}},
        {"header": {"kid": "../../dev/null"}},
        {"header": {"kid": "unknown"}},
        {"header": {"kid": ""}},
    ],
)
async def test_a_faulty_proof_is_refused(door, key, change):
    if change.get("header", {}).get("alg") == "none":
        proof = door.proof("lab", key)
        _, body, _ = proof["client_assertion"].split(".")
        proof["client_assertion"] = f"eyJhbGciOiJub25lIn0.{body}."
    else:
        proof = door.proof("lab", key, **change)
    answer = await door.token(**asking(**proof))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("exp", "status"), [(0, 401), (-60, 401), (300, 200), (600, 401), (10**9, 401)]
)
async def test_a_proof_lives_for_five_minutes_at_most(door, key, exp, status):
    proof = door.proof("lab", key, exp=door.now() + exp)
    assert (await door.token(**asking(**proof))).status_code == status


async def test_a_proof_from_the_future_is_refused(door, key):
    for name in ("iat", "nbf"):
        proof = door.proof("lab", key, **{name: door.now() + 60})
        assert (await door.token(**asking(**proof))).status_code == 401


async def test_a_proof_works_once_even_ten_times_at_once(door, key, open_door):
    proof = door.proof("lab", key)
    answers = await asyncio.gather(*(door.token(**asking(**proof)) for _ in range(10)))
    assert Counter(a.status_code for a in answers) == {200: 1, 401: 9}
    restarted = await open_door(door.identity.database)
    assert (await restarted.token(**asking(**proof))).status_code == 401


async def test_another_clients_key_proves_nothing(door, key, stranger_key):
    assert (await register(door, stranger_key, client="other")).status_code == 200
    answer = await door.token(**asking(**door.proof("lab", stranger_key)))
    assert answer.status_code == 401
    proof = door.proof("lab", key)
    assert (await door.token(**asking(client_id="other", **proof))).status_code == 401


async def test_a_public_key_used_as_a_shared_secret_proves_nothing(door):
    rsa = RSAKey.generate_key(2048)
    assert (await register(door, rsa)).status_code == 200
    for secret in (rsa.as_pem(private=False), b"secret"):
        proof = door.proof("lab", secret)
        assert (await door.token(**asking(**proof))).status_code == 401


async def test_a_wrong_kind_of_proof_is_refused(door, key):
    proof = door.proof("lab", key)
    changes = (
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_assertion_type": ""},
        {"client_assertion": ""},
        {"client_assertion": "not a token"},
        {"client_assertion": "a" * 9000},
        {"client_secret": "x"},
    )
    for change in changes:
        answer = await door.token(**asking(**proof | change))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    basic = await door.send(
        "POST", "/identity/token", data=asking(), headers={"authorization": "Basic bGFiOng="}
    )
    assert basic.status_code == 401


@pytest.mark.parametrize(
    "scope",
    [
        "",
        "system/*.rs",
        "system/Observation.cruds",
        "system/Condition.rs",
        "user/Observation.rs",
        "patient/Observation.rs",
        "openid",
        "system/identity.accounts",
        "system/Observation.rs system/Observation.cruds",
        "system/Observation.sr",
        "system/Observation.",
        "system/observation.rs",
        "system/Observation.rs?category=x",
        "SYSTEM/Observation.rs",
    ],
)
async def test_a_client_gets_no_scope_that_it_is_not_registered_for(door, key, scope):
    answer = await door.token(**asking(scope, **door.proof("lab", key)))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize("scope", ["system/Patient.rs", "system/Patient.r", "system/Patient.read"])
async def test_the_older_scope_words_mean_the_same(door, key, scope):
    answer = await door.token(**asking(scope, **door.proof("lab", key)))
    assert answer.json()["scope"] == scope


async def test_a_client_without_keys_can_ask_for_nothing_by_itself(door, stranger_key):
    await door.operator_token("system/*.cruds", client="bench")
    answer = await door.token(**asking(**door.proof("bench", stranger_key)))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "bad",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        {"kty": "EC", "crv": "P-384", "x": "A" * 64, "y": "A" * 64},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {},
    ],
)
async def test_keys_that_cannot_be_trusted_are_not_registered(door, bad):
    body = {
        "client": "lab",
        "scope": "system/*.rs",
        "jwks": {"keys": [bad]},
        "assertion": door.operator_assertion(),
    }
    answer = await door.send("POST", "/identity/operator/clients", json=body)
    assert answer.status_code == 400
    assert answer.json()["place"].startswith("jwks.keys[0]")


async def test_a_private_key_sent_by_mistake_is_refused(door, stranger_key):
    body = {
        "client": "lab",
        "scope": "system/*.rs",
        "jwks": {"keys": [stranger_key.as_dict(private=True)]},
        "assertion": door.operator_assertion(),
    }
    answer = await door.send("POST", "/identity/operator/clients", json=body)
    assert (answer.status_code, answer.json()["error_description"]) == (
        400,
        "Never send a private key.",
    )


@pytest.mark.parametrize("name", ["portal", "operator", "", "a b", "x" * 101, "é", "../x"])
async def test_a_client_cannot_take_the_platforms_names(door, stranger_key, name):
    answer = await register(door, stranger_key, client=name)
    assert answer.status_code == 400


async def test_the_operator_gets_a_token_for_an_hour(door):
    answer = await door.operator_token("system/*.cruds", client="import")
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    caller = await door.running.callers.verify(answer["access_token"])
    assert (caller.subject, caller.role) == ("import", "system")
    assert caller.scopes == {"system/*.cruds"}


@pytest.mark.parametrize(
    "scope",
    [
        "system/*.cruds",
        "system/Patient.rs",
        "system/*.read",
        "system/*.*",
        "user/Observation.rs",
        "patient/*.rs",
        "openid fhirUser offline_access launch/patient",
    ],
)
async def test_the_operator_may_ask_for_every_well_formed_scope(door, scope):
    assert (await door.operator_token(scope))["scope"] == scope


@pytest.mark.parametrize("scope", ["", "patient/Obs*", "everything", "system/*.sdurc", "a" * 5000])
async def test_the_operator_is_told_of_a_malformed_scope(door, scope):
    body = {"client": "x", "scope": scope, "assertion": door.operator_assertion()}
    answer = await door.send("POST", "/identity/operator/token", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    "change",
    [
        {"aud": PUBLIC_URL},
        {"aud": None},
        {"iss": "portal"},
        {"sub": "portal"},
        {"exp": 0},
        {"jti": None},
    ],
)
async def test_the_operators_proof_must_be_exactly_right(door, change):
    body = {"client": "x", "scope": "system/*.rs"}
    body["assertion"] = door.operator_assertion(**change)
    answer = await door.send("POST", "/identity/operator/token", json=body)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_the_operators_proof_lives_for_a_minute_and_works_once(door):
    body = {"client": "x", "scope": "system/*.rs"}
    body["assertion"] = door.operator_assertion(exp=door.now() + 120)
    assert (await door.send("POST", "/identity/operator/token", json=body)).status_code == 401
    body["assertion"] = door.operator_assertion()
    assert (await door.send("POST", "/identity/operator/token", json=body)).status_code == 200
    assert (await door.send("POST", "/identity/operator/token", json=body)).status_code == 401


async def test_only_the_operators_key_makes_the_operators_proof(door, stranger_key):
    claims = {
        "iss": "operator",
        "sub": "operator",
        "aud": "polyclinic-operator",
        "exp": door.now() + 60,
        "jti": "1",
    }
    body = {"client": "x", "scope": "system/*.rs", "assertion": signed(stranger_key, claims)}
    assert (await door.send("POST", "/identity/operator/token", json=body)).status_code == 401


async def test_making_the_same_accounts_again_changes_nothing(door):
    first = await door.make_account("ana")
    body = {
        "assertion": door.operator_assertion(),
        "accounts": [
            {"user": " ANA ", "password": "another password", "role": "administrator"},
            {"user": "bob", "password": PASSWORD, "role": "front-desk"},
        ],
    }
    answer = (await door.send("POST", "/identity/operator/accounts", json=body)).json()
    assert answer["accounts"][0] == {"id": first, "made": False}
    assert answer["accounts"][1]["made"] is True
    assert (await door.signed_in("ana"))["scope"] == "openid fhirUser user/*.cruds"


async def test_two_seeds_at_once_make_each_account_once(door):
    accounts = [{"user": f"u{n}", "password": PASSWORD, "role": "billing"} for n in range(6)]
    bodies = [
        {"assertion": door.operator_assertion(), "accounts": order}
        for order in (accounts, accounts[::-1])
    ]
    answers = await asyncio.gather(
        *(door.send("POST", "/identity/operator/accounts", json=body) for body in bodies)
    )
    made = [a for answer in answers for a in answer.json()["accounts"]]
    assert sum(a["made"] for a in made) == 6
    assert len({a["id"] for a in made}) == 6


async def test_accounts_can_be_made_with_a_token_for_that_and_no_other(door):
    body = {"accounts": [{"user": "ana", "password": PASSWORD, "role": "billing"}]}
    for scope, status in (("system/*.cruds", 403), ("system/identity.accounts", 200)):
        token = (await door.operator_token(scope))["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        answer = await door.send("POST", "/identity/operator/accounts", json=body, headers=headers)
        assert answer.status_code == status
    assert (await door.send("POST", "/identity/operator/accounts", json=body)).status_code == 401


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"user": "a"}, "accounts[0].user"),
        ({"user": "a\x00b"}, "accounts[0].user"),
        ({"password": "short"}, "accounts[0].password"),
        ({"role": "root"}, "accounts[0].role"),
        ({"role": "system"}, "accounts[0].role"),
        ({"role": "patient"}, "accounts[0].person"),
        ({"person": "Patient/../x"}, "accounts[0].person"),
        ({"name": "x" * 201}, "accounts[0].name"),
    ],
)
async def test_an_account_that_cannot_be_is_refused_by_name_of_the_field(door, change, place):
    account = {"user": "ana", "password": PASSWORD, "role": "billing"} | change
    body = {"assertion": door.operator_assertion(), "accounts": [account]}
    answer = await door.send("POST", "/identity/operator/accounts", json=body)
    assert (answer.status_code, answer.json()["place"]) == (400, place)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"client":1}', b'{"x":' + b"[" * 100_000]
)
async def test_broken_json_is_a_client_error(door, body):
    for path in ("token", "accounts", "accounts/disable", "clients"):
        answer = await door.send("POST", f"/identity/operator/{path}", content=body)
        assert 400 <= answer.status_code < 500
