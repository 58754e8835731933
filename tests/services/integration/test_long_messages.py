"""A long message does not hold up the others: what takes long is done beside the loop, or paced."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from effects_house import House, open_house
from test_effects_of_messages import CHANNEL, pid, raw, rested, sent

# Five times what the house allows an import, and results enough to pass it if they were translated
# in one turn: 0.13 s beside the loop, 0.6 s in it.
LAG_MAX_SECONDS = 5 * 0.05
RESULTS = 1600


def long_result(number: str) -> bytes:
    order = "OBR|1||F1^LAB|24323-8^Metabolic panel^LN|||20261101090000+0000"
    lines = [
        f"OBX|{n}|NM|{2000 + n}-1^Analyte {n}^LN||{n}.5|mg/dL^mg/dL^UCUM|1-99|N|||F|||"
        "20261101091000+0000"
        for n in range(1, RESULTS + 1)
    ]
    return raw("ORU^R01", pid(number, "Long^Lena"), f"{order}{15 * '|'}20261101|||F", *lines)


@asynccontextmanager
async def lag() -> AsyncIterator[list[float]]:
    """The longest turn of the loop: CPU seconds of its own thread, so that other programs do not
    count."""
    longest = [0.0]

    async def tick() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest[0] = max(longest[0], time.thread_time() - before)

    task = asyncio.create_task(tick())
    try:
        yield longest
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_many_results_in_one_message_leave_the_loop_free(
    postgres_url: str, key_file: Path
) -> None:
    async with open_house(postgres_url, key_file, "records", workers=2) as house:
        await _opened(house)
        await rested(house, await sent(house, raw("ADT^A04", pid("L1", "Long^Lena"))), "done")
        content = long_result("L1")
        assert len(content) > 120_000
        async with lag() as longest:
            await rested(house, await sent(house, content), "done")
        assert len(await house.found("Observation?code=3599-1")) == 1
        assert longest[0] <= LAG_MAX_SECONDS, longest


async def _opened(house: House) -> None:
    answer = await house.send("POST", "/integration/channels", CHANNEL.encode())
    assert answer.is_success, answer.text
