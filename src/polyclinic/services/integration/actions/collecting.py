"""Collects what was dropped into the folders of channels; deletes it once it is committed."""

from pathlib import Path

from polyclinic.foundation import telemetry
from polyclinic.foundation.errors import Problem, Unavailable
from polyclinic.foundation.work import in_thread
from polyclinic.services.integration.actions import channels, handing, sheets
from polyclinic.services.integration.actions.state import Came, Engine
from polyclinic.services.integration.domain.channels import Channel
from polyclinic.services.integration.gateways import folders
from polyclinic.services.integration.store import alerts


async def collect(engine: Engine) -> bool:
    """One look at every folder; what is still being written waits for the next one.

    Answers whether there was any folder to look at.
    """
    if engine.folders is None:
        return False
    looked = False
    for deployed in (await channels.deployed(engine)).values():
        if deployed.is_open and deployed.channel.source == "folder":
            looked = True
            await _folder(engine, deployed.channel)
    return looked


async def _folder(engine: Engine, channel: Channel) -> None:
    """A file, or a folder, that the disk holds fast keeps back nothing else; somebody is told."""
    assert engine.folders is not None
    try:
        files = await in_thread(engine.folders.take, channel.name)
    except OSError as stuck:
        await _stuck(engine, channel, stuck)
        return
    for file in files:
        try:
            await _file(engine, channel, file)
        except OSError as stuck:
            await _stuck(engine, channel, stuck)


async def _stuck(engine: Engine, channel: Channel, stuck: OSError) -> None:
    telemetry.log_bug("folder stuck", stuck, service="integration")
    await alerts.open_alert(engine.running.database, channel.name, "folder stuck")


async def _file(engine: Engine, channel: Channel, file: Path) -> None:
    """What cannot be kept now stays where it is: the next look takes it up again."""
    assert engine.folders is not None
    try:
        content = await in_thread(folders.read, file, engine.settings.message_bytes)
        left_out = await _hand_in(engine, channel, content)
    except Unavailable:
        telemetry.log("file left for later", service="integration")
        return
    except (OSError, Problem) as refused:
        reason = refused.message if isinstance(refused, Problem) else str(refused)
        await in_thread(engine.folders.refuse, channel.name, file, f"{reason}\n")
        telemetry.log("file refused", service="integration")
        return
    if left_out:
        await in_thread(engine.folders.note, channel.name, file, left_out)
    await in_thread(file.unlink)


async def _hand_in(engine: Engine, channel: Channel, content: bytes) -> str:
    """What of it was left out, line by line; whatever comes a second time has no second effect."""
    if channel.format == "rows":
        report = await sheets.take_in(engine, channel, "folder", content)
        return sheets.shown(report.refused)
    parts = [content]
    if channel.format == "hl7v2":
        parts = handing.messages_of(content, channel.charset)
    left_out = ""
    for number, raw in enumerate(parts, start=1):
        received = await engine.receive(Came(channel.name, "folder", raw))
        if received.message is None:
            left_out += f"message {number}: {received.answer}\n"
    return left_out
