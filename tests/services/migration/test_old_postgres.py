"""An old PostgreSQL is written to by many at once: nothing that is committed late is lost."""

import asyncio
import sys
import uuid
from pathlib import Path

import asyncpg
import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from moving_world import ADMIN, MOVING, SYSTEM, World, open_world
from old_clinics import PASSWORD, ROLE, OldPostgres, OldSqlite

from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.services.migration.actions import data, moving, returning
from polyclinic.services.migration.domain import crossing
from polyclinic.services.migration.domain.crossing import Refused
from polyclinic.services.migration.domain.window import Window
from polyclinic.services.migration.gateways.old_database import open_rows
from polyclinic.services.migration.gateways.old_postgres import PostgresRows
from polyclinic.services.migration.gateways.old_rows import News
from polyclinic.services.migration.store import moving as store


@pytest.fixture
async def old(new_database, tmp_path: Path, monkeypatch):
    opened = OldPostgres(await new_database(), tmp_path, 400)
    monkeypatch.setenv("PGPASSFILE", str(opened.passfile))
    yield opened
    opened.close()


@pytest.fixture
async def world(assembled, old: OldPostgres):
    async with open_world(assembled, old) as opened:
        yield opened


@pytest.fixture
async def rows(old: OldPostgres):
    opened = open_rows(old.url, crossing.read(MOVING.encode()))
    yield opened
    await opened.close()


class Long:
    """A transaction that somebody left open."""

    def __init__(self, old: OldPostgres) -> None:
        self._old, self._connection = old, old.another()
        self.do("BEGIN")

    def do(self, statement: str) -> None:
        self._old.wait(self._connection.execute(statement))

    def end(self, how: str = "COMMIT") -> None:
        self.do(how)
        self._old.wait(self._connection.close())


async def late(world: World) -> str:
    """A line with a low number is committed behind lines that were followed; its patient's city."""
    (early, other), _ = world.first_patients(2)
    long = Long(world.old)
    long.do(f"UPDATE patients SET city = 'Late' WHERE id = {early}")
    for city in ("Soon", "Sooner"):
        world.do("UPDATE patients SET city = ? WHERE id = ?", city, other)
        await world.settle()
    seen = await world.read("Patient", world.resource("patients", other))
    assert seen["address"][0]["city"] == "Sooner", "an open transaction holds up nobody else"
    long.end()
    await world.settle()
    patient = await world.read("Patient", world.resource("patients", early))
    return patient["address"][0]["city"]


async def test_a_long_transaction_that_commits_behind_the_watermark_is_not_lost(world: World):
    await world.begin("forward", "patients")
    await world.settle()
    assert await late(world) == "Late"
    assert (await world.report())["divergence"] == 0
    way = await world.way()
    await world.settle()
    assert not way.rows._window._heard, "what is settled is remembered no longer"


async def test_without_the_window_the_same_transaction_is_lost(world: World, monkeypatch):
    """What the test above would say if a line that was read were a line that is settled."""
    monkeypatch.setattr(Window, "settled", lambda _, read_to, __: read_to)
    await world.begin("forward", "patients")
    await world.settle()
    assert await late(world) != "Late"
    assert (await world.report())["divergence"] == 1, "and a comparison finds it"


async def test_a_snapshots_own_end_is_no_bound_for_who_may_still_write(rows, old: OldPostgres):
    """A transaction that began after the last one that ended is in no snapshot's list.

    Its low number came into view behind a higher one that had been taken for settled.
    """
    first, second = Long(old), Long(old)
    first.do("UPDATE patients SET city = 'First' WHERE id = (SELECT min(id) FROM patients)")
    second.do("UPDATE patients SET city = 'Low' WHERE id = (SELECT max(id) FROM patients)")
    first.do("UPDATE patients SET city = 'High' WHERE id = (SELECT min(id) FROM patients)")
    first.end()
    news = await rows.news(0, 500)
    rows.heard(news)
    again = await rows.news(news.settled, 500)
    rows.heard(again)
    assert (len(news.changes), again.changes) == (2, [])
    second.end()
    found = await rows.news(again.settled, 500)
    assert [change.number for change in found.changes] == [news.changes[0].number + 1]


async def test_a_restart_hears_again_what_was_not_settled_and_nothing_else(rows, old: OldPostgres):
    old.do("UPDATE patients SET city = 'Before' WHERE id % 2 = 0")
    rows.heard(before := await rows.news(0, 10_000))
    settled = (await rows.news(before.settled, 500)).settled
    assert settled == before.changes[-1].number
    long = Long(old)
    long.do("UPDATE patients SET city = 'Long' WHERE id = (SELECT min(id) FROM patients)")
    old.do("UPDATE patients SET city = 'Other' WHERE id = (SELECT max(id) FROM patients)")
    rows.heard(first := await rows.news(settled, 500))
    rows.heard(second := await rows.news(first.settled, 500))
    assert (len(first.changes), second) == (1, News([], settled))
    restarted = open_rows(old.url, crossing.read(MOVING.encode()))
    assert (await restarted.news(second.settled, 500)).changes == first.changes
    await restarted.close()
    long.end("ROLLBACK")


