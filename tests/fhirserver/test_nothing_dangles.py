"""A deletion and a reference that meet: one of them waits and is refused, and nothing dangles."""

import asyncio
import random
from collections import Counter

from fhir_clinic import SYSTEM, Clinic, open_clinic

from polyclinic.fhirserver.store.draft import Draft
from polyclinic.foundation import ids

PATIENTS = 6


def person(name):
    return {"resourceType": "Patient", "id": name}


def observation(subject, name=None, **more):
    made = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    return {**made, "subject": {"reference": subject}, **({"id": name} if name else {}), **more}


def draft(clinic: Clinic, kind, name, resource):
    errand = clinic.server.errand(SYSTEM)
    found = Draft(errand, errand.access.to("d" if resource is None else "c", kind), kind, name,
                  resource)  # fmt: skip
    clinic.server.store.drafting.index(found)
    return found


async def is_waiting(clinic: Clinic, task):
    for _ in range(500):
        assert not task.done(), "it should have waited"
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        if await clinic.database.fetchval(query):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_who_refers_waits_for_a_deletion_and_is_refused(clinic: Clinic):
    await clinic.put(person("going"))
    store = clinic.server.store
    async with clinic.database.transaction() as tx:
        await store.apply(tx, [draft(clinic, "Patient", "going", None)])
        made = asyncio.create_task(
            clinic.ask(SYSTEM, "POST", "Observation", observation("Patient/going"))
        )
        await is_waiting(clinic, made)
    assert (await made).status == 422


async def test_an_update_that_comes_to_refer_waits_too(clinic: Clinic):
    await clinic.put(person("gone"), person("stays"), observation("Patient/stays", "turns"))
    store = clinic.server.store
    async with clinic.database.transaction() as tx:
        await store.apply(tx, [draft(clinic, "Patient", "gone", None)])
        changed = asyncio.create_task(
            clinic.ask(SYSTEM, "PUT", "Observation/turns", observation("Patient/gone", "turns"))
        )
        await is_waiting(clinic, changed)
    assert (await changed).status == 422
    kept = await clinic.ask(SYSTEM, "GET", "Observation/turns")
    assert kept.body["subject"]["reference"] == "Patient/stays"


async def test_a_deletion_waits_for_who_refers_and_is_refused(clinic: Clinic):
    await clinic.put(person("wanted"))
    store = clinic.server.store
    async with clinic.database.transaction() as tx:
        name = ids.new_id()
        await store.apply(tx, [draft(clinic, "Observation", name, observation("Patient/wanted"))])
        deleted = asyncio.create_task(clinic.ask(SYSTEM, "DELETE", "Patient/wanted"))
        await is_waiting(clinic, deleted)
    assert (await deleted).status == 409
    assert (await clinic.ask(SYSTEM, "GET", "Patient/wanted")).status == 200


async def test_an_update_of_a_patient_holds_up_nobody_who_refers_to_it(clinic: Clinic):
    await clinic.put(person("busy"))
    errand = clinic.server.errand(SYSTEM)
    change = Draft(errand, errand.access.to("u", "Patient"), "Patient", "busy",
                   {**person("busy"), "active": True})  # fmt: skip
    clinic.server.store.drafting.index(change)
    async with clinic.database.transaction() as tx:
        await clinic.server.store.apply(tx, [change])
        asked = clinic.ask(SYSTEM, "POST", "Observation", observation("Patient/busy"))
        made = await asyncio.wait_for(asked, 25)
    assert made.status == 201


async def storm(clinics, dice, steps):
    """Creates, updates, deletions and transactions of two processes over the same few places."""
    found: Counter[str] = Counter()

    async def step():
        clinic = dice.choice(clinics)
        one, two = (f"p{dice.randrange(PATIENTS)}" for _ in range(2))
        twice = observation(f"Patient/{one}", performer=[{"reference": f"Patient/{two}"}])
        kind = dice.choice(["create", "update", "delete", "revive", "bundle"])
        if kind == "create":
            answer = await clinic.ask(SYSTEM, "POST", "Observation", twice)
        elif kind == "update":
            name = f"o{dice.randrange(PATIENTS)}"
            answer = await clinic.ask(SYSTEM, "PUT", f"Observation/{name}", {**twice, "id": name})
        elif kind == "delete":
            place = dice.choice([f"Patient/{one}", f"Observation/o{dice.randrange(PATIENTS)}"])
            answer = await clinic.ask(SYSTEM, "DELETE", place)
        elif kind == "revive":
            answer = await clinic.ask(SYSTEM, "PUT", f"Patient/{one}", person(one))
        else:
            put = {"request": {"method": "PUT", "url": "Observation/o1"},
                   "resource": {**twice, "id": "o1"}}  # fmt: skip
            gone = {"request": {"method": "DELETE", "url": f"Patient/{two}"}}
            answer = await clinic.transaction(SYSTEM, put, gone)
        found[f"{kind} {answer.status}"] += 1

    for _ in range(steps // 20):
        await asyncio.gather(*(step() for _ in range(20)))
    return found


async def test_a_storm_of_deletions_and_references_leaves_nothing_dangling(
    clinic: Clinic, postgres_url, key_file, record_property
):
    await clinic.put(*(person(f"p{n}") for n in range(PATIENTS)))
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await clinic.database.fetchval(query)
    async with open_clinic(postgres_url, key_file, beside=clinic) as second:
        found = await storm([clinic, second], random.Random("dangling"), 400)
    record_property("storm", dict(found))
    assert found["create 201"]
    assert found["create 422"]
    assert found["delete 204"]
    assert found["delete 409"]
    assert not any(key.endswith(("500", "503")) for key in found), found
    await clinic.database.execute("SELECT pg_stat_force_next_flush()")
    assert await clinic.database.fetchval(query) == before, "no deadlock"
    living = {
        f"Patient/p{n}"
        for n in range(PATIENTS)
        if (await clinic.ask(SYSTEM, "GET", f"Patient/p{n}")).status == 200
    }
    for page in await clinic.walk(SYSTEM, "Observation", [("_count", "200")]):
        for entry in page.body.get("entry", []):
            resource = entry["resource"]
            for holder in (resource["subject"], *resource.get("performer", [])):
                name = holder["reference"]
                assert name in living or not name.startswith("Patient/p"), name
