"""What staff see and do: operators run queues without reading, who reads may, and it is logged."""

import uuid

import pytest
from integration_door import (
    ADMIN,
    CLINICIAN,
    DESK,
    OPERATOR,
    PATIENT,
    SENDER,
    caller,
    message,
    open_door,
)

from polyclinic.fhirserver.store.read import DENIED
from polyclinic.foundation.errors import Invalid
from polyclinic.services.integration.actions import showing, watching
from polyclinic.services.integration.domain.outcomes import Outcome
from polyclinic.services.integration.store import relations

MESSAGES = "/integration/messages"


@pytest.fixture(autouse=True)
async def channel(door):
    await door.deploy()
    yield
    door.owners.say = door.owners.agree


def mrn():
    return uuid.uuid4().hex[:10]


async def parked(door, who=None, **header):
    """A message that was refused; the owners agree from now on."""

    def refuse(*_):
        raise Invalid("Oakes was not born on 19991332.", place="PID-7")

    door.owners.say = refuse
    received = await door.receive(message("", who or mrn(), **header))
    await door.until(received.message, "parked")
    door.owners.say = door.owners.agree
    return received.message


async def done(door, who=None, patient="Patient/p1", control=""):
    def agree(*_):
        return Outcome("done", patients=(patient,))

    door.owners.say = agree
    received = await door.receive(message(control, who or mrn()))
    await door.until(received.message, "done")
    return received.message


async def care(door, practitioner, patient):
    person = door.engine.server.store.terms.person
    async with door.running.database.transaction() as tx:
        source = uuid.uuid4().bytes
        opened = relations.Relation(person(practitioner), person(patient), source, None, None)
        await relations.save(tx, [opened])


async def logged(door, name):
    query = "SELECT actor, outcome, patient FROM integration.access_log WHERE id = $1 ORDER BY at"
    return [tuple(row) for row in await door.sql(query, str(name))]


async def test_operators_see_where_messages_stand_and_nothing_of_what_they_say(door):
    name = await parked(door, family="Winterbottom")
    page = await door.ask(ADMIN, "GET", f"{MESSAGES}?state=parked&channel=adt")
    (found,) = [each for each in page.json()["messages"] if each["id"] == str(name)]
    assert (found["kind"], found["reason"]) == ("ADT^A08", "Invalid")
    one = await door.ask(ADMIN, "GET", f"{MESSAGES}/{name}")
    assert one.json()["problem"] == "An owner refused it: Invalid."
    for answer in (page, one):
        assert "Winterbottom" not in answer.text
        assert "19991332" not in answer.text, "an owner's sentence may quote the message"
    read = (await door.ask(OPERATOR, "GET", f"{MESSAGES}/{name}/content")).json()
    assert read["mapped"][0]["translation"]["refused"] == "Oakes was not born on 19991332."
    for path in ("content", "raw"):
        refused = await door.ask(ADMIN, "GET", f"{MESSAGES}/{name}/{path}")
        assert refused.status_code == 403


async def test_who_may_read_sees_a_message_as_it_came_as_it_was_read_and_what_was_made_of_it(door):
    name = await done(door, control="WHOLE")
    told = (await door.ask(OPERATOR, "GET", f"{MESSAGES}/{name}/content")).json()
    assert "WHOLE" in told["raw"]
    assert [each["name"] for each in told["parsed"]] == ["MSH", "EVN", "PID"]
    assert told["parsed"][2]["fields"][1]["field"] == 3
    assert [each["try"] for each in told["mapped"]] == [1]
    assert told["mapped"][0]["translation"]["trigger"] == "ADT^A08"
    raw = await door.ask(OPERATOR, "GET", f"{MESSAGES}/{name}/raw")
    assert raw.content == told["raw"].encode("latin-1")
    assert "no-store" in raw.headers["cache-control"]


async def test_every_look_at_a_patients_message_is_in_the_access_log(door):
    name = await done(door)
    person = door.engine.server.store.terms.person("Patient/p1")
    assert await logged(door, name) == []
    await door.ask(OPERATOR, "GET", f"{MESSAGES}/{name}/content")
    await door.ask(ADMIN, "GET", f"{MESSAGES}/{name}/content")
    assert await logged(door, name) == [
        (OPERATOR.subject, 0, person),
        (ADMIN.subject, DENIED, person),
    ]


