"""What changes in records waits here once, under the newest version, until it is scored."""

from datetime import UTC, datetime

from insights_house import until

from polyclinic.foundation import ids
from polyclinic.services.insights.store import work

ADA = {"resourceType": "Patient", "id": "waits-ada", "birthDate": "1960-01-01", "gender": "female"}


async def waiting(house, name):
    rows = await house.sql("SELECT * FROM insights.work WHERE name = $1", name)
    return rows[0] if rows else None


async def test_a_change_in_records_waits_once_under_its_newest_version(quiet):
    await quiet.put(ADA)
    await quiet.put({**ADA, "birthDate": "1961-01-01"})

    async def newest():
        row = await waiting(quiet, "Patient/waits-ada")
        return row if row and row["version"] == 2 else None

    row = await until(newest)
    assert row["oldest"] == 1
    assert row["parked"] is None
    told = await quiet.get("/insights/waiting")
    assert told["waiting"] >= 1
    assert told["items"] == []


async def test_what_is_told_anew_while_it_is_worked_on_stays(quiet):
    """Else the older state of a chart would be the last that anybody scored."""
    database, lease, at = quiet.running.database, ids.new_uuid(), datetime.now(UTC)
    async with database.transaction() as tx:
        await work.note(tx, [("Observation/anew/1", at)])
    taken = await work.claim(database, lease, 100, 60)
    assert ("Observation/anew", 1) in [(row["name"], row["version"]) for row in taken]
    async with database.transaction() as tx:
        await work.note(tx, [("Observation/anew/2", at)])
    async with database.transaction() as tx:
        assert await work.done(tx, lease, [("Observation/anew", 1)]) == set()
    assert (await waiting(quiet, "Observation/anew"))["lease"] is None


async def test_what_is_parked_is_shown_and_tried_once_more(quiet):
    database, lease, at = quiet.running.database, ids.new_uuid(), datetime.now(UTC)
    async with database.transaction() as tx:
        await work.note(tx, [("Observation/poison/1", at)])
    await work.claim(database, lease, 100, 60)
    await work.again(database, lease, [("Observation/poison", 0.0, 1, "OutOfReach")])
    told = await quiet.get("/insights/waiting")
    assert [(each["name"], each["reason"]) for each in told["items"]] == [
        ("Observation/poison", "OutOfReach")
    ]
    again = await quiet.send("POST", "/insights/waiting/again", {"name": "Observation/poison"})
    assert again.status_code == 200, again.text
    assert (await waiting(quiet, "Observation/poison"))["parked"] is None
    none = await quiet.send("POST", "/insights/waiting/again", {"name": "Observation/poison"})
    assert none.status_code == 404


async def test_only_operators_see_what_waits(quiet):
    refused = await quiet.send("GET", "/insights/waiting", token=await quiet.token("system/Task.r"))
    assert refused.status_code == 403
    nobody = await quiet.client.get("/insights/waiting")
    assert nobody.status_code == 401
