"""A caller is who a token of identity says, and no forged, stale or foreign token gets through."""

import asyncio
import json
import time
from types import SimpleNamespace

import pytest
from identity_door import base64url, signed
from joserfc.jwk import ECKey, OKPKey, RSAKey

from polyclinic.foundation.caller import Caller, Callers
from polyclinic.foundation.errors import Unauthenticated, Unavailable

ISSUER = "https://clinic.test"
NOW = 1_800_000_000


class Peers:
    """Identity as a caller check meets it: it publishes keys, and may be down."""

    def __init__(self, *keys):
        self.keys, self.down, self.asked = list(keys), False, 0

    async def send(self, name, method, path, /):
        assert (name, method, path) == ("identity", "GET", "/identity/jwks")
        self.asked += 1
        if self.down:
            raise Unavailable("The identity service does not answer.", place="identity")
        published = [key.as_dict(private=False) | {"kid": key.thumbprint()} for key in self.keys]
        return SimpleNamespace(status_code=200, content=json.dumps({"keys": published}).encode())


class Clock:
    def __init__(self):
        self.wall, self.steady = float(NOW), 100.0

    def move(self, seconds):
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def key():
    return OKPKey.generate_key("Ed25519")


@pytest.fixture
def peers(key):
    return Peers(key)


@pytest.fixture
def times():
    return Clock()


@pytest.fixture
def callers(peers, times):
    return Callers(peers, ISSUER, wall=lambda: times.wall, steady=lambda: times.steady)


def claims(**changes):
    good = {
        "iss": ISSUER,
        "sub": "s-1",
        "aud": "polyclinic",
        "iat": NOW,
        "exp": NOW + 900,
        "jti": "t-1",
        "client_id": "portal",
        "scope": "user/Patient.rs user/Observation.rs",
        "role": "clinician",
        "fhirUser": "Practitioner/ana",
    } | changes
    return {name: value for name, value in good.items() if value is not ...}


def token(key, header=None, **changes):
    good = {"typ": "at+jwt", "kid": key.thumbprint()}
    return signed(key, claims(**changes), good | (header or {}))


async def test_a_good_token_names_its_caller(callers, key):
    assert await callers.verify(token(key)) == Caller(
        subject="s-1",
        client="portal",
        role="clinician",
        scopes=frozenset({"user/Patient.rs", "user/Observation.rs"}),
        person="Practitioner/ana",
        token_id="t-1",
    )


async def test_a_caller_need_not_be_a_person(callers, key):
    caller = await callers.verify(token(key, role="system", fhirUser=...))
    assert caller.person is None


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://clinic.test/"},
        {"iss": "https://CLINIC.test"},
        {"iss": "https://clinic.tеst"},
        {"iss": [ISSUER]},
        {"iss": ...},
        {"aud": "portal"},
        {"aud": ["polyclinic"]},
        {"aud": ["polyclinic", "other"]},
        {"aud": ...},
        {"exp": NOW},
        {"exp": NOW - 1},
        {"exp": float(NOW + 900)},
        {"exp": str(NOW + 900)},
        {"exp": True},
        {"exp": -1},
        {"exp": None},
        {"exp": ...},
        {"exp": 10**18},
        {"exp": NOW + 90_000},
        {"iat": ...},
        {"iat": NOW + 60},
        {"iat": float(NOW)},
        {"nbf": NOW + 60},
        {"nbf": str(NOW)},
        {"nbf": None},
        {"sub": ...},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"jti": ...},
        {"client_id": ...},
        {"role": ...},
        {"role": "root"},
        {"role": ["clinician"]},
        {"scope": ...},
        {"scope": ["user/*.cruds"]},
        {"fhirUser": "Practitioner/../Patient/1"},
        {"fhirUser": "https://evil.test/Practitioner/1"},
        {"fhirUser": 7},
    ],
)
async def test_claims_that_are_not_exactly_right_are_refused(callers, key, change):
    with pytest.raises(Unauthenticated):
        await callers.verify(token(key, **change))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"typ": "application/at+jwt"},
        {"typ": None},
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "Ed448"},
        {"alg": "ES256"},
        {"alg": ["EdDSA"]},
        {"kid": "../../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": 7},
        {"kid": None},
        {"kid": ""},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"jku": "https://evil.test/jwks"},
        {"x5u": "https://evil.test/cert"},
        {"x5c": ["AAAA"]},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"p2c": 10**9},
        {"cty": "JWT"},
    ],
)
async def test_any_other_header_is_refused_though_the_signature_is_right(callers, key, header):
    with pytest.raises(Unauthenticated):
        await callers.verify(token(key, header))


async def test_an_embedded_key_is_never_used(callers, key):
    thief = OKPKey.generate_key("Ed25519")
    header = {"jwk": thief.as_dict(private=False), "kid": key.thumbprint()}
    with pytest.raises(Unauthenticated):
        await callers.verify(token(thief, header))
    with pytest.raises(Unauthenticated):
        await callers.verify(token(thief, {"kid": key.thumbprint()}))


async def test_a_public_key_is_never_a_shared_secret(callers, key):
    header = {"typ": "at+jwt", "kid": key.thumbprint(), "alg": "HS256"}
    public = key.as_dict(private=False)["x"].encode()
    for secret in (public, key.as_pem(private=False), b""):
        with pytest.raises(Unauthenticated):
            await callers.verify(signed(secret, claims(), header))
        with pytest.raises(Unauthenticated):
            await callers.verify(signed(secret, claims(), header | {"alg": "EdDSA"}))


