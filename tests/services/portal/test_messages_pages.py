"""Staff see to messages in the portal: what stands where, what it says, and whose it is."""

import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import sample
from integration_in_memory import ONE, TWO, IntegrationInMemory, installs_integration
from portal_door import Door, Visitor

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
import integration_door as real

from polyclinic.foundation.errors import Invalid


@pytest.fixture
def integration(portal_door: Door) -> IntegrationInMemory:
    return installs_integration(portal_door)


@pytest.fixture
async def admin(portal_door: Door, integration: IntegrationInMemory) -> Visitor:
    return await portal_door.as_("administrator")


@pytest.fixture
async def ana(portal_door: Door, integration: IntegrationInMemory) -> Visitor:
    return await portal_door.as_("clinician", "Practitioner/ana")


@pytest.fixture
async def tom(portal_door: Door, integration: IntegrationInMemory) -> Visitor:
    return await portal_door.as_("front-desk", "Practitioner/tom")


async def test_who_runs_queues_sees_counts_and_states_and_nobodys_name(admin: Visitor):
    page = (await admin.get("/messages")).text
    assert re.search(r'<b class="num">2</b><span class="n">.{,400}Waits for a person</span>', page)
    assert "An owner refused it: Invalid." in page
    assert 'href="/messages?before=5"' in page
    assert "KELLER" not in page
    one = (await admin.get(f"/messages/{ONE}")).text
    assert "the table was mended" in one
    assert "What this message says is part of a chart." in one
    assert "Keller" not in one
    assert "Try again" in one
    assert "Mend it" not in one


async def test_an_address_narrows_by_state_channel_kind_and_age_only(
    admin: Visitor, integration: IntegrationInMemory
):
    await admin.get("/messages?state=parked&channel=adt&kind=ADT%5EA08&age=day&mrn=204&before=x")
    path, asked = integration.asked[0]
    assert path == "/messages/search"
    assert asked.pop("since").endswith("Z")
    assert asked == {"state": "parked", "channel": "adt", "kind": "ADT^A08", "limit": "50"}


async def test_a_number_is_looked_for_by_form_and_stands_in_no_address(
    admin: Visitor, integration: IntegrationInMemory
):
    found = await admin.post("/messages", by="mrn", number=" 204 118 77 ")
    assert found.status_code == 200
    assert integration.asked[0][1] == {"mrn": "204 118 77", "limit": "50"}
    assert "Messages with that number" in found.text
    assert "204" not in "".join(p for p in found.text.split('"') if p.startswith("/messages?"))
    empty = await admin.post("/messages", by="mrn", number=" ")
    assert empty.status_code == 422
    assert '<a href="#number">Enter the number to look for.' in empty.text


async def test_a_clinician_reads_a_message_field_by_field_with_its_way_into_the_chart(
    ana: Visitor,
):
    assert "KELLER, Maria" in (await ana.get("/messages")).text
    page = (await ana.get(f"/messages/{ONE}")).text
    assert '<span class="num">PID-5</span> Name</dt><dd>Keller^Maria' in page
    assert "<code><b>PID</b>|1||204^^^MAIN^MR||Keller^Maria" in page
    assert "Keep in the chart" in page
    assert "Person, Stay" in page
    assert "Patient.name" in page
    assert "No birth date." in page
    assert f'href="/patients/{sample.MARIA}"' in page
    assert f'href="/patients/{sample.MARIA}/results"' in page
    assert "Set aside" not in page


async def test_a_field_is_taken_over_to_be_mended_by_its_link(ana: Visitor):
    page = (await ana.get(f"/messages/{ONE}")).text
    assert f'href="/messages/{ONE}?mend=PID-5#field1"' in page
    chosen = (await ana.get(f"/messages/{ONE}?mend=PID-5")).text
    assert re.search(r'id="field1"[^>]* value="PID-5.1"', chosen)
    assert re.search(r'id="text1"[^>]* value="Keller"', chosen)
    unknown = (await ana.get(f"/messages/{ONE}?mend=PID-77")).text
    assert re.search(r'id="field1"[^>]* value=""', unknown)


@pytest.mark.parametrize(
    ("state", "reason", "station", "words"),
    [
        ("parked", "Refused", "Understood", "What it says makes no sense here."),
        ("parked", "malformed", "Read", "It cannot be read."),
        ("parked", "refused: 422", "Taken over", "refused it."),
        ("waiting", "unknown person", "Person found", "Nobody here fits."),
    ],
)
async def test_a_page_shows_how_far_its_message_came_and_what_helps(
    admin: Visitor,
    integration: IntegrationInMemory,
    state: str,
    reason: str,
    station: str,
    words: str,
):
    integration.messages[0] |= {"state": state, "reason": reason, "patients": []}
    page = (await admin.get(f"/messages/{ONE}")).text
    now = page.partition('aria-current="step"')[2].partition("</li>")[0]
    assert f"<b>{station}</b>" in now
    assert words in page
    assert ("no clinician can open it" in page) == (state == "parked")


