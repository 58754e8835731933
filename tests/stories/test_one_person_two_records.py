"""A merge in records is followed by appointments and billing, and so is its end."""

import asyncio
import dataclasses
import time
import uuid
from datetime import timedelta

from polyclinic.contracts.records import PatientsMerged, PatientsParted
from polyclinic.fhirserver.merged import Said
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.fhirserver.store import merging
from polyclinic.foundation import clock
from polyclinic.foundation.caller import Caller
from polyclinic.services.records.actions import merging as records_merging
from polyclinic.services.records.domain import Pair

SERVICES = ("identity", "records", "appointments", "billing")
OPERATOR = Caller("operator", "test", "system", frozenset({"system/*.cruds"}), None, "t-operator")


async def _joined(running, names: set[str]) -> bool:
    found = await merging.aliases(running.database)
    return {(each.id, each.other) for each in found if each.id in names} == {
        (one, other) for one in names for other in names if one != other
    }


async def _until(condition) -> None:
    deadline = time.monotonic() + 60
    while not await condition():
        assert time.monotonic() < deadline, "the other services never heard of it"
        await asyncio.sleep(0.05)


async def test_every_service_that_keeps_resources_follows(assembled):
    async with assembled(*SERVICES) as process:
        server = process.running["records"].state
        errand = server.errand(OPERATOR)
        names = [f"one-{uuid.uuid4().hex}", f"two-{uuid.uuid4().hex}"]
        for name in names:
            resource = {"resourceType": "Patient", "id": name}
            ask = Ask("PUT", ("Patient", name), resource=resource)
            await server.interactions.carry(errand, ask, "http://clinic.test/fhir")
        pair = Pair(*names)
        await records_merging.merge(server, errand, pair)
        others = [process.running[name] for name in ("appointments", "billing")]
        for running in others:
            await _until(lambda running=running: _joined(running, set(names)))
        await records_merging.part(server, errand, pair)
        for running in others:

            async def parted(running=running):
                return not await merging.aliases(running.database)

            await _until(parted)


async def test_a_merge_that_is_told_twice_is_one(assembled):
    async with assembled("appointments") as process:
        running = process.running["appointments"]
        terms = running.state.server.store.terms
        told = merging.Merge(uuid.uuid4(), "a", "b", clock.now())
        for expected in (True, False):
            async with running.database.transaction() as tx:
                assert await merging.begin(tx, terms, told) is expected
        assert await _joined(running, {"a", "b"})
        later = dataclasses.replace(told, id=uuid.uuid4(), at=told.at + timedelta(seconds=1))
        async with running.database.transaction() as tx:
            assert not await merging.begin(tx, terms, later), "one record is given up once"
            assert await merging.end(tx, terms, told.id, clock.now())
            assert not await merging.end(tx, terms, told.id, clock.now())
        assert await merging.aliases(running.database) == []


def test_what_is_followed_has_the_shape_of_what_is_said():
    for event in (PatientsMerged, PatientsParted):
        assert event.__annotations__ == Said.__annotations__
