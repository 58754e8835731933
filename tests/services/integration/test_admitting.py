"""The desk and messages that stopped before they were somebody's: who is meant, and no more."""

import uuid

import pytest
from integration_door import ADMIN, CLINICIAN, DESK, PATIENT, SENDER, message

from polyclinic.fhirserver.store.read import DENIED
from polyclinic.foundation.errors import Invalid
from polyclinic.services.integration.domain.outcomes import Outcome
from polyclinic.services.integration.gateways import records
from polyclinic.services.integration.store import relations

MESSAGES = "/integration/messages"
CLINICAL = ("PV1|1|O|3W^301^A|||||||MED|||||||||V-7^^^MAIN^VN", "DG1|1||E11.9^Diabetes^I10")


@pytest.fixture(autouse=True)
async def channel(door):
    await door.deploy()
    yield
    door.owners.say = door.owners.agree


def refuse(*_):
    raise Invalid("Oakes was not born on 19991332.", place="PID-7")


async def stopped(door, say=refuse, *, state="parked"):
    """A message about a diabetic whom nobody could find out; the owners agree from now on."""
    door.owners.say = say
    raw = message("", uuid.uuid4().hex[:10], "ADT^A08", *CLINICAL)
    received = await door.receive(raw)
    await door.until(received.message, state)
    door.owners.say = door.owners.agree
    return received.message


async def logged(door, name):
    query = "SELECT outcome FROM integration.access_log WHERE id = $1 ORDER BY at"
    return [row["outcome"] for row in await door.sql(query, str(name))]


async def cares(door, practitioner, patient):
    person = door.engine.server.store.terms.person
    async with door.running.database.transaction() as tx:
        source = uuid.uuid4().bytes
        opened = relations.Relation(person(practitioner), person(patient), source, None, None)
        await relations.save(tx, [opened])


async def desks(door, who, name):
    return await door.ask(who, "GET", f"{MESSAGES}/{name}/desk")


async def test_the_desk_reads_who_is_meant_and_which_visit_and_it_is_logged(door):
    name = await stopped(door)
    answer = await desks(door, DESK, name)
    assert answer.status_code == 200, answer.text
    assert {each["name"] for each in answer.json()["parsed"]} == {"PID", "PV1"}
    assert "Keller" in answer.text
    assert "V-7" in answer.text
    assert "Diabetes" not in answer.text
    assert "MED" not in answer.text
    assert await logged(door, name) == [0]


@pytest.mark.parametrize("who", [CLINICIAN, ADMIN, PATIENT, SENDER],
                         ids=["clinician", "administrator", "patient", "sender"])  # fmt: skip
async def test_nobody_else_reads_it_there(door, who):
    name = await stopped(door)
    assert (await desks(door, who, name)).status_code == 403
    link = await door.ask(who, "POST", f"{MESSAGES}/{name}/patient", {"patient": "Patient/p1"})
    assert link.status_code == 403


async def test_it_stands_among_what_waits_for_a_person(door):
    name = await stopped(door)
    waiting = (await door.ask(DESK, "GET", "/integration/waiting")).json()["waiting"]
    (mine,) = [each for each in waiting if each["message"] == str(name)]
    assert (mine["state"], mine["reason"], mine["patients"]) == ("parked", "Invalid", [])


async def test_the_desk_mends_who_is_meant_and_the_copy_is_worked_on(door):
    name = await stopped(door)
    body = {"changes": {"PID-7": "19680314", "PV1-19.1": "V-8"}, "reason": "a wrong day"}
    made = await door.done(DESK, f"{MESSAGES}/{name}/fix", body)
    await door.until(uuid.UUID(made["message"]), "done")
    assert await door.state(name) == "replaced"
    shown = (await door.ask(ADMIN, "GET", f"{MESSAGES}/{made['message']}")).json()
    assert shown["events"][-1]["reason"] == "a wrong day (PID-7, PV1-19.1)"


@pytest.mark.parametrize("path", ["DG1-3", "DG1-3.1", "PV1-10", "MSH-9", "PID-10", "PID[2]-3 x"])
async def test_the_desk_mends_nothing_else(door, path):
    name = await stopped(door)
    body = {"changes": {"PID-7": "19680314", path: "x"}, "reason": "a wrong day"}
    answer = await door.ask(DESK, "POST", f"{MESSAGES}/{name}/fix", body)
    assert (answer.status_code, answer.json()["place"]) == (403, path)
    assert await door.state(name) == "parked"


async def test_a_message_that_is_somebodys_is_not_the_desks(door):
    def known(*_):
        return Outcome("parked", "refused: Invalid", "It is refused.", patients=("Patient/p1",))

    name = await stopped(door, known)
    assert (await desks(door, DESK, name)).status_code == 404
    fix = {"changes": {"PID-7": "19680314"}, "reason": "x"}
    assert (await door.ask(DESK, "POST", f"{MESSAGES}/{name}/fix", fix)).status_code == 404
    assert await logged(door, name) == [DENIED, DENIED]


async def test_a_visit_of_somebody_else_is_the_desks_to_mend_although_a_person_was_found(door):
    def another(*_):
        text = "What has the same number here, such as the visit, is another patient's."
        return Outcome("waiting", "wrong patient", text, patients=("Patient/p1",))

    name = await stopped(door, another, state="waiting")
    assert (await desks(door, DESK, name)).status_code == 200
    body = {"changes": {"PV1-19.1": "V-9"}, "reason": "a number of last year"}
    made = await door.done(DESK, f"{MESSAGES}/{name}/fix", body)
    await door.until(uuid.UUID(made["message"]), "done")


async def test_a_message_that_is_given_a_person_is_open_to_their_clinicians(door, monkeypatch):
    async def known(_, __, names):
        return [{"id": "p1"} if each == "Patient/p1" else None for each in names]

    monkeypatch.setattr(records, "read_as", known)
    name = await stopped(door)
    path = f"{MESSAGES}/{name}/patient"
    assert (await door.ask(DESK, "POST", path, {"patient": "Patient/p2"})).status_code == 400
    await door.done(DESK, path, {"patient": "Patient/p1"})
    assert (await door.ask(DESK, "POST", path, {"patient": "Patient/p1"})).status_code == 404
    assert (await door.ask(CLINICIAN, "GET", f"{MESSAGES}/{name}/content")).status_code == 404
    await cares(door, "Practitioner/ana", "Patient/p1")
    content = await door.ask(CLINICIAN, "GET", f"{MESSAGES}/{name}/content")
    assert "Diabetes" in content.text
    body = {"changes": {"PID-7": "19680314"}, "reason": "a wrong day"}
    made = await door.done(CLINICIAN, f"{MESSAGES}/{name}/fix", body)
    await door.until(uuid.UUID(made["message"]), "done")
    shown = (await door.ask(ADMIN, "GET", f"{MESSAGES}/{name}")).json()
    assert [each["kind"] for each in shown["events"]] == ["linked", "mended"]
