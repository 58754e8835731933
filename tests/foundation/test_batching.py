"""Lanes: whoever waits travels together, each gets an own answer, and nobody harms a neighbour."""

import asyncio
import gc
from collections.abc import Sequence

import asyncpg
import pytest

from polyclinic.foundation.batching import BATCH_MAX, WAITING_MAX, Lane
from polyclinic.foundation.errors import Invalid, NotFound, Overloaded, Problem, Unavailable
from polyclinic.foundation.telemetry import Metrics


class Statement:
    """A database that answers when it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.in_flight = self.most_in_flight = 0
        self.poison: dict[int, Exception] = {}

    async def __call__(self, asks: list[int]) -> Sequence[int | Problem]:
        self.batches.append(asks)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.free.wait()
            await asyncio.sleep(0)
            for ask in asks:
                if ask in self.poison:
                    raise self.poison[ask]
            return [NotFound(str(ask)) if ask < 0 else ask * 2 for ask in asks]
        finally:
            self.in_flight -= 1


@pytest.fixture
def statement() -> Statement:
    return Statement()


def lane_over(statement: Statement, *, parallel: int = 1) -> Lane[int, int]:
    return Lane("test", statement, Metrics("test"), parallel=parallel)


async def outcomes(lane: Lane[int, int], asks: Sequence[int]) -> list[int | BaseException]:
    return await asyncio.gather(*(lane.ask(ask) for ask in asks), return_exceptions=True)


async def test_alone_a_request_goes_at_once(statement):
    assert await lane_over(statement).ask(21) == 42
    assert statement.batches == [[21]]


async def test_who_arrives_during_a_statement_travels_in_the_next_one_in_order(statement):
    lane = lane_over(statement)
    assert await outcomes(lane, range(10)) == [2 * n for n in range(10)]
    assert statement.batches[0] + [n for batch in statement.batches[1:] for n in batch] == list(
        range(10)
    )
    assert len(statement.batches) <= 2


async def test_a_batch_is_limited_and_first_come_is_first_served(statement):
    lane = lane_over(statement)
    await outcomes(lane, range(5 * BATCH_MAX))
    assert max(len(batch) for batch in statement.batches) == BATCH_MAX
    assert [n for batch in statement.batches for n in batch] == list(range(5 * BATCH_MAX))
    assert statement.most_in_flight == 1


async def test_a_lane_of_two_has_two_statements_in_flight_and_never_more(statement):
    lane = lane_over(statement, parallel=2)
    await outcomes(lane, range(5 * BATCH_MAX))
    assert statement.most_in_flight == 2


async def test_each_ask_gets_its_own_refusal(statement):
    found = await outcomes(lane_over(statement), [1, -1, 2, -2])
    assert [str(each) for each in found] == ["2", "-1", "4", "-2"]
    assert isinstance(found[1], NotFound)


@pytest.mark.parametrize(
    "bug",
    [
        ValueError("out of range"),
        KeyError("method"),
        asyncpg.NotNullViolationError("a row"),
        asyncpg.CharacterNotInRepertoireError("NUL"),
        Invalid("this one"),
        OverflowError("too large"),
    ],
)
async def test_a_poisoned_ask_fails_alone(statement, bug):
    statement.poison[3] = bug
    found = await outcomes(lane_over(statement), range(6))
    assert found[3] is bug
    assert [found[n] for n in (0, 1, 2, 4, 5)] == [0, 2, 4, 8, 10]


async def test_what_the_database_cannot_do_for_all_is_not_tried_for_each(statement):
    lane = lane_over(statement)
    statement.free.clear()
    first = asyncio.create_task(lane.ask(100))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(outcomes(lane, range(20)))
    await asyncio.sleep(0.01)
    statement.poison[0] = Unavailable("down")
    statement.free.set()
    assert await first == 200
    assert all(isinstance(each, Unavailable) for each in await waiting)
    assert len(statement.batches) == 2
    del statement.poison[0]
    assert await lane.ask(1) == 2


async def test_a_client_that_leaves_does_not_take_its_neighbours_along(statement):
    lane = lane_over(statement)
    statement.free.clear()
    tasks = [asyncio.create_task(lane.ask(0))]
    await asyncio.sleep(0.01)
    tasks += [asyncio.create_task(lane.ask(n)) for n in range(1, 10)]
    await asyncio.sleep(0.01)
    tasks[0].cancel()  # in flight
    tasks[5].cancel()  # still waiting
    await asyncio.sleep(0)
    statement.free.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert isinstance(found[5], asyncio.CancelledError)
    assert [found[n] for n in (1, 2, 3, 4, 6, 7, 8, 9)] == [2, 4, 6, 8, 12, 14, 16, 18]
    assert 5 not in [n for batch in statement.batches for n in batch]
    assert await lane.ask(7) == 14


async def test_a_lane_whose_clients_have_all_left_still_serves_the_next(statement):
    lane = lane_over(statement)
    statement.free.clear()
    tasks = [asyncio.create_task(lane.ask(n)) for n in range(200)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    statement.free.set()
    assert await asyncio.wait_for(lane.ask(1), 30) == 2


async def test_too_many_are_turned_away_and_the_lane_recovers(statement):
    metrics = Metrics("test")
    lane: Lane[int, int] = Lane("test", statement, metrics)
    statement.free.clear()
    tasks = [asyncio.create_task(lane.ask(n)) for n in range(WAITING_MAX + 500)]
    await asyncio.sleep(0.05)
    statement.free.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    shed = [each for each in found if isinstance(each, Overloaded)]
    served = [each for each in found if isinstance(each, int)]
    assert len(shed) + len(served) == len(tasks)
    assert 400 <= len(shed) <= 500
    counted = metrics.registry.get_sample_value(
        "polyclinic_refused_total", {"service": "test", "lane": "test"}
    )
    assert counted == len(shed)
    assert await lane.ask(5) == 10


async def test_the_metrics_say_how_many_wait_for_the_next_statement(statement):
    metrics = Metrics("test")
    lane: Lane[int, int] = Lane("test", statement, metrics, parallel=2)

    def waiting() -> float | None:
        labels = {"service": "test", "lane": "test"}
        return metrics.registry.get_sample_value("polyclinic_lane_waiting", labels)

    assert waiting() == 0
    statement.free.clear()
    flying = []
    for n in range(2):  # one in each of the two statements
        flying.append(asyncio.create_task(lane.ask(n)))
        await asyncio.sleep(0.01)
    tasks = flying + [asyncio.create_task(lane.ask(n)) for n in range(2, 9)]
    await asyncio.sleep(0.01)
    assert statement.in_flight == 2
    assert waiting() == 7
    statement.free.set()
    await asyncio.gather(*tasks)
    assert waiting() == 0


async def test_failures_that_nobody_waits_for_are_not_reported_as_forgotten(statement, caplog):
    lane = lane_over(statement)
    statement.free.clear()
    statement.poison[0] = ValueError("x")
    task = asyncio.create_task(lane.ask(0))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    statement.free.set()
    await asyncio.sleep(0.01)
    gc.collect()
    assert "never retrieved" not in caplog.text
