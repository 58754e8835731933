"""Withdrawn tokens open nothing a minute later; when nobody can say, nothing opens."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.revocations import PATH, Revocations, name_of, names_of

TOKEN = names_of({"jti": "t", "sub": "somebody", "grant_id": "g"})


class Identity:
    def __init__(self):
        self.withdrawn, self.down, self.asked, self.gate = [], False, 0, None

    async def send(self, name, method, path, /):
        assert (name, method, path) == ("identity", "GET", PATH)
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise Unavailable
        content = json.dumps({"withdrawn": self.withdrawn}).encode()
        return SimpleNamespace(status_code=200, content=content)


@pytest.fixture
def identity():
    return Identity()


@pytest.fixture
def times():
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def revocations(identity, times):
    return Revocations(identity, lambda: times.now)


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", [("access", "t"), ("account", "somebody"), ("grant", "g")])
async def test_what_is_withdrawn_is_felt_within_a_minute(revocations, identity, times, kind):
    assert not await revocations.covers(TOKEN)
    identity.withdrawn = [name_of(*kind)]
    times.now += 59.9
    await revocations.covers(TOKEN)  # one request still goes by the old list, and asks
    await settled()
    assert await revocations.covers(TOKEN)
    assert not await revocations.covers(names_of({"jti": "other", "sub": "other"}))


async def test_after_a_minute_without_requests_the_first_one_waits_for_the_list(
    revocations, identity, times
):
    assert not await revocations.covers(TOKEN)
    identity.withdrawn = [name_of("access", "t")]
    times.now += 60
    assert await revocations.covers(TOKEN)


async def test_identity_is_asked_once_for_many_and_every_half_minute(revocations, identity, times):
    for _ in range(120):
        await asyncio.gather(*(revocations.covers(TOKEN) for _ in range(20)))
        await settled()
        times.now += 1
    assert identity.asked == 4


async def test_nobody_waits_for_a_list_that_is_asked_for_in_time(revocations, identity, times):
    await revocations.covers(TOKEN)
    identity.gate = asyncio.Event()
    times.now += 45
    await asyncio.wait_for(revocations.covers(TOKEN), 20)
    identity.gate.set()
    await settled()


async def test_while_identity_is_silent_access_goes_on_for_a_minute_and_then_fails_closed(
    revocations, identity, times
):
    assert not await revocations.covers(TOKEN)
    identity.down = True
    for _ in range(59):
        times.now += 1
        assert not await revocations.covers(TOKEN)
        await settled()
    times.now += 1
    with pytest.raises(Unavailable):
        await revocations.covers(TOKEN)
    identity.down = False
    times.now += 2
    assert not await revocations.covers(TOKEN)


async def test_a_silent_identity_is_not_asked_by_every_request(revocations, identity):
    identity.down = True
    for _ in range(50):
        with pytest.raises(Unavailable):
            await revocations.covers(TOKEN)
    assert identity.asked == 1


async def test_an_answer_counts_from_when_it_was_asked_for(revocations, identity, times):
    await revocations.covers(TOKEN)
    identity.gate = asyncio.Event()
    times.now += 40
    await revocations.covers(TOKEN)
    await settled()
    times.now += 19
    identity.gate.set()
    await settled()
    identity.down = True
    times.now += 41
    with pytest.raises(Unavailable):
        await revocations.covers(TOKEN)
