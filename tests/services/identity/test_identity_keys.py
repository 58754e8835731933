"""The keys that sign: made once, sealed, rotated, and public for as long as they are needed."""

import asyncio

import pytest

from polyclinic.foundation.errors import Unauthenticated
from polyclinic.foundation.vault import Unreadable
from polyclinic.services.identity.actions import accounts, signing


async def kids(door):
    return [key["kid"] for key in (await door.send("GET", "/identity/jwks")).json()["keys"]]


async def test_only_public_halves_are_published(door):
    answer = await door.send("GET", "/identity/jwks")
    (key,) = answer.json()["keys"]
    assert key.keys() == {"kty", "crv", "use", "alg", "kid", "x"}
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    assert "max-age=300" in answer.headers["cache-control"]


async def test_a_new_key_is_made_after_ninety_days_and_the_old_one_stays_for_its_tokens(
    door, hands
):
    old = await door.operator_token("system/*.rs")
    before = await kids(door)
    hands.move(days=89)
    assert await kids(door) == before
    hands.move(days=1, minutes=1)
    new = await door.operator_token("system/*.rs")
    after = await kids(door)
    assert len(after) == 2
    assert before[0] in after
    assert (await door.running.callers.verify(new["access_token"])).role == "system"
    with pytest.raises(Unauthenticated):
        await door.running.callers.verify(old["access_token"])
    hands.move(days=1, minutes=1)
    assert await kids(door) == [kid for kid in after if kid != before[0]]


async def test_processes_that_start_at_once_agree_on_one_key(open_door):
    first = await open_door()
    others = [await open_door(first.identity.database) for _ in range(3)]
    found = await asyncio.gather(*(kids(door) for door in (first, *others)))
    assert len({tuple(kid) for kid in found}) == 1
    token = await others[0].operator_token("system/*.rs")
    assert (await others[1].running.callers.verify(token["access_token"])).role == "system"


async def test_a_key_that_another_makes_between_two_looks_is_made_once(open_door, monkeypatch):
    """Two keys were: tokens of the second one were refused by whoever had read the keys before."""
    first = await open_door()
    second = await open_door(first.identity.database)
    look, blind = signing._newest, iter([True])

    async def late(identity, now):
        if identity is second.identity and next(blind, False):
            await kids(first)
            return None
        return await look(identity, now)

    monkeypatch.setattr(signing, "_newest", late)
    assert await kids(second) == await kids(first)
    assert len(await kids(second)) == 1


async def test_a_key_moved_to_another_row_does_not_open(door, hands):
    await kids(door)
    await door.identity.database.execute("UPDATE identity.signing_key SET generation = 7")
    door.identity.signing = None
    with pytest.raises(Unreadable):
        await signing.signing_key(door.identity, hands.time)


async def test_a_role_raised_in_the_database_does_not_open(door):
    await door.make_account("ana", "billing", None)
    await door.identity.database.execute("UPDATE identity.account SET role = 'administrator'")
    answer = await door.sign_in("ana")
    assert answer.status_code == 500
    assert "__Host-identity" not in door.cookies


async def test_an_account_without_keys_to_this_installation_cannot_be_guessed(door):
    await door.make_account("ana")
    name = accounts.name_hash(door.identity, "ana")
    assert len(name) == 32
    assert name != accounts.name_hash(door.identity, "bob")
    rows = await door.identity.database.fetch("SELECT name_hash FROM identity.account")
    assert [row["name_hash"] for row in rows] == [name]


async def test_metadata_names_what_is_offered_and_nothing_else(door):
    answer = await door.send("GET", "/identity/.well-known/oauth-authorization-server")
    told = answer.json()
    assert told["issuer"] == "https://clinic.test"
    assert told["token_endpoint"] == "https://clinic.test/identity/token"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["response_types_supported"] == ["code"]
    for name in ("authorization", "token", "introspection", "revocation"):
        path = told[f"{name}_endpoint"].removeprefix("https://clinic.test")
        assert (await door.send("POST", path)).status_code in {400, 401}
    smart = await door.send("GET", "/identity/.well-known/smart-configuration")
    assert "client-confidential-asymmetric" in smart.json()["capabilities"]
    assert "client-public" not in smart.json()["capabilities"]


async def test_what_has_expired_is_forgotten_in_the_end(door, hands):
    from polyclinic.services.identity.actions.forgetting import forget_expired

    await door.make_account("ana")
    await door.signed_in("ana")
    await door.sign_in("nobody", "wrong", prompt="login")
    hands.move(days=3)
    await forget_expired(door.identity, hands.time)
    for table in ("code", "authorization_grant", "refresh_token", "session", "spent", "tries"):
        rows = await door.identity.database.fetch(f"SELECT FROM identity.{table}")
        assert rows == [], table
    assert (await door.browser().sign_in("ana")).status_code == 303
