"""Whatever a superuser does to a log or to the tree is found, and named; untouched, nothing is."""

import re
from contextlib import asynccontextmanager

import pytest

from polyclinic.services.audit.actions import gathering, signing
from polyclinic.standards.transparency import merkle
from polyclinic.standards.transparency.note import Checkpoint, Signer, notes_of

LOGS = {
    "records.access": "records.access_log",
    "appointments.access": "appointments.access_log",
    "billing.access": "billing.access_log",
    "integration.access": "integration.access_log",
    "audit.access": "audit.access_log",
    "identity.security": "identity.security_event",
}
COLUMN = dict.fromkeys(LOGS, "actor") | {"identity.security": "kind"}
# The row in the middle, and those that the statements below are about.
MIDDLE = "(SELECT position FROM {t} ORDER BY tx, position OFFSET 2 LIMIT 1)"
LAST = "(SELECT position FROM audit.entry WHERE source = '{s}' ORDER BY seq DESC LIMIT 1)"
TAMPERS = {
    "change": ("UPDATE {t} SET {c} = 'nobody' WHERE position = " + MIDDLE, "was changed: {c}"),
    "remove": ("DELETE FROM {t} WHERE position = " + MIDDLE, "was removed"),
    "insert": (
        "INSERT INTO {t} SELECT (jsonb_populate_record(r, jsonb_build_object("
        "'position', -5, 'id', '00000000-0000-7000-8000-000000000000'))).* "
        "FROM {t} r WHERE position = " + MIDDLE,
        "was inserted",
    ),
    "insert for later": (
        "INSERT INTO {t} SELECT (jsonb_populate_record(r, jsonb_build_object("
        "'tx', '99999999', 'position', 9999, 'id', '00000000-0000-7000-8000-000000000000'))).* "
        "FROM {t} r WHERE position = " + MIDDLE,
        "was inserted",
    ),
    "reorder": (
        "UPDATE {t} AS r SET position = o.position, tx = o.tx FROM {t} AS o"
        " WHERE (r.position = " + MIDDLE + " AND o.position = " + LAST + ")"
        " OR (o.position = " + MIDDLE + " AND r.position = " + LAST + ")",
        "was changed",
    ),
    "cut the tail": ("DELETE FROM {t} WHERE position >= " + LAST, "was removed"),
}


@pytest.fixture(scope="module", autouse=True)
async def busy(house):
    """Some rows in every log, all of them gathered and signed."""
    await house.put({"resourceType": "Patient", "id": "ada"})
    kinds = ("Patient/ada", "Appointment/none", "Invoice/none", "Subscription/none")
    for name in kinds:
        await house.look(name, 4)
    for n in range(4):
        await house.sql(
            "INSERT INTO audit.access_log (request, type, action, actor, client)"
            " VALUES (gen_random_uuid(), 1, 'r', $1, 'c')",
            f"a{n}",
        )
        await house.token("system/Patient.r", f"someone-{n}")
    await house.gathered()
    await house.look("Patient/ada", 300)
    await house.gathered()


@asynccontextmanager
async def undone(house, *tables):
    """Puts tables back as they were, whatever was done to them."""
    with house.unwatched():
        for n, table in enumerate(tables):
            await house.sql(f"CREATE TABLE kept_{n} AS TABLE {table}")
        try:
            yield
        finally:
            for n, table in enumerate(tables):
                await house.tamper(f"TRUNCATE {table}")
                await house.tamper(f"INSERT INTO {table} SELECT * FROM kept_{n}")
                await house.sql(f"DROP TABLE kept_{n}")


async def test_untouched_logs_are_found_whole(house):
    """The negative control: the same command over the same rows."""
    code, said = await house.verified()
    assert code == 0, said
    assert said.endswith("Nothing is broken.\n")
    for source in LOGS:
        assert re.search(rf"{source}: [1-9]", said), said


@pytest.mark.parametrize("source", LOGS)
@pytest.mark.parametrize("tamper", TAMPERS)
async def test_one_row_of_any_services_log(house, source, tamper):
    table, column = LOGS[source], COLUMN[source]
    statement, what = TAMPERS[tamper]
    async with undone(house, table):
        done = await house.tamper(statement.format(t=table, c=column, s=source))
        assert not done.endswith(" 0"), done
        code, said = await house.verified()
    assert code == 1, said
    [first, *_] = [line for line in said.splitlines() if line.startswith("BROKEN")]
    assert first.startswith(f"BROKEN: {source}, row 1."), said
    assert what.format(c=column) in first, said


