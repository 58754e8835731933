"""Lines to a hospital's own listeners: its own authority, our certificate, one connection."""

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest
from mllp_peers import Authority, Echo, listening, until

from polyclinic.foundation.starting import CannotStart
from polyclinic.services.integration.actions import speaking
from polyclinic.services.integration.gateways import mllp
from polyclinic.services.integration.gateways.lines import Lines, url_of
from polyclinic.services.integration.gateways.mllp import NoAnswer
from polyclinic.services.integration.gateways.outward import Outward
from polyclinic.services.integration.listeners.tls import server_context
from polyclinic.services.integration.settings import IntegrationSettings
from polyclinic.standards.hl7v2 import acknowledge, parse

RAW = b"MSH|^~\\&|POLY|CLINIC|LAB|WEST|20260301||ADT^A08^ADT_A01|C-1|P|2.5.1\rPID|1\r"


@pytest.fixture
def echo() -> Echo:
    found = Echo()
    found.say = lambda raw: acknowledge(parse(raw), "AA", control_id="A", at="20260301").write()
    return found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings(authority: Authority, *shown: str) -> IntegrationSettings:
    certificate, key = shown or ("", "")
    return IntegrationSettings(
        mllp_outward_authority=str(authority.file),
        mllp_outward_certificate=certificate,
        mllp_outward_key=key,
    )


def lines(port: int, kept: IntegrationSettings, asked: list[str], *, tls: bool = True) -> Lines:
    """To `lis.house.test`, which is this machine."""

    async def names(host: str, _: int) -> list[object]:
        asked.append(host)
        return [ip_address("127.0.0.1")]

    allowed = frozenset({url_of("lis.house.test", port, tls=tls)})
    return Lines(Outward(allowed, names), speaking.trusted(kept))


async def test_a_listener_of_the_houses_own_authority_is_shown_our_certificate(echo, authority):
    files = authority.issue("server", "lis.house.test")
    async with listening(echo, server_context(*files, str(authority.file))) as server:
        opened = lines(server.port, settings(authority, *authority.issue("poly")), [])
        told = await opened.to("lis.house.test", server.port, tls=True).send(RAW, "C-1")
        assert (told.verdict, echo.sources[0].names) == ("accepted", ("poly",))
        await opened.aclose()


async def test_a_listener_that_goes_by_another_name_or_authority_hears_nothing(echo, authority):
    files = authority.issue("server", "other.house.test")
    shown = authority.issue("poly")
    async with listening(echo, server_context(*files, str(authority.file))) as server:
        for kept in (settings(authority, *shown), IntegrationSettings()):
            opened = lines(server.port, kept, [])
            with pytest.raises(NoAnswer):
                await opened.to("lis.house.test", server.port, tls=True).send(RAW, "C-1")
        assert echo.asked == []


async def test_a_line_stays_open_and_each_new_one_is_checked_anew(echo, authority, monkeypatch):
    asked: list[str] = []
    async with listening(echo) as server:
        opened = lines(server.port, settings(authority), asked, tls=False)
        for _ in range(3):
            await opened.to("lis.house.test", server.port, tls=False).send(RAW, "C-1")
        assert (len(echo.sources), len(asked)) == (1, 1)
        monkeypatch.setattr(mllp, "IDLE_SECONDS", 0)
        await opened.to("lis.house.test", server.port, tls=False).send(RAW, "C-1")
        await until(lambda: not server.connections)
        await opened.to("lis.house.test", server.port, tls=False).send(RAW, "C-1")
        assert (len(echo.sources), len(asked)) == (2, 2)
        await opened.aclose()


async def test_a_kept_line_that_ended_meanwhile_costs_no_attempt():
    connections = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for answers in (True, False):
            raw = await reader.readuntil(b"\x1c\r")
            if answers:
                made = acknowledge(parse(raw[1:-2]), "AA", control_id="A", at="20260301").write()
                writer.write(b"\x0b" + made + b"\x1c\r")
        writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    client = mllp.Client(mllp.Address("127.0.0.1", server.sockets[0].getsockname()[1]))
    for _ in range(2):
        assert (await client.send(RAW, "C-1")).verdict == "accepted"
    assert connections == 2
    await client.close()
    server.close()


@pytest.mark.parametrize(
    "kept",
    [
        IntegrationSettings(mllp_outward_authority="/nowhere"),
        IntegrationSettings(mllp_outward_certificate="/nowhere"),
        IntegrationSettings(mllp_outward_key="/nowhere"),
    ],
)
def test_files_that_are_missing_are_named_before_anything_starts(kept):
    with pytest.raises(CannotStart, match="certificate"):
        speaking.trusted(kept)
