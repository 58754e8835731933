"""An event that cannot be read is put aside alone; its neighbours have their effect."""

import pytest

from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.outbox import reader as reading


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "no uuid"},
        {"time": "yesterday"},
        {"sequence": "two"},
        {"type": None},
        {"data": ...},
        ["nothing", "like", "it"],
    ],
)
async def test_a_malformed_event_is_put_aside_alone(pair, broken):
    speaker, listener = pair
    await speaker.say(1, 2, 3)
    await speaker.sequencer.number()

    def spoil(page):
        if not page["events"]:
            return
        if isinstance(broken, list):
            page["events"][1] = broken
        else:
            page["events"][1].update(broken)
            page["events"][1] = {k: v for k, v in page["events"][1].items() if v is not ...}

    speaker.wire.spoil = spoil
    reader = listener.reader()
    for _ in range(2):
        await reader.turn(0)
    assert await listener.heard() == [1, 3]
    (letter,) = await reading.dead_letters(listener.running)
    assert letter["reason"] == "Malformed"
    with pytest.raises(Invalid):
        await reader.again(letter["event"])
    speaker.wire.spoil = lambda _: None
    await speaker.say(4)
    await speaker.sequencer.number()
    await reader.turn(0)
    assert await listener.heard() == [1, 3, 4]


async def test_an_id_may_be_written_in_capitals(pair):
    speaker, listener = pair
    await speaker.say(1)
    await speaker.sequencer.number()

    def spoil(page):
        for event in page["events"]:
            event["id"] = event["id"].upper()

    speaker.wire.spoil = spoil
    await listener.reader().turn(0)
    assert await listener.heard() == [1]