ENTRY = "(SELECT max(seq) / 2 FROM audit.entry)"
OWN = {
    "a changed leaf": (
        "UPDATE audit.entry SET leaf = sha256('x') WHERE seq = " + ENTRY,
        "audit.entry, row \\d+: was changed",
    ),
    "changed bytes": (
        "UPDATE audit.entry SET body = body || ' ' WHERE seq = " + ENTRY,
        "audit.entry, row \\d+: was changed",
    ),
    "a column that searches use": (
        "UPDATE audit.entry SET patient = 1 WHERE seq = " + ENTRY,
        "audit.entry, row \\d+: was changed",
    ),
    "a leaf with bytes to fit": (
        "UPDATE audit.entry SET body = body || ' ', leaf = sha256('\\x00' || body || ' ')"
        " WHERE seq = " + ENTRY,
        "row 1[.0-9]+: was changed",
    ),
    "a removed row": (
        "DELETE FROM audit.entry WHERE seq = " + ENTRY,
        "audit.entry, row \\d+ to \\d+: is missing",
    ),
    "a cut tail": (
        "DELETE FROM audit.entry WHERE seq >= " + ENTRY,
        "audit.entry, row \\d+ to \\d+: was cut off",
    ),
    "an inserted row": (
        "INSERT INTO audit.entry SELECT (SELECT max(seq) + 1 FROM audit.entry), source, 0, 1, 1,"
        " min(at), 1, '', sha256('x'),"
        ' \'{"source":"x","generation":0,"tx":1,"position":1,"at":"2026-01-01T00:00:00Z"}\''
        " FROM audit.entry WHERE source = 'records.access' GROUP BY source",
        "audit.entry, row \\d+: was changed",
    ),
    "rows in another order": (
        "WITH two AS (SELECT seq, CASE WHEN seq = 10 THEN 11 ELSE 10 END AS other FROM audit.entry"
        " WHERE seq IN (10, 11)) UPDATE audit.entry e SET body = o.body, leaf = o.leaf,"
        " source = o.source, generation = o.generation, tx = o.tx, position = -o.position,"
        " at = o.at, patient = o.patient, actor = o.actor FROM two JOIN audit.entry o"
        " ON o.seq = two.other WHERE e.seq = two.seq",
        "audit.entry, row 1[01]: was changed",
    ),
    "a changed node": (
        "UPDATE audit.node SET hash = sha256('x') WHERE level = 1 AND position = 0",
        "audit.node, row 1/0: was changed",
    ),
    "a removed node": (
        "DELETE FROM audit.node WHERE position = 0",
        "audit.node, row 1/0: is missing",
    ),
    "a removed checkpoint": (
        "DELETE FROM audit.checkpoint WHERE size = (SELECT max(size) FROM audit.checkpoint)",
        "audit.checkpoint, row checkpoint of \\d+: was removed",
    ),
    "a changed checkpoint": (
        "UPDATE audit.checkpoint SET note = replace(note, 'time 2', 'time 3')",
        "audit.checkpoint, row a checkpoint: The signature",
    ),
}


@pytest.mark.parametrize("tamper", OWN)
async def test_anything_in_audits_own_tables(house, tamper):
    statement, what = OWN[tamper]
    async with undone(house, "audit.entry", "audit.node", "audit.checkpoint"):
        assert not (await house.tamper(statement)).endswith(" 0")
        code, said = await house.verified()
    assert code == 1, said
    assert re.search(f"BROKEN: [a-z.]*,? ?.*{what}", said), said


async def test_a_tree_that_was_changed_is_neither_signed_nor_added_to(house):
    engine = house.running.state
    async with undone(house, "audit.entry"):
        last = "(SELECT max(seq) FROM audit.entry)"
        await house.tamper(f"UPDATE audit.entry SET leaf = sha256('x') WHERE seq = {last}")
        engine.sound_until = 0.0
        with pytest.raises(signing.Broken):
            await signing.sign(engine)
        assert await signing.is_broken(engine)
    assert await gathering.gather(engine) >= 0
    assert not await signing.is_broken(engine)


async def rewritten(house, signer):
    """The whole tree again without one row, as whoever holds the database could make it."""
    rows = [bytes.fromhex(each["leaf"]) for each in await house.entries()][:-1]
    await house.tamper("DELETE FROM audit.entry WHERE seq = (SELECT max(seq) FROM audit.entry)")
    await house.tamper("DELETE FROM audit.checkpoint")
    last = (await house.sql("SELECT max(at) AS at FROM audit.entry"))[0]["at"]
    made = Checkpoint("polyclinic/audit", len(rows), merkle.root_of(rows), last)
    await house.tamper(
        "INSERT INTO audit.checkpoint VALUES ($1, $2, $3)",
        len(rows),
        last,
        signer.sign(made.text()),
    )
    return made


async def test_a_whole_rewritten_tree_without_the_key(house):
    await house.gathered()
    async with undone(house, "audit.entry", "audit.node", "audit.checkpoint"):
        await rewritten(house, Signer.of("polyclinic/audit", bytes(32)))
        code, said = await house.verified()
    assert code == 1
    assert "audit.checkpoint, row a checkpoint: No key that is known signed this note." in said
    assert "was cut off: it was signed" in said


async def test_a_whole_rewritten_tree_with_the_key_is_found_by_the_anchors(house):
    await house.gathered()
    async with undone(house, "audit.entry", "audit.node", "audit.checkpoint"):
        await rewritten(house, house.running.state.signer)
        code, said = await house.verified()
    assert code == 1
    assert "was cut off: it was signed" in said


async def test_two_views_of_one_size(house, tmp_path):
    """A log that shows one tree to some and another to others."""
    engine, size = house.running.state, await house.gathered()
    notes = notes_of(house.anchors.read_text())
    other = Checkpoint(
        "polyclinic/audit", size, b"\x01" * 32, (await house.sql("SELECT now()"))[0][0]
    )
    theirs = tmp_path / "theirs.txt"
    theirs.write_text(
        "".join(note + "\n" for note in [*notes[:-1], engine.signer.sign(other.text())])
    )
    with house.unwatched():
        ours = await house.verified(key=str(engine.signer.verifier))
        both = await house.verified(house.anchors, theirs, key=str(engine.signer.verifier))
    assert ours[0] == 0, ours[1]
    assert both[0] == 1
    assert f"checkpoint of {size}: is one of two views of this size" in both[1]


async def test_another_key_than_the_one_that_was_kept(house):
    kept = str(Signer.of("polyclinic/audit", bytes(32)).verifier)
    code, said = await house.verified(key=kept)
    assert code == 1
    assert "BROKEN: audit, row its key: is not the one that is trusted here." in said


async def test_the_tables_refuse_changes_by_the_service_itself(house):
    database = house.running.database
    for table in ("entry", "node", "checkpoint"):
        for statement in (f"DELETE FROM audit.{table}", f"TRUNCATE audit.{table}"):
            with pytest.raises(Exception, match="rows here are only added"):
                await database.execute(statement)
