"""Somebody with the database in hand: what was moved or changed does not open, the rest does."""

import asyncio
import json

import pytest
from records_door import Door, bundle, issues_of, observation, patient

SENTENCE = "does not open"


@pytest.fixture
async def people(own_door: Door) -> list[str]:
    """Three patients, each with one observation; keys are not in memory, as after a start."""
    made = [await own_door.make(patient(name=[{"family": f"Ruiz{n}"}])) for n in range(3)]
    for each in made:
        await own_door.make(observation(f"Patient/{each['id']}"))
    forget(own_door)
    return [each["id"] for each in made]


def forget(door: Door) -> None:
    """As a new process would be: no key in memory."""
    for cache in ("_keys", "_owners"):
        getattr(door.server.store.vault, cache).clear()


async def refused(door: Door, path: str) -> None:
    answer = await door.send("GET", path)
    assert answer.status_code == 500, answer.text
    text = issues_of(answer)[0]["diagnostics"]
    assert SENTENCE in text
    assert "Ruiz" not in answer.text


async def found(door: Door, path: str) -> dict:
    answer = await door.send("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def of_modes(door: Door, path: str) -> tuple[set[str], list[str]]:
    """The ids on a page, and what it says of those that do not open."""
    ids, texts = set(), []
    for entry in (await found(door, path)).get("entry", []):
        if entry["search"]["mode"] == "outcome":
            texts += [issue["diagnostics"] for issue in entry["resource"]["issue"]]
        else:
            ids.add(entry["resource"]["id"])
    return ids, texts


async def test_swapped_envelopes_do_not_open_and_their_neighbours_do(own_door, people):
    first, second, third = people
    await own_door.sql(
        """UPDATE records.resource r SET envelope = o.envelope FROM records.resource o
           WHERE (r.id, o.id) IN (($1, $2), ($2, $1))""",
        first,
        second,
    )
    paths = [f"/fhir/Patient/{name}" for name in people]
    answers = await asyncio.gather(*(own_door.send("GET", path) for path in paths * 5))
    assert [answer.status_code for answer in answers] == [500, 500, 200] * 5
    for answer in answers:
        if answer.status_code == 200:
            assert answer.json()["id"] == third
        else:
            assert SENTENCE in issues_of(answer)[0]["diagnostics"]
            assert "Ruiz" not in answer.text
    ids, texts = await of_modes(own_door, "/fhir/Patient")
    assert ids == {third}
    assert len(texts) == 2
    assert all(SENTENCE in text for text in texts)


async def test_every_part_of_an_envelope_is_guarded(own_door, people):
    name = people[0]
    (row,) = await own_door.sql("SELECT envelope FROM records.resource WHERE id = $1", name)
    envelope: bytes = row["envelope"]
    changed = [envelope[:n] + bytes([envelope[n] ^ 1]) + envelope[n + 1 :] for n in range(0, 60)]
    changed += [envelope[:-1], envelope[:20], b"", b"HP", envelope + b"\0", envelope[::-1]]
    for each in changed:
        await own_door.sql("UPDATE records.resource SET envelope = $2 WHERE id = $1", name, each)
        await refused(own_door, f"/fhir/Patient/{name}")
    ids, texts = await of_modes(own_door, "/fhir/Patient")
    assert ids == set(people[1:])
    assert len(texts) == 1
    await own_door.sql("UPDATE records.resource SET envelope = $2 WHERE id = $1", name, envelope)
    assert (await found(own_door, f"/fhir/Patient/{name}"))["id"] == name


async def test_an_older_version_does_not_open_as_the_current_one(own_door, people):
    name = people[0]
    path = f"/fhir/Patient/{name}"
    kept = await found(own_door, path)
    changed = {**kept, "active": False}
    assert (await own_door.send("PUT", path, resource=changed)).status_code == 200
    await own_door.sql(
        """UPDATE records.resource r SET envelope = v.envelope FROM records.version v
           WHERE r.id = $1 AND v.pid = r.pid""",
        name,
    )
    await refused(own_door, path)
    past = await found(own_door, f"{path}/_history/1")
    assert past["meta"]["versionId"] == "1"
    await refused(own_door, f"{path}/_history/2")
    shown = (await found(own_door, f"{path}/_history"))["entry"]
    assert [entry["response"]["etag"] for entry in shown] == ['W/"2"', 'W/"1"']
    assert SENTENCE in shown[0]["response"]["outcome"]["issue"][0]["diagnostics"]
    assert "resource" not in shown[0]
    assert shown[1]["resource"] == past


async def test_an_id_that_was_changed_in_the_table_does_not_bring_somebody_elses_record(
    own_door, people
):
    await own_door.sql("UPDATE records.resource SET id = 'mine' WHERE id = $1", people[0])
    await refused(own_door, "/fhir/Patient/mine")


async def test_a_changed_key_takes_only_its_own_patients_records_away(own_door, people):
    query = """UPDATE records.data_key
        SET wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)
        WHERE key_id IN (SELECT substring(envelope FROM 6 FOR 16) FROM records.resource
                         WHERE id = $1)"""
    await own_door.sql(query, people[0])
    forget(own_door)
    paths = [f"/fhir/Patient/{name}" for name in people]
    answers = await asyncio.gather(*(own_door.send("GET", path) for path in paths))
    assert [answer.status_code for answer in answers] == [500, 200, 200]
    # Neither do writers of other charts suffer who travel in the same batch.
    wanted = [observation(f"Patient/{name}") for name in people for _ in range(3)]
    written = await asyncio.gather(
        *(own_door.send("POST", "/fhir/Observation", resource=each) for each in wanted)
    )
    assert [answer.status_code for answer in written] == [500] * 3 + [201] * 6
    ids, texts = await of_modes(own_door, "/fhir/Observation?_count=100")
    assert (len(ids), len(texts)) == (8, 1)


async def test_a_destroyed_key_leaves_its_chart_closed_and_the_others_open(own_door, people):
    await own_door.sql(
        """DELETE FROM records.data_key WHERE key_id = (
               SELECT substring(envelope FROM 6 FOR 16) FROM records.resource WHERE id = $1)""",
        people[0],
    )
    forget(own_door)
    await refused(own_door, f"/fhir/Patient/{people[0]}")
    ids, texts = await of_modes(own_door, "/fhir/Observation?_include=Observation:subject")
    assert len(texts) == 1
    assert set(people[1:]) < ids
    entries = (await found(own_door, f"/fhir/Observation?patient=Patient/{people[0]}"))["entry"]
    assert [entry["search"]["mode"] for entry in entries] == ["outcome"]


async def test_what_several_patients_share_opens_as_long_as_one_of_them_has_a_key(own_door, people):
    members = [{"entity": {"reference": f"Patient/{name}"}} for name in people[:2]]
    shared = {"resourceType": "Group", "type": "person", "actual": True, "member": members}
    kept = await own_door.make(shared)
    path = f"/fhir/Group/{kept['id']}"
    destroy = """DELETE FROM records.data_key WHERE key_id = (
        SELECT substring(envelope FROM 6 FOR 16) FROM records.resource WHERE id = $1)"""
    forget(own_door)
    assert (await found(own_door, path))["id"] == kept["id"]
    await own_door.sql(destroy, people[0])
    forget(own_door)
    assert (await found(own_door, path))["id"] == kept["id"]
    await own_door.sql(destroy, people[1])
    forget(own_door)
    await refused(own_door, path)


async def test_in_a_batch_each_entry_answers_for_itself(own_door, people):
    await own_door.sql(
        "UPDATE records.resource SET envelope = set_byte(envelope, 50, 0) || '\\x00'::bytea"
        " WHERE id = $1",
        people[1],
    )
    gets = [{"request": {"method": "GET", "url": f"Patient/{name}"}} for name in people]
    answer = await own_door.send("POST", "/fhir", resource=bundle("batch", *gets))
    statuses = [entry["response"]["status"][:3] for entry in answer.json()["entry"]]
    assert statuses == ["200", "500", "200"]


async def test_what_does_not_open_is_a_line_in_the_log_without_names(own_door, people, caplog):
    await own_door.sql(
        "UPDATE records.resource SET envelope = envelope || '\\x00'::bytea WHERE id = $1", people[0]
    )
    with caplog.at_level("INFO", logger="polyclinic"):
        await refused(own_door, f"/fhir/Patient/{people[0]}")
    lines = [record.getMessage() for record in caplog.records]
    assert "unreadable" in lines
    assert people[0] not in json.dumps([record.__dict__ for record in caplog.records], default=str)


async def test_what_does_not_open_can_be_replaced(own_door, people):
    path = f"/fhir/Patient/{people[0]}"
    kept = await found(own_door, path)
    await own_door.sql(
        "UPDATE records.resource SET envelope = envelope || '\\x00'::bytea WHERE id = $1", people[0]
    )
    assert (await own_door.send("PUT", path, resource=kept)).status_code == 200
    assert (await found(own_door, path))["meta"]["versionId"] == "2"
