"""Channels come into use: read, tried by their own fixtures, kept, and never changed in place."""

import time
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, NotFound, NotProcessable
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.vault import Place
from polyclinic.services.integration.actions.state import Asker, Deployed, Engine
from polyclinic.services.integration.domain import access, channels
from polyclinic.services.integration.domain.channels import Channel
from polyclinic.services.integration.domain.fixtures import failures
from polyclinic.services.integration.domain.problems import NoChannel
from polyclinic.services.integration.store import channels as rows
from polyclinic.services.integration.store import destinations

# What another replica deployed is at work here after so many seconds.
READ_EVERY_SECONDS = 2.0


async def need(engine: Engine, name: str) -> Deployed:
    """The channel as deployed; raises NoChannel."""
    if (found := (await deployed(engine)).get(name)) is not None:
        return found
    await _read(engine)  # another replica may just have deployed it
    if (found := engine.channels.get(name)) is None:
        raise NoChannel(place="channel")
    return found


async def deployed(engine: Engine) -> dict[str, Deployed]:
    """All channels, at most two seconds old."""
    if time.monotonic() - engine.channels_read > READ_EVERY_SECONDS:
        await _read(engine)
    return engine.channels


async def _read(engine: Engine) -> None:
    known, found = engine.channels, await rows.current(engine.running.database)
    changed = [
        row for row in found
        if row["name"] not in known or known[row["name"]].version != row["version"]
    ]  # fmt: skip
    sealed = [
        (row["name"], row["version"], await _sealed(engine, row["name"], row["version"]))
        for row in changed
    ]
    texts = await engine.unseal([(_place(name, version), text) for name, version, text in sealed])
    new = {
        name: channels.read(text) for (name, _, _), text in zip(sealed, texts, strict=True)
    }  # fmt: skip
    engine.channels = {
        row["name"]: Deployed(
            new.get(row["name"]) or known[row["name"]].channel,
            row["version"],
            row["status"] == "open",
        )
        for row in found
    }
    engine.channels_read = time.monotonic()


async def _sealed(engine: Engine, name: str, version: int) -> bytes:
    found = await rows.text(engine.running.database, name, version)
    assert found is not None, "a deployed version is kept for ever"
    return found


def _place(name: str, version: int) -> Place:
    return Place("channel", "sealed", name, version)


async def deploy(engine: Engine, asker: Asker, text: bytes, key: Once | None) -> Stored:
    """A new version of a channel, unless one of its fixtures fails: then nothing is changed.

    The same text again is the same version.
    """
    access.check_operator(asker.caller, "u")  # not "c": that is what senders have
    channel = channels.read(text)
    if failed := failures(channel, engine.translate):
        raise channels.FixtureFailed(failed[0].text, place=f"fixtures.{failed[0].name}")
    await _check_acknowledge_to(engine, channel)
    (sealing,) = await engine.keys_for([()])
    digest = engine.digest(channel.name.encode(), text)

    async def act(tx: Transaction) -> tuple[int, object]:
        former = await rows.lock(tx, channel.name)
        if former is not None and former["digest"] == digest:
            return 200, _told(channel, former["version"], again=True)
        version = (former["version"] if former else 0) + 1
        sealed = engine.seal(sealing, _place(channel.name, version), text)
        await rows.add(tx, channel.name, version, digest, sealed, asker.name)
        return 201, _told(channel, version, again=False)

    stored = await engine.carried(key, act)
    await _read(engine)
    return stored


async def _check_acknowledge_to(engine: Engine, channel: Channel) -> None:
    if not channel.acknowledge_to:
        return
    found = await destinations.find(engine.running.database, UUID(channel.acknowledge_to))
    if found is None or found[0].kind != "hl7v2":
        raise NotProcessable("There is no such system.", place="acknowledge_to")


async def check(engine: Engine, asker: Asker, text: bytes) -> dict[str, Any]:
    """What a deployment would say of it."""
    access.check_operator(asker.caller, "r")
    channel = channels.read(text)
    failed = failures(channel, engine.translate)
    return {
        "channel": channel.name,
        "fixtures": len(channel.fixtures),
        "failed": [{"fixture": each.name, "problem": each.text} for each in failed],
    }


def _told(channel: Channel, version: int, *, again: bool) -> dict[str, object]:
    return {
        "channel": channel.name,
        "version": version,
        "fixtures": len(channel.fixtures),
        "again": again,
    }


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a channel takes messages; one that is closed answers AE and keeps nothing."""

    status: str


async def switch(engine: Engine, asker: Asker, name: str, asked: Switch, key: Once) -> Stored:
    access.check_operator(asker.caller, "u")
    if asked.status not in ("open", "closed"):
        raise Invalid("A channel is open or closed.", place="status")

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await rows.set_status(tx, name, asked.status):
            raise NoChannel(place="channel")
        return 200, {"channel": name, "status": asked.status}

    stored = await engine.carried(key, act)
    await _read(engine)
    return stored


async def versions(engine: Engine, asker: Asker, name: str) -> list[dict[str, Any]]:
    access.check_operator(asker.caller, "r")
    found = await rows.versions(engine.running.database, name)
    if not found:
        raise NoChannel(place="channel")
    return [dict(row) for row in found]


async def text_of(engine: Engine, asker: Asker, name: str, version: int | None) -> bytes:
    """The YAML as it was deployed, the newest if no version is named."""
    access.check_operator(asker.caller, "r")
    if version is None:
        version = (await need(engine, name)).version
    sealed = await rows.text(engine.running.database, name, version)
    if sealed is None:
        raise NotFound("There is no such version of this channel.", place="version")
    return (await engine.unseal([(_place(name, version), sealed)]))[0]
