"""Decisions stand in a chain: nobody changes one, leaves one out, or puts one between."""

import asyncio

import asyncpg
import msgspec
import pytest

from polyclinic.services.migration import service
from polyclinic.services.migration.actions.deciding import decide
from polyclinic.services.migration.domain.decisions import first_break
from polyclinic.services.migration.store import decisions


@pytest.fixture
async def database(database_of):
    return await database_of(service)


async def decided(database, *subjects):
    for subject in subjects:
        async with database.transaction() as tx:
            await decide(tx, "ana", "mapping", subject, {"service": "records"}, "It keeps charts.")
    return await decisions.find(database, None, 0, 100)


async def test_decisions_follow_each_other_without_a_gap(database):
    made = await decided(database, "patients", "labs", "patients")
    assert [each.number for each in made] == [1, 2, 3]
    assert first_break(made) is None
    about = await decisions.find(database, "patients", 1, 100)
    assert [each.number for each in about] == [3]


async def test_people_who_decide_at_once_are_put_in_a_row(database):
    await asyncio.gather(*(decided(database, f"c{n}") for n in range(8)))
    made = await decisions.find(database, None, 0, 100)
    assert [each.number for each in made] == list(range(1, 9))
    assert first_break(made) is None


async def test_the_database_refuses_to_change_or_forget_a_decision(database):
    await decided(database, "patients")
    for statement in (
        "UPDATE migration.decision SET author = 'bob'",
        "DELETE FROM migration.decision",
        "TRUNCATE migration.decision",
    ):
        with pytest.raises(asyncpg.RaiseError, match="never changed"):
            await database.execute(statement)


async def test_a_chain_shows_where_somebody_with_the_keys_of_the_house_touched_it(database):
    made = await decided(database, "patients", "labs", "bills")
    touched = msgspec.structs.replace(made[1], author="bob")
    assert first_break([made[0], touched, made[2]]) == 2
    assert first_break([made[0], made[2]]) == 2
    assert first_break(made[1:]) == 1


async def test_what_was_decided_is_kept_with_its_effect_or_not_at_all(database):
    async def broken_off():
        async with database.transaction() as tx:
            await decide(tx, "ana", "mapping", "patients", {})
            raise LookupError

    with pytest.raises(LookupError):
        await broken_off()
    assert await decisions.find(database, None, 0, 100) == []