async def test_clinicians_read_messages_of_patients_whom_they_care_for_and_of_nobody_else(door):
    await care(door, "Practitioner/ana", "Patient/mine")
    mine, theirs = await done(door, patient="Patient/mine"), await done(door, patient="Patient/no")
    assert (await door.ask(CLINICIAN, "GET", f"{MESSAGES}/{mine}/content")).status_code == 200
    for path in ("", "/content", "/raw"):
        answer = await door.ask(CLINICIAN, "GET", f"{MESSAGES}/{theirs}{path}")
        assert answer.status_code == 404, path
    page = (await door.ask(CLINICIAN, "GET", MESSAGES)).json()["messages"]
    assert {each["id"] for each in page} == {str(mine)}
    assert {outcome for _, outcome, _ in await logged(door, theirs)} == {DENIED}


async def test_a_clinicians_page_is_full_although_others_messages_lie_between(door, monkeypatch):
    monkeypatch.setattr(showing, "PAGE_MAX", 2)
    await care(door, "Practitioner/ana", "Patient/full")
    mine = [await done(door, patient="Patient/full")]
    for _ in range(3):
        await done(door, patient="Patient/no")
    mine.append(await done(door, patient="Patient/full"))
    told = (await door.ask(CLINICIAN, "GET", f"{MESSAGES}?limit=1")).json()
    assert [each["id"] for each in told["messages"]] == [str(mine[1])]
    path = f"{MESSAGES}?limit=1&before={told['next']}"
    told = (await door.ask(CLINICIAN, "GET", path)).json()
    assert [each["id"] for each in told["messages"]] == [str(mine[0])], "not a page with holes"


@pytest.mark.parametrize("who", [DESK, PATIENT, SENDER], ids=["desk", "patient", "sender"])
async def test_nobody_else_sees_messages(door, who):
    name = await done(door)
    for path in ("", f"/{name}", f"/{name}/content", f"/{name}/raw"):
        answer = await door.ask(who, "GET", f"{MESSAGES}{path}")
        assert answer.status_code == 403, path
    for word in ("replay", "skip", "fix"):
        body = {"reason": "x"} | ({"changes": {"PID-5.1": "X"}} if word == "fix" else {})
        answer = await door.ask(who, "POST", f"{MESSAGES}/{name}/{word}", body)
        # The desk mends who is meant where nobody is yet: others are not there for it.
        is_hidden = who is DESK and word == "fix"
        assert answer.status_code == (404 if is_hidden else 403), word


async def test_a_token_that_only_reads_replays_nothing(door):
    name = await parked(door)
    reader = caller("system", None, "system/MessageHeader.r", client="reader")
    assert (await door.ask(reader, "GET", f"{MESSAGES}/{name}/content")).status_code == 200
    for word, body in (("replay", {}), ("skip", {"reason": "x"}),
                       ("fix", {"changes": {"PID-5.1": "X"}, "reason": "x"})):  # fmt: skip
        answer = await door.ask(reader, "POST", f"{MESSAGES}/{name}/{word}", body)
        assert answer.status_code == 403, word


async def test_messages_are_found_by_control_id_record_number_and_patient(door):
    number = mrn()
    name = await done(door, number, "Patient/found", control="LOOK-4711")
    for asked in ({"control": "LOOK-4711"}, {"mrn": number}, {"patient": "Patient/found"}):
        page = await searched(door, **asked)
        assert [each["id"] for each in page] == [str(name)], asked
    assert await searched(door, mrn="nobody", limit=5) == []
    assert len(await logged(door, name)) == 3


@pytest.mark.parametrize("number", ["mrn", "visit", "order", "patient"])
async def test_numbers_of_people_stand_in_no_address(door, number):
    refused = await door.ask(OPERATOR, "GET", f"{MESSAGES}?{number}=204-118-77")
    assert (refused.status_code, refused.json()["place"]) == (400, number)
    assert "204-118-77" not in refused.text
    assert await searched(door, **{number: "204-118-77"}) == []


@pytest.mark.parametrize("asked", [{"colour": "1"}, {"control": "a", "mrn": "b"}, ["mrn"]])
async def test_a_search_that_means_nothing_is_refused(door, asked):
    answer = await door.ask(OPERATOR, "POST", f"{MESSAGES}/search", asked)
    assert answer.status_code == 400