async def test_a_message_is_tried_again_with_a_reason_and_once_for_each_press(
    admin: Visitor, integration: IntegrationInMemory
):
    path = f"/messages/{ONE}/replay"
    without = await admin.post(path, turn="t")
    assert without.status_code == 422
    assert 'href="#replay-reason"' in without.text
    for _ in range(2):
        done = await admin.post(path, turn="t", reason="the channel was mended")
        assert done.headers["location"] == f"/messages/{ONE}?done=replay"
    (first, again) = integration.told
    assert (
        first == again == (path, f"messages-{ONE}-replay-t", {"reason": "the channel was mended"})
    )
    assert "It is tried again." in (await admin.get(f"/messages/{ONE}?done=replay")).text


async def test_what_integration_refuses_is_said_on_the_page(
    admin: Visitor, integration: IntegrationInMemory
):
    integration.refuses = "The message is no longer in a state in which this can be done."
    answer = await admin.post(f"/messages/{ONE}/skip", turn="t", reason="a test of the sender")
    assert answer.status_code == 422
    assert integration.refuses in answer.text


async def test_a_clinician_mends_fields_and_the_copy_takes_its_place(
    ana: Visitor, integration: IntegrationInMemory
):
    path = f"/messages/{ONE}/fix"
    typed = {"field1": "PID-7", "text1": "19680314", "field2": "PID-8", "text2": ""}
    nothing = await ana.post(path, reason="typing error", turn="t")
    assert 'id="field1-error"' in nothing.text
    unsaid = await ana.post(path, turn="t", **typed)
    assert unsaid.status_code == 422
    assert 'value="19680314"' in unsaid.text
    await ana.post(path, turn="t", **typed, reason="typing error")
    changes = {"PID-7": "19680314", "PID-8": None}
    assert integration.told[0][2] == {"changes": changes, "reason": "typing error"}
    assert (await ana.post(f"/messages/{ONE}/skip", reason="x", turn="t")).status_code == 404


async def test_the_desk_sees_both_side_by_side_and_says_who_is_meant(
    tom: Visitor, integration: IntegrationInMemory
):
    page = (await tom.get("/messages/waiting")).text
    assert "2 messages wait for a person" in page
    assert "1 is late." in page
    assert "The number is known here, but name or birth date differ." in page
    assert page.index("Who is meant?") < page.index("The order is not known here")
    asked = (await tom.get(f"/messages/waiting/{ONE}")).text
    assert "<td>KELLER, Marie</td>" in asked
    assert "KELLER, Maria <span" in asked
    assert "Alike" in asked
    unsaid = await tom.post(f"/messages/waiting/{ONE}", turn="t")
    assert unsaid.status_code == 422
    assert "Choose who is meant." in unsaid.text
    word = f"same Patient/{sample.MARIA}"
    said = await tom.post(f"/messages/waiting/{ONE}", turn="t", word=word)
    assert said.headers["location"] == "/messages/waiting?done=same"
    path, _, body = integration.told[0]
    assert path == f"/waiting/{ONE}/person"
    assert body == {"word": "same", "patient": f"Patient/{sample.MARIA}"}
    await tom.post(f"/messages/waiting/{TWO}", turn="t", word="without-order")
    assert integration.told[1][0] == f"/waiting/{TWO}/without-order"


async def test_the_desk_mends_who_is_meant_by_a_message_that_is_nobodys(
    tom: Visitor, integration: IntegrationInMemory
):
    here = f"/messages/stopped/{ONE}"
    page = (await tom.get(here)).text
    assert "Keller^Maria" in page
    assert "V-7^^^MAIN^VN" in page
    assert "Nothing clinical is shown here" in page
    chosen = (await tom.get(f"{here}?mend=PV1-19")).text
    assert re.search(r'id="field1"[^>]* value="PV1-19.1"', chosen)
    typed = {"verb": "fix", "field1": "PV1-19.1", "text1": "V-8", "turn": "t"}
    unsaid = await tom.post(here, **typed)
    assert (unsaid.status_code, "Say why" in unsaid.text) == (422, True)
    assert 'value="V-8"' in unsaid.text
    done = await tom.post(here, **typed, reason="a number of last year")
    assert done.headers["location"] == "/messages/waiting?done=fix"
    body = {"changes": {"PV1-19.1": "V-8"}, "reason": "a number of last year"}
    assert [(path, said) for path, _, said in integration.told] == [(f"/messages/{ONE}/fix", body)]