async def walked_beside(world: World) -> str:
    """The city of a patient who was changed by a transaction that was open at the set-up."""
    (early, other), _ = world.first_patients(2)
    long = Long(world.old)
    long.do(f"UPDATE patients SET city = 'Late' WHERE id = {early}")
    world.do("UPDATE patients SET city = 'Now' WHERE id = ?", other)
    fresh = MOVING.replace("system: harbor-street", "system: fresh")
    await data.set_up(world.passage, ADMIN, fresh, world.old.url, None)
    await data.direct(world.passage, ADMIN, "fresh/patients", "forward", None)
    way = await data.need(world.passage, "fresh")
    for _ in range(3):
        async with world.passage.moving:
            await moving.step(way)
    long.end()
    for _ in range(3):
        async with world.passage.moving:
            await moving.step(way)
    assert (await data.shown(world.passage, "fresh"))["pairs"][0]["filled"]
    patient = await world.read("Patient", crossing.resource_id("fresh", "patients", early))
    return patient["address"][0]["city"]


async def test_a_walk_waits_for_who_wrote_before_it_began(world: World):
    """The log is followed from the set-up on: what has a lower number must come by the walk."""
    assert await walked_beside(world) == "Late"


async def test_a_walk_that_does_not_wait_misses_who_wrote_before_it_began(
    world: World, monkeypatch
):
    """What the test above would say without the wait."""

    async def at_once(_):
        return True

    monkeypatch.setattr(PostgresRows, "is_settled", at_once)
    assert await walked_beside(world) != "Late"


async def test_both_sides_agree_after_a_walk_while_many_write_and_some_take_long(
    world: World, monkeypatch
):
    monkeypatch.setattr(moving, "CHUNK", 20)
    connections = [world.old.another() for _ in range(4)]
    before = world.one("SELECT count(*) FROM allergies")
    stop = asyncio.Event()
    counts = [0] * len(connections)

    async def write(who: int) -> None:
        """Transactions of one, two, three and four statements, the longer ones held open longer."""
        while not stop.is_set():
            await connections[who].execute("BEGIN")
            for step in range(who + 1):
                n = counts[who]
                await connections[who].execute(
                    f"UPDATE patients SET city = 'Town {who} {n}' WHERE id % 29 = {(n + step) % 29}"
                    f" AND id % 4 = {who}"
                )
                await connections[who].execute(
                    "INSERT INTO allergies (mrn, substance, upd_ts) SELECT mrn, 'Thing', ''"
                    f" FROM patients WHERE del_flag = 'N' LIMIT 1 OFFSET {n % 9}"
                )
                counts[who] += 1
                await asyncio.sleep(0.05 * (who + 1))
            await connections[who].execute(
                "ROLLBACK" if counts[who] % 5 == 0 else
                f"DELETE FROM allergies WHERE id % 97 = {counts[who] % 97} AND id % 4 = {who}"
            )  # fmt: skip
            await connections[who].execute("COMMIT")

    async def all_write() -> None:
        await asyncio.gather(*(write(who) for who in range(len(connections))))

    writers = asyncio.run_coroutine_threadsafe(all_write(), world.old.loop)
    await world.begin("forward", "patients", "allergies")
    while min(counts) < 8:
        async with world.passage.moving:
            await moving.step(await world.way())
        await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wrap_future(writers)
    for connection in connections:
        world.old.wait(connection.close())
    await world.settle()
    report = await world.report()
    assert report["divergence"] == 0, report
    assert report["pairs"][1]["rows"] > before


async def test_who_wrote_between_our_look_and_our_change_keeps_theirs(world: World, monkeypatch):
    await world.begin("forward", "patients")
    await world.settle()
    (key,), _ = world.first_patients(1)
    patient = await world.read("Patient", world.resource("patients", key))
    await world.put(patient | {"address": [{"city": "Here"}]})
    await world.begin("both", "patients")
    way = await world.way()
    update = way.rows.update

    async def overtaken(*args):
        world.do("UPDATE patients SET city = 'There' WHERE id = ?", key)
        return await update(*args)

    monkeypatch.setattr(way.rows, "update", overtaken)
    async with world.passage.database.transaction() as tx:
        await returning.take_back(way, tx, "Patient", patient["id"], 2)
    assert world.one("SELECT city FROM patients WHERE id = ?", key) == "There"
    assert (await world.reasons())["patients", "", "changed on both sides"] == 1


