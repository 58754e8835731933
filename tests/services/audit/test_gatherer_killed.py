"""Killed at any moment, the gatherer loses no row, takes none twice and leaves no torn file."""

import asyncio
import random
import sys
from pathlib import Path

import httpx
import pytest
from audit_house import House

from polyclinic.assembly.process import assemble
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey
from polyclinic.standards.transparency.note import notes_of

KILLED = -9


async def killed(url, key_file, anchors, count, seed):
    """Kills a gatherer so many times at moments of its work; answers how each one ended."""
    chance = random.Random(seed)
    moments = ",".join(f"{chance.uniform(1, 400):.1f}" for _ in range(count))
    script = str(Path(__file__).parent / "dying_gatherer.py")
    words = (sys.executable, script, url, str(key_file), str(anchors), moments)
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, why = await process.communicate()
    return [int(line) for line in said.split()], why.decode()


async def looked_at(url, key_file, anchors):
    """What stands there once a gatherer is left alone: leaves, rows, verify's code and words."""
    platform = Platform(database_url=url, key_file=str(key_file))
    settings = {"POLYCLINIC_AUDIT_ANCHOR_FILE": str(anchors)}
    async with assemble(platform, ("identity", "records", "audit"), settings) as process:
        transport = httpx.ASGITransport(process.edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://clinic.test") as client:
            house = House(process, client, url, RootKey.read(key_file), anchors)
            await house.gathered()
            leaves = await house.entries()
            rows = await house.sql(
                "SELECT tx, position FROM records.access_log ORDER BY tx, position"
            )
            return leaves, rows, await house.verified()


async def holds(new_database, key_file, tmp_path, count):
    url, anchors = await new_database(), tmp_path / "anchors.txt"
    ends, why = await killed(url, key_file, anchors, count, seed=count)
    assert ends == [KILLED] * count, why
    leaves, rows, (code, said) = await looked_at(url, key_file, anchors)
    assert [each["seq"] for each in leaves] == list(range(len(leaves)))
    kept = [each["spot"] for each in leaves if each["source"] == "records.access"]
    assert kept == [f"1.{row['tx']}.{row['position']}" for row in rows]
    assert len(rows) > 40 * count / 2, "the kills left it time to work"
    assert code == 0, said
    assert "".join(note + "\n" for note in notes_of(anchors.read_text())) == anchors.read_text()


async def test_six_kills_lose_nothing(new_database, key_file, tmp_path):
    await holds(new_database, key_file, tmp_path, 6)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_two_hundred_kills_lose_nothing(new_database, key_file, tmp_path, record_property):
    record_property("runs", 200)
    await holds(new_database, key_file, tmp_path, 200)