async def test_the_desk_finds_whose_a_message_is_and_says_it(
    tom: Visitor, integration: IntegrationInMemory
):
    here = f"/messages/stopped/{ONE}"
    nothing = await tom.post(here, verb="find", q="")
    assert (nothing.status_code, 'href="#q"' in nothing.text) == (422, True)
    found = await tom.post(here, verb="find", q="Keller")
    assert f'value="Patient/{sample.MARIA}"' in found.text
    assert (await tom.post(here, verb="link")).status_code == 422
    assert integration.told == []
    done = await tom.post(here, verb="link", patient=f"Patient/{sample.MARIA}", turn="t")
    assert done.headers["location"] == "/messages/waiting?done=link"
    (path, _, body) = integration.told[0]
    assert (path, body) == (f"/messages/{ONE}/patient", {"patient": f"Patient/{sample.MARIA}"})
    assert (await tom.post(here, verb="skip")).status_code == 404


async def test_only_the_desk_sees_what_is_nobodys(admin: Visitor, ana: Visitor):
    for who in (admin, ana):
        assert (await who.get(f"/messages/stopped/{ONE}")).status_code == 403


async def test_channels_say_who_is_silent_and_are_opened_and_closed(
    admin: Visitor, integration: IntegrationInMemory
):
    page = (await admin.get("/messages/channels")).text
    assert "It is silent" in page
    assert "Admissions of the main house" in page
    closed = await admin.post("/messages/channels/adt", status="closed", turn="t")
    assert closed.headers["location"] == "/messages/channels?done=closed"
    await admin.post(f"/messages/alerts/{ONE}", turn="t")
    assert [(path, body) for path, _, body in integration.told] == [
        ("/channels/adt/status", {"status": "closed"}),
        (f"/alerts/{ONE}/end", {}),
    ]


async def test_each_role_finds_its_own_pages_and_no_other(
    admin: Visitor, ana: Visitor, tom: Visitor
):
    assert (await tom.get("/messages")).status_code == 403
    assert (await ana.get("/messages/waiting")).status_code == 403
    assert (await admin.get(f"/messages/waiting/{ONE}")).status_code == 403
    assert 'href="/messages"' in (await ana.get("/patients")).text
    assert 'href="/messages/waiting"' in (await tom.get("/desk")).text


async def test_without_integration_the_pages_are_hidden_and_say_why(portal_door: Door):
    admin = await portal_door.as_("administrator")
    assert 'href="/messages"' not in (await admin.get("/admin")).text
    said = await admin.get("/messages")
    assert said.status_code == 503
    assert "This installation does not offer that" in said.text


async def test_an_integration_that_does_not_answer_is_named(
    admin: Visitor, integration: IntegrationInMemory
):
    integration.down = True
    said = await admin.get("/messages")
    assert said.status_code == 503
    assert "Messages of other systems cannot be reached at the moment" in said.text


@pytest.fixture
async def beside(portal_door: Door, postgres_url: str, key_file: Path) -> AsyncIterator[real.Door]:
    """The real integration service beside the portal."""
    async with real.open_door(postgres_url, key_file) as opened:
        portal_door.running.peers.add_local("integration", opened.app)
        who = {"administrator": real.ADMIN, "front-desk": real.DESK, "clinician": real.CLINICIAN}
        opened.tokens |= {f"{r}-token": replace(c, token_id=f"{r}-token") for r, c in who.items()}
        await opened.deploy()
        yield opened


async def test_the_real_integration_is_run_from_these_pages(portal_door: Door, beside: real.Door):
    def refuse(*_: object) -> real.Outcome:
        raise Invalid("No such day.", place="PID-7")

    beside.owners.say = refuse
    came = await beside.receive(real.message("C-77", "4711"))
    await beside.until(came.message, "parked")
    beside.owners.say = beside.owners.agree
    admin = await portal_door.as_("administrator")
    assert f"/messages/{came.message}" in (await admin.get("/messages?state=parked")).text
    by_number = await admin.post("/messages", by="mrn", number="4711")
    assert f"/messages/{came.message}" in by_number.text
    nobody = await admin.post("/messages", by="control", number="C-78")
    assert "No message has that number" in nobody.text
    path = f"/messages/{came.message}"
    again = await admin.post(f"{path}/replay", turn="t", reason="the day was mended")
    assert again.is_redirect, again.text
    await beside.until(came.message, "done")
    page = (await admin.get(path)).text
    assert "the day was mended" in page
    assert "Keller" not in page
    assert "adt" in (await admin.get("/messages/channels")).text
    closed = await admin.post("/messages/channels/adt", status="closed", turn="t")
    assert closed.is_redirect, closed.text
    desk = await portal_door.as_("front-desk", "Practitioner/tom")
    assert "No message waits" in (await desk.get("/messages/waiting")).text
    ana = await portal_door.as_("clinician", "Practitioner/ana")
    assert (await ana.get(path)).status_code == 404
