"""The demo clinic's week goes in through the door, once, and everybody has a visit."""

import httpx
from desk_door import SYSTEM, open_door

from polyclinic.demo import seed
from polyclinic.demo.week import visits


async def test_the_week_and_its_visits_go_in_and_a_second_seed_changes_nothing(
    postgres_url, key_file
):
    async with open_door(postgres_url, key_file) as door:
        door.tokens[SYSTEM.token_id] = SYSTEM

        async def token():
            return SYSTEM.token_id

        for _ in range(2):
            await seed._week(door.client, token)
            rows = await door.sql("SELECT patient FROM appointments.appointment")
            assert {row["patient"] for row in rows} == {each.patient for each in visits()}
            assert len(rows) == len(visits())
        setups = await door.sql("SELECT count(*) FROM appointments.setup")
        assert setups[0][0] == 1
        await door.never_wrong()
        assert isinstance(door.client, httpx.AsyncClient)