async def test_other_kinds_of_keys_in_the_key_set_sign_nothing(times):
    others = [ECKey.generate_key("P-384"), RSAKey.generate_key(2048)]
    callers = Callers(Peers(*others), ISSUER, wall=lambda: times.wall)
    for other in others:
        for header in ({}, {"alg": "EdDSA"}):
            with pytest.raises(Unauthenticated):
                await callers.verify(token(other, header))


async def test_a_repeated_name_is_refused(callers, key):
    body = json.dumps(claims())[:-1].encode() + b',"role":"administrator"}'
    header = {"typ": "at+jwt", "kid": key.thumbprint()}
    with pytest.raises(Unauthenticated):
        await callers.verify(signed(key, body, header))
    head = base64url(
        json.dumps({"alg": "none", "typ": "at+jwt", "kid": key.thumbprint()})[:-1].encode()
        + b',"alg":"EdDSA"}'
    )
    _, payload, mark = token(key).split(".")
    with pytest.raises(Unauthenticated):
        await callers.verify(f"{head}.{payload}.{mark}")


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b'"x"', b"{", b"\xff", b'{"exp":NaN}', b"[" * 5000, b"7", b"{}x"]
)
async def test_what_is_not_a_json_object_is_refused(callers, key, body):
    header = {"typ": "at+jwt", "kid": key.thumbprint()}
    with pytest.raises(Unauthenticated):
        await callers.verify(signed(key, body, header))


async def test_every_other_spelling_of_a_good_token_is_refused(callers, key):
    good = token(key)
    head, body, mark = good.split(".")
    spellings = [
        f"{good} ",
        f" {good}",
        f"{good}\n",
        f"{good}=",
        f"{good}.",
        f"{good}.{mark}",
        f"{head}.{body}",
        f"{head}.{body}.",
        f".{body}.{mark}",
        f"{head}..{mark}",
        f"{head}=.{body}.{mark}",
        f"{head}.{body}.{mark[:-1]}{'h' if mark[-1] != 'h' else 'i'}",
        f"{head}.{body}.{mark[:-2]}",
        f"{head}.{body}.{base64url(bytes(64))}",
        f"{head}.{body}.{mark}".replace("-", "+").replace("_", "/") + "+",
        f"{head}.{body}.{mark}.{body}.{mark}",
        "",
        ".",
        "..",
        "é.é.é",
        "a" * 8193,
        "x" * 10_000_000,
    ]
    for spelling in spellings:
        with pytest.raises(Unauthenticated):
            await callers.verify(spelling)
    assert (await callers.verify(good)).subject == "s-1"


async def test_every_flipped_bit_of_the_signature_is_noticed(callers, key):
    head, body, mark = token(key).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place in range(0, len(mark), 5):
        other = alphabet[(alphabet.index(mark[place]) + 1) % 64]
        with pytest.raises(Unauthenticated):
            await callers.verify(f"{head}.{body}.{mark[:place]}{other}{mark[place + 1 :]}")


async def test_id_and_refresh_tokens_are_not_access_tokens(door):
    await door.make_account("ana")
    tokens = await door.signed_in("ana")
    for name in ("id_token", "refresh_token"):
        with pytest.raises(Unauthenticated):
            await door.running.callers.verify(tokens[name])
    form = {"grant_type": "refresh_token", "refresh_token": tokens["access_token"]}
    assert (await door.token(**form)).status_code == 400


async def test_a_token_ends_at_its_time_though_it_was_remembered(callers, key, times):
    good = token(key, exp=NOW + 10)
    await callers.verify(good)
    times.move(9)
    await callers.verify(good)
    times.move(1)
    with pytest.raises(Unauthenticated):
        await callers.verify(good)


async def test_a_token_is_checked_anew_after_thirty_seconds(callers, key, peers, times):
    good = token(key)
    await callers.verify(good)
    peers.keys = [OKPKey.generate_key("Ed25519")]
    times.move(29)
    await callers.verify(good)
    times.move(700)
    with pytest.raises(Unauthenticated):
        await callers.verify(good)


async def test_known_keys_keep_serving_while_identity_is_down(callers, key, peers, times):
    await callers.verify(token(key))
    peers.down = True
    times.move(700)
    assert (await callers.verify(token(key, jti="t-2"))).token_id == "t-2"


async def test_nobody_can_tell_about_a_new_key_while_identity_is_down(callers, key, peers, times):
    peers.down = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await callers.verify(token(key))
    assert peers.asked == 1
    peers.down = False
    times.move(5)
    assert (await callers.verify(token(key))).subject == "s-1"


async def test_unknown_keys_cause_one_question_in_five_seconds(callers, peers, times):
    strangers = [OKPKey.generate_key("Ed25519") for _ in range(20)]
    results = await asyncio.gather(
        *(callers.verify(token(stranger)) for stranger in strangers), return_exceptions=True
    )
    assert all(isinstance(result, Unauthenticated) for result in results)
    assert peers.asked == 1


async def test_a_new_key_is_found_at_its_first_token(callers, key, peers, times):
    await callers.verify(token(key))
    following = OKPKey.generate_key("Ed25519")
    peers.keys.insert(0, following)
    times.move(6)
    assert (await callers.verify(token(following))).subject == "s-1"
    assert (await callers.verify(token(key, jti="t-3"))).token_id == "t-3"


async def test_a_remembered_token_costs_next_to_nothing(callers, key):
    good = token(key)
    await callers.verify(good)
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(1000):
            await callers.verify(good)
        best = min(best, time.perf_counter() - started)
    assert best / 1000 < 5e-6
