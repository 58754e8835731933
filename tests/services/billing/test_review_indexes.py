"""What the clock and the staff ask of files every day is found by an index, not by a scan."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from billing_door import Door, open_door

from polyclinic.services.billing.store import files

ASKED = {
    "ready": files._FILE + " WHERE direction = 'out' AND status = 'ready' ORDER BY made LIMIT 20",
    "control": files._FILE + " WHERE direction = 'out' AND payer = 'nhp' AND control = '7'",
    "held": files._FILE + " WHERE status = 'held' ORDER BY made DESC LIMIT 100",
    "claims": "SELECT claim FROM billing.x12_file_claim WHERE file = gen_random_uuid()",
}


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file) as opened:
        await opened.sql(
            "INSERT INTO billing.payer (id, name, x12_id, document) VALUES ('nhp', '', 'N', '')"
        )
        await opened.sql(
            "INSERT INTO billing.x12_file (direction, kind, payer, control, digest, status, sealed)"
            " SELECT 'out', '837P', 'nhp', n::text, int4send(n), 'sent', ''"
            " FROM generate_series(1, 5000) n"
        )
        await opened.sql("ANALYZE billing.x12_file, billing.x12_file_claim")
        yield opened


@pytest.mark.parametrize("name", ASKED)
async def test_no_table_of_files_is_read_whole(door: Door, name: str):
    connection = await asyncpg.connect(door.url)
    try:
        if name == "claims":  # nothing in it yet: an empty table is scanned whatever there is
            await connection.execute("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN " + ASKED[name]))
    finally:
        await connection.close()
    assert "Index" in plan, plan
    assert "Seq Scan" not in plan, plan