async def searched(door, **asked):
    answer = await door.ask(OPERATOR, "POST", f"{MESSAGES}/search", asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["messages"]


async def test_pages_go_on_where_the_former_one_ended(door):
    for _ in range(5):
        await done(door)
    seen, before = [], ""
    for _ in range(200):
        page = (await door.ask(ADMIN, "GET", f"{MESSAGES}?limit=2{before}")).json()
        seen += [each["number"] for each in page["messages"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert len(seen) >= 5
    assert len((await door.ask(ADMIN, "GET", f"{MESSAGES}?limit=0")).json()["messages"]) == 1
    assert seen == sorted(set(seen), reverse=True)


@pytest.mark.parametrize("query", ["colour=1", "limit=x", "since=noon"])
async def test_a_query_that_means_nothing_is_refused(door, query):
    assert (await door.ask(ADMIN, "GET", f"{MESSAGES}?{query}")).status_code == 400


async def test_a_parked_message_is_replayed_and_what_stood_behind_it_follows(door):
    who = mrn()
    name = await parked(door, who)
    behind = await door.receive(message("", who))
    told = (await door.ask(ADMIN, "GET", f"{MESSAGES}/{behind.message}")).json()
    assert told["stands_behind"] == str(name)
    await door.done(ADMIN, f"{MESSAGES}/{name}/replay", {"reason": "the table was mended"})
    await door.until(behind.message, "done")
    order = [each for each, _ in door.owners.asked if each in (name, behind.message)]
    assert order[-2:] == [name, behind.message]
    told = (await door.ask(ADMIN, "GET", f"{MESSAGES}/{name}")).json()
    assert told["state"] == "done"
    assert [(e["kind"], e["reason"]) for e in told["events"]] == [
        ("replayed", "the table was mended")
    ]


async def test_each_try_keeps_what_was_made_of_the_message(door):
    name = await parked(door)
    await door.done(ADMIN, f"{MESSAGES}/{name}/replay")
    await door.until(name, "done")
    told = (await door.ask(OPERATOR, "GET", f"{MESSAGES}/{name}/content")).json()
    assert [each["try"] for each in told["mapped"]] == [1, 2]
    assert "refused" in told["mapped"][0]["translation"]
    assert "refused" not in told["mapped"][1]["translation"]


async def test_a_mended_copy_takes_the_place_of_its_parent(door):
    who = mrn()
    name = await parked(door, who)
    behind = await door.receive(message("", who))
    mended = await door.done(
        OPERATOR,
        f"{MESSAGES}/{name}/fix",
        {"changes": {"PID-5.1": "Kellerhals"}, "reason": "a wrong name"},
    )
    copy = uuid.UUID(mended["message"])
    await door.until(behind.message, "done")
    order = [each for each, _ in door.owners.asked if each in (copy, behind.message)]
    assert order == [copy, behind.message]
    assert await door.state(name) == "replaced"
    told = (await door.ask(OPERATOR, "GET", f"{MESSAGES}/{copy}/content")).json()
    assert told["parent"] == str(name)
    assert "Kellerhals^Maria" in told["raw"]
    parent = (await door.ask(OPERATOR, "GET", f"{MESSAGES}/{name}")).json()
    assert parent["copies"] == [str(copy)]
    again = await door.ask(OPERATOR, "POST", f"{MESSAGES}/{name}/fix",
                           {"changes": {"PID-5.1": "X"}, "reason": "twice"})  # fmt: skip
    assert again.status_code == 409


async def test_a_message_that_is_set_aside_needs_a_reason_and_holds_up_nobody(door):
    who = mrn()
    name = await parked(door, who)
    behind = await door.receive(message("", who))
    bare = await door.ask(ADMIN, "POST", f"{MESSAGES}/{name}/skip", {})
    assert bare.status_code == 400
    await door.done(ADMIN, f"{MESSAGES}/{name}/skip", {"reason": "a test of the sender"})
    await door.until(behind.message, "done")
    assert await door.state(name) == "skipped"


async def test_many_are_replayed_after_a_rehearsal_that_changes_nothing(door):
    names = [await parked(door) for _ in range(3)]
    asked = {"channel": "adt", "state": "parked", "reason_code": "Invalid"}
    before = len(door.owners.asked)
    told = await door.done(ADMIN, f"{MESSAGES}/replay", asked)
    assert told["dry_run"]
    assert told["messages"] >= 3
    assert told["same"] >= 3
    assert len(door.owners.asked) == before
    told = await door.done(ADMIN, f"{MESSAGES}/replay", {**asked, "dry_run": False})
    assert told["replayed"] == told["messages"]
    for name in names:
        await door.until(name, "done")
    told = await door.done(ADMIN, f"{MESSAGES}/replay", {**asked, "dry_run": False})
    assert told["replayed"] == 0


async def test_the_time_of_messages_ends_by_state_and_never_before_the_minimum(
    postgres_url, key_file
):
    environ = {"POLYCLINIC_INTEGRATION_KEEP_DAYS_LEAST": "10"}
    async with open_door(postgres_url, key_file, **environ) as door:
        await door.deploy(keep="{done: 1, ignored: 30}")
        number = mrn()
        names = [await done(door, number), await parked(door)]
        age = "UPDATE integration.message SET changed = now() - make_interval(days => $1)"
        await door.sql(age, 9)
        assert await watching.forget(door.engine) == 0, "the minimum is ten days"
        await door.sql(age, 11)
        assert await watching.forget(door.engine) == 1, "what is not finished is kept"
        told = (await door.ask(OPERATOR, "GET", f"{MESSAGES}/{names[0]}")).json()
        assert (told["state"], told["content"]) == ("done", False)
        gone = await door.ask(OPERATOR, "GET", f"{MESSAGES}/{names[0]}/content")
        assert gone.status_code == 409
        assert await searched(door, mrn=number) == []


async def test_messages_are_handed_in_over_http(door):
    path = "/integration/channels/adt/messages"
    answer = await door.ask(SENDER, "POST", path, message("HTTP-1"))
    assert answer.status_code == 200
    assert answer.headers["x-acknowledgement"] == "AA"
    assert b"MSA|AA|HTTP-1" in answer.content
    refused = await door.ask(SENDER, "POST", path, message(app="OTHER"))
    assert (refused.status_code, refused.headers["x-acknowledgement"]) == (422, "AR")
    for who in (ADMIN, CLINICIAN, caller("system", None, "system/Patient.c", client="no")):
        assert (await door.ask(who, "POST", path, message())).status_code == 403
    assert (await door.ask(SENDER, "POST", path, b"")).status_code == 400
    other = "/integration/channels/nothing/messages"
    assert (await door.ask(SENDER, "POST", other, message())).status_code == 404


async def test_a_batch_is_acknowledged_message_by_message_unless_its_count_is_wrong(door):
    path = "/integration/channels/adt/messages"
    parts = [b"FHS|^~\\&|HIS\rBHS|^~\\&|HIS\r", message("B-1"), message("B-2")]
    whole = b"".join([*parts, b"BTS|2\rFTS|1\r"])
    answer = await door.ask(SENDER, "POST", path, whole)
    assert answer.status_code == 200
    assert answer.content.count(b"MSA|AA|B-") == 2
    again = await door.ask(SENDER, "POST", path, whole)
    assert again.content == answer.content
    short = b"".join([*parts, b"BTS|3\rFTS|1\r"])
    assert (await door.ask(SENDER, "POST", path, short)).status_code == 400


async def test_an_appointment_opens_messages_to_its_clinician_and_closes_them_again(door):
    from polyclinic.contracts.appointments import AppointmentBooked, AppointmentCancelled
    from polyclinic.foundation import clock, ids
    from polyclinic.services.integration.actions import relating

    name, now = await done(door, patient="Patient/booked"), clock.now()
    ids_ = {"appointment": ids.new_id(), "patient": "booked", "practitioner": "ana"}
    booked = AppointmentBooked(**ids_, start=now, end=now, site="main")
    cancelled = AppointmentCancelled(**ids_, start=now, by="clinic")
    path = f"{MESSAGES}/{name}/content"
    assert (await door.ask(CLINICIAN, "GET", path)).status_code == 404
    async with door.running.database.transaction() as tx:
        await relating.open_messages(door.engine, tx, [(now, booked)])
    assert (await door.ask(CLINICIAN, "GET", path)).status_code == 200
    async with door.running.database.transaction() as tx:
        await relating.close_messages(door.engine, tx, [(clock.now(), cancelled)])
    assert (await door.ask(CLINICIAN, "GET", path)).status_code == 404