async def test_what_the_old_system_does_not_take_is_put_aside_and_holds_up_nothing(world: World):
    world.do("ALTER TABLE patients ALTER city TYPE varchar(30)")
    await world.begin("both", "patients", "allergies")
    await world.settle()
    (key, other), _ = world.first_patients(2)
    for each, city in ((key, "A city with far too long a name for it"), (other, "Camden")):
        patient = await world.read("Patient", world.resource("patients", each))
        await world.put(patient | {"address": [{"city": city}]})
    await world.until(
        lambda: world.one("SELECT city FROM patients WHERE id = ?", other) == "Camden"
    )
    await world.until_aside("patients", "", "refused by the old system", 1)


async def test_a_row_is_made_once_for_each_tag_though_the_answer_was_lost(rows, old: OldPostgres):
    (pair,) = crossing.read(MOVING.encode()).of_type("AllergyIntolerance")
    row = {"mrn": "HS-1", "substance": "Zinc", "upd_ts": ""}
    made = [rows.insert(pair, None, row, "polyclinic|AllergyIntolerance/x") for _ in range(3)]
    assert len(set(await asyncio.gather(*made))) == 1
    assert old.all("SELECT count(*) FROM allergies WHERE substance = 'Zinc'") == [(1,)]
    assert old.all("SELECT count(*) FROM chg_origin") == [(0,)]


async def test_a_key_that_somebody_took_past_the_sequence_is_tried_again(rows, old: OldPostgres):
    """Taken for a refusal of the row, what people wrote here never came home."""
    (pair,) = crossing.read(MOVING.encode()).of_type("AllergyIntolerance")
    (highest,) = old.all("SELECT max(id) FROM allergies")[0]
    theirs = "INSERT INTO allergies (id, mrn, substance, upd_ts) VALUES (?, 'HS-1', 'Theirs', '')"
    old.do(theirs, highest + 1)
    row = {"mrn": "HS-1", "substance": "Zinc", "upd_ts": ""}
    with pytest.raises(Unavailable):
        await rows.insert(pair, None, row, "polyclinic|AllergyIntolerance/x")
    made = await rows.insert(pair, None, row, "polyclinic|AllergyIntolerance/x")
    assert made == str(highest + 2)


async def test_a_source_with_another_database_follows_that_ones_log(world: World, tmp_path: Path):
    """From where the other's log had come, it passed over all lines of the new one."""
    for city in ("One", "Two", "Three"):
        world.do("UPDATE patients SET city = ?", city)
    await world.settle()
    (before,) = await store.sources(world.passage.database)
    await world.begin("forward", "patients")
    beforehand = await world.way()
    world.do("UPDATE patients SET city = ?", "Four")
    folder = tmp_path / "another"
    folder.mkdir()
    another = OldSqlite(folder, 400)
    await data.set_up(world.passage, ADMIN, MOVING, another.url, None)
    # Whoever is still on the way along the other one notes nothing of it.
    assert not await moving.step(beforehand)
    await store.followed(world.passage.database, SYSTEM, beforehand.version, 5000)
    where = world.passage.database, SYSTEM
    (patients, *_) = await store.standing(*where)
    await store.fill(*where, beforehand.version, "patients", patients["changed"])
    (after,) = await store.sources(world.passage.database)
    another.close()
    assert before["log_seq"] > 0
    assert after["log_seq"] == 0
    assert not any(pair["filled"] for pair in await store.pairs(*where))


async def test_sessions_for_reading_cannot_write(rows):
    async with rows._database.reading() as connection:
        assert await connection.fetchval("SHOW default_transaction_read_only") == "on"
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("DELETE FROM chg_origin")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE patients RENAME TO people", "no table patients"),
        ("ALTER TABLE patients RENAME COLUMN city TO town", "no column city"),
        ("ALTER TABLE meds DROP CONSTRAINT meds_pkey", "no key of meds"),
        (f"REVOKE SELECT ON labs FROM {ROLE}", "right to SELECT id of labs"),
        ("ALTER SEQUENCE chg_log_seq_seq CACHE 20", "drawn ahead of time"),
        ("ALTER TABLE problems ALTER prob_no TYPE text; ", "whole numbers alone"),
    ],
)
async def test_what_is_missing_is_named_when_the_source_is_set_up(rows, old, statement, said):
    if "prob_no" in statement:
        statement = "ALTER TABLE problems ALTER prob_no DROP IDENTITY; " + statement
    old.do(statement)
    with pytest.raises(Invalid, match=said):
        await rows.check()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (f"REVOKE UPDATE ON patients FROM {ROLE}", "right to UPDATE"),
        (f"REVOKE INSERT ON patients FROM {ROLE}", "right to INSERT"),
        (f"REVOKE DELETE ON chg_origin FROM {ROLE}", "right to DELETE"),
        ("ALTER TABLE patients ALTER id DROP IDENTITY", "no default"),
    ],
)
async def test_what_is_missing_for_the_way_back_is_named_when_it_is_asked_for(
    world: World, statement, said
):
    world.do(statement)
    await world.begin("forward", "patients")
    with pytest.raises(Invalid, match=said):
        await world.begin("both", "patients")


