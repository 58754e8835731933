"""Whatever is thrown at identity's doors, the answer is a refusal and never a fault of ours."""

import random

import msgspec
import pytest
from identity_door import ASSERTION_TYPE, PUBLIC_URL, asking, signed
from joserfc.jwk import OKPKey

SEED = 20260101
STRANGE = [
    "",
    "\x00",
    "a\x00b",
    "'; DROP TABLE identity.account; --",
    "%_\\",
    "../../etc/passwd",
    "\u202eevil",
    "{{7*7}}",
    "\r\nset-cookie: a=b",
    "😀" * 50,
    "x" * 9000,
    "null",
    "-1",
    "1e999",
    "[]",
    "é",
    "\ufeff",
    "portal\x00",
]
FIELDS = [
    *asking(),
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "client_assertion",
    "client_assertion_type",
    "token",
    "user",
    "password",
    "form_token",
    "prompt",
]
PATHS = ["authorize", "sign-in", "sign-out", "token", "introspect", "revoke"]


async def test_strange_forms_are_refused(door):
    chance = random.Random(SEED)
    for _ in range(400):
        form = asking() | {
            "grant_type": chance.choice(["authorization_code", "refresh_token", "x"]),
            **(door.portal_proof() if chance.random() < 0.5 else {}),
        }
        for name in chance.sample(FIELDS, chance.randint(1, 4)):
            form[name] = chance.choice(STRANGE)
        path = chance.choice(PATHS)
        answer = await door.send("POST", f"/identity/{path}", data=form)
        assert answer.status_code < 500, (path, form)
        assert "set-cookie: a=b" not in str(answer.headers)
        if path == "authorize":
            answer = await door.send("GET", "/identity/authorize", params=form)
            assert answer.status_code < 500, form


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"a=%zz", b"a=%00&b", b"%", b"=" * 100, b"a=" + b"%ff" * 10, b"a;b;c", b"\x00"],
)
async def test_broken_forms_are_refused(door, content):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for path in PATHS:
        answer = await door.send("POST", f"/identity/{path}", content=content, headers=headers)
        assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("value", [b'"\\ud800"', b'"\\u0000ab"', b"1", b"{}", b'"\xff"', b"null"])
async def test_strange_json_is_refused(door, value):
    token = (await door.operator_token("system/identity.accounts"))["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    for name in ("user", "password", "role", "person", "name"):
        account = {
            "user": b'"ana"',
            "password": b'"correct horse"',
            "role": b'"billing"',
            "person": b"null",
            "name": b'""',
        } | {name: value}
        body = b",".join(b'"%s":%s' % (n.encode(), v) for n, v in account.items())
        answer = await door.send(
            "POST",
            "/identity/operator/accounts",
            content=b'{"accounts":[{%s}]}' % body,
            headers=headers,
        )
        assert answer.status_code < 500, (name, value, answer.text)
        if value in (b"1", b"{}", b'"\xff"'):
            assert answer.status_code == 400


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "jti"])
@pytest.mark.parametrize("value", [b'"\\ud800"', b'"\\u0000"', b"[]", b"{}", b"1e400", b"[[[[]]]]"])
async def test_strange_claims_under_a_right_signature_are_no_fault_of_ours(door, claim, value):
    key = OKPKey.generate_key("Ed25519")
    body = {
        "client": "lab",
        "scope": "system/*.rs",
        "jwks": {"keys": [key.as_dict(private=False)]},
        "assertion": door.operator_assertion(),
    }
    assert (await door.send("POST", "/identity/operator/clients", json=body)).status_code == 200
    claims = {
        "iss": b'"lab"',
        "sub": b'"lab"',
        "aud": msgspec.json.encode(PUBLIC_URL),
        "exp": str(door.now() + 60).encode(),
        "jti": b'"1"',
    } | {claim: value}
    text = b"{" + b",".join(b'"%s":%s' % (n.encode(), v) for n, v in claims.items()) + b"}"
    form = {
        "grant_type": "client_credentials",
        "scope": "system/*.rs",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed(key, text),
    }
    answer = await door.send("POST", "/identity/token", data=form)
    assert answer.status_code in ({200, 401} if claim == "jti" else {401})