async def test_the_guides_log_and_grants_are_enough(old: OldPostgres):
    guide = (Path(__file__).parents[3] / "docs/guides/move-data.md").read_text()
    sql = guide.partition("```sql")[2].partition("```")[0]
    old.do("DROP TRIGGER chg ON patients; DROP FUNCTION note_change CASCADE")
    old.do(f"DROP TABLE chg_log, chg_origin; REVOKE ALL ON patients, allergies FROM {ROLE}")
    old.do(sql.replace("CREATE ROLE mover LOGIN PASSWORD '…';", "").replace("mover", ROLE))
    text = MOVING[: MOVING.index("  - name: problems")]
    rows = open_rows(old.url, source := crossing.read(text.encode()))
    await rows.check()
    for pair in source.pairs:
        await rows.check_back(pair)
    old.do("UPDATE patients SET city = 'There' WHERE id = (SELECT min(id) FROM patients)")
    row = {"mrn": "HS-1", "last_nm": "Doe", "upd_ts": "", "del_flag": "N"}
    await rows.insert(source.pairs[0], None, row, "polyclinic|Patient/x")
    origins = [change.origin for change in (await rows.news(0, 500)).changes]
    assert origins == ["", "polyclinic|Patient/x"]
    await rows.close()


async def test_names_are_quoted_and_texts_of_all_types_are_moved_as_they_stand(old: OldPostgres):
    old.do('CREATE TABLE "Order" (id uuid PRIMARY KEY, "Select" boolean, at timestamp, n numeric)')
    old.do("INSERT INTO \"Order\" VALUES (gen_random_uuid(), true, '2026-03-02 08:30', 1.50)")
    old.do(f'GRANT SELECT ON "Order" TO {ROLE}')
    fields = ({"column": name, "path": "note[0].text"} for name in ("Select", "at", "n"))
    pair = {"name": "orders", "table": "Order", "key": "id", "type": "ServiceRequest",
            "number": "text", "fields": list(fields), "absent": {"Select": False}}  # fmt: skip
    log = crossing.read(MOVING.encode()).log
    source = msgspec.convert({"system": "x", "log": log, "pairs": [pair]}, crossing.Source)
    rows = open_rows(old.url, source)
    await rows.check()
    (row,) = await rows.page(source.pairs[0], None, 10)
    assert (row["Select"], row["at"], row["n"]) == ("true", "2026-03-02 08:30:00", "1.50")
    assert await rows.rows(source.pairs[0], [row["id"], "no uuid", str(uuid.uuid4())]) == [row]
    assert await rows.page(source.pairs[0], row["id"], 10) == []
    assert crossing.columns(source.pairs[0], row) is not None
    assert crossing.columns(source.pairs[0], row | {"Select": "false"}) is None
    await rows.close()


async def test_values_that_no_key_can_have_are_found_nowhere(rows):
    source = crossing.read(MOVING.encode())
    asked = ["1001", "x", "9" * 30, "1; DROP TABLE patients", ""]
    assert set(await rows.lookup(source.pair("patients"), "id", asked)) == {"1001"}


async def test_no_error_says_a_password_or_a_value(rows, old: OldPostgres, monkeypatch, tmp_path):
    pair = crossing.read(MOVING.encode()).pair("patients")
    (mrn,) = old.all("SELECT mrn FROM patients LIMIT 1")[0]
    with pytest.raises(Refused) as refused:
        await rows.insert(pair, None, {"mrn": mrn, "last_nm": "Doe", "upd_ts": ""}, "t")
    assert mrn not in str(refused.value)
    assert refused.value.__cause__ is None
    wrong = tmp_path / "wrong"
    wrong.write_text(f"*:*:*:{ROLE}:wrong {PASSWORD}\n")
    wrong.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(wrong))
    with pytest.raises(Unavailable, match="does not let us in") as kept_out:
        await open_rows(old.url, crossing.read(MOVING.encode())).newest()
    assert PASSWORD not in repr(kept_out.value)
    assert kept_out.value.__cause__ is None


def test_a_line_is_settled_when_all_who_wrote_before_it_was_seen_have_ended():
    window = Window()
    window.hear([5, 7])
    window.mark(7, 100)
    assert window.settled(7, 99) == 0
    assert window.settled(6, 100) == 0, "the log was not read as far"
    assert window.settled(7, 100) == 7
    window.mark(9, 120)
    assert window.settled(9, 110) == 7
    window.forget(7)
    assert (window.is_heard(7), window.top) == (False, 9)
