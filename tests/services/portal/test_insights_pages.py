"""Risks in the portal: the chart's panel, the worklist, and what a patient reads of it."""

import pytest
import sample
from insights_in_memory import KEPT, PICTURES, TOLD, InsightsInMemory, installs_insights
from portal_door import Door, Visitor

from polyclinic.services.portal.domain import insight_words as words
from polyclinic.services.portal.domain import model_words

RISKS = f"/patients/{sample.MARIA}/risks"


@pytest.fixture
def insights(portal_door: Door) -> InsightsInMemory:
    return installs_insights(portal_door)


@pytest.fixture
async def ana(portal_door: Door, insights: InsightsInMemory) -> Visitor:
    return await portal_door.as_("clinician", "Practitioner/ana")


@pytest.fixture
async def maria(portal_door: Door, insights: InsightsInMemory) -> Visitor:
    return await portal_door.as_("patient", f"Patient/{sample.MARIA}")


async def test_a_score_is_one_number_with_peers_reasons_dates_and_one_next_step(ana: Visitor):
    page = (await ana.get(RISKS)).text
    assert "12.3%" in page
    assert "About 12 of 100 people like this one within 10 years." in page
    assert page.count('class="on"') == 12
    assert "148 mmHg" in page
    assert "12 Nov 2026" in page
    assert f'href="{RISKS}/Observation/bp-1"' in page
    assert page.count('id="next">Discuss a statin.') == 1
    assert "Albumin in urine" in page
    assert "Heart failure" in page
    assert "One value away" in page


async def test_insights_that_is_stopped_leaves_the_chart_whole_and_says_why(
    ana: Visitor, insights: InsightsInMemory
):
    insights.down = True
    answer = await ana.get(RISKS)
    assert answer.status_code == 200
    assert "Risks cannot be shown" in answer.text
    assert "The insights service does not answer." in answer.text
    assert "KELLER, Maria" in answer.text


async def test_without_insights_nothing_of_it_is_offered(portal_door: Door):
    ana = await portal_door.as_("clinician", "Practitioner/ana")
    page = (await ana.get(f"/patients/{sample.MARIA}")).text
    assert "/risks" not in page
    assert "/worklist" not in page
    assert (await ana.get("/worklist")).status_code == 503


async def test_a_chart_that_is_not_open_shows_no_risk(ana: Visitor, portal_door: Door):
    portal_door.records.related.clear()
    assert (await ana.get(RISKS)).status_code == 403


async def test_a_score_is_released_once_and_taken_back(ana: Visitor, insights: InsightsInMemory):
    for _ in range(2):
        done = await ana.post(f"{RISKS}/release", assessment=KEPT, turn="t")
        assert done.headers["location"] == f"{RISKS}?done=released"
    await ana.post(f"{RISKS}/release", assessment=KEPT, turn="u", withdraw="yes")
    (first, again, back) = insights.told
    assert first == again == ("/release", "release-t", {"assessment": KEPT, "withdraw": False})
    assert back[2] == {"assessment": KEPT, "withdraw": True}
    assert (await ana.post(f"{RISKS}/release", assessment="x", turn="t")).status_code == 404


async def test_what_stands_behind_a_score_is_of_this_patient_or_not_shown(
    ana: Visitor, portal_door: Door
):
    mine = {
        "resourceType": "Observation", "id": "bp-1", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "Systolic"},
        "subject": {"reference": f"Patient/{sample.MARIA}"}, "effectiveDateTime": "2026-11-12",
        "valueQuantity": {"value": 148, "code": "mm[Hg]"},
    }  # fmt: skip
    other = mine | {"id": "bp-2", "subject": {"reference": "Patient/somebody-else"}}
    portal_door.records.resources += [mine, other]
    page = (await ana.get(f"{RISKS}/Observation/bp-1")).text
    assert "148 mmHg" in page
    assert f'href="/patients/{sample.MARIA}/results/8480-6"' in page
    assert (await ana.get(f"{RISKS}/Observation/bp-2")).status_code == 404
    assert (await ana.get(f"{RISKS}/Account/bp-1")).status_code == 404


async def test_a_line_of_the_worklist_is_accepted_and_dismissed_with_a_reason_only(
    ana: Visitor, insights: InsightsInMemory
):
    page = (await ana.get("/worklist")).text
    assert "KELLER, Maria" in page
    assert "Raised by: age 58 years, systolic blood pressure 148 mmHg." in page
    path = f"/worklist/{KEPT}"
    wrong = await ana.post(path, decision="dismissed", turn="t")
    assert wrong.status_code == 422
    assert f'<a href="#reason-{KEPT}">Say why.' in wrong.text
    assert not insights.told
    await ana.post(path, decision="accepted", turn="t")
    await ana.post(path, decision="dismissed", reason="disagree", turn="t")
    done = await ana.post(path, decision="snoozed", until="7", turn="t")
    assert done.headers["location"] == "/worklist?done=snoozed"
    told = [body for _, _, body in insights.told]
    assert told[0] == {"assessment": KEPT, "decision": "accepted"}
    assert told[1] == {"assessment": KEPT, "decision": "dismissed", "reason": "disagree"}
    assert told[2]["until"] > "2026"
    assert len({key for _, key, _ in insights.told}) == 3


async def test_what_insights_refuses_is_said_and_an_empty_list_says_what_fills_it(
    ana: Visitor, insights: InsightsInMemory
):
    insights.refuses = "The score behind this line no longer holds."
    answer = await ana.post(f"/worklist/{KEPT}", decision="accepted", turn="t")
    assert answer.status_code == 422
    assert insights.refuses in answer.text
    insights.empty = True
    assert "Nobody waits" in (await ana.get("/worklist")).text


async def test_a_patient_reads_in_plain_words_what_was_released_and_nothing_else(
    maria: Visitor, insights: InsightsInMemory
):
    assert "Your risks" not in (await maria.get("/home")).text
    insights.shared = [TOLD]
    page = (await maria.get("/home")).text
    assert "Of 100 people like you, about 12 have this." in page
    assert "It is an estimate." in page
    assert (await maria.get(RISKS)).status_code == 403
    insights.down = True
    answer = await maria.get("/home")
    assert answer.status_code == 200
    assert "cannot be shown" in answer.text


async def test_a_model_shows_its_gates_its_card_in_groups_and_says_where_there_is_no_picture(
    portal_door: Door, insights: InsightsInMemory
):
    sam = await portal_door.as_("administrator")
    assert 'href="/models/readmission/1"' in (await sam.get("/models")).text
    page = (await sam.get("/models/readmission/1")).text
    assert "1 of 2 hold" in page
    assert "not known yet" in page
    assert page.count("<dt>Item ") == 31
    assert page.count("No outcomes yet") == 2
    assert "Propose the next step: One team" in page
    insights.pictures = PICTURES
    drawn = (await sam.get("/models/readmission/1")).text
    assert drawn.count("No outcomes yet") == 0
    assert drawn.count('class="pt"') == 10
    assert "24 people: 40% expected, 43% came" in drawn
    assert "In hand <b" in drawn
    assert "Dismissed" not in drawn


async def test_a_step_of_a_model_needs_a_reason_and_the_right_role(
    ana: Visitor, portal_door: Door, insights: InsightsInMemory
):
    sam = await portal_door.as_("administrator")
    path = "/models/readmission/1"
    assert (await sam.post(f"{path}/proposal", to="canary", turn="t")).status_code == 422
    await sam.post(f"{path}/proposal", to="canary", turn="t", reason="gates hold", team="a, b")
    assert insights.told[0][2] == {"to": "canary", "reason": "gates hold", "team": ["a", "b"]}
    assert "/proposal" not in (await ana.get(path)).text
    insights.model |= {
        "proposal": {"to": "canary", "author": "a", "at": "2026-11-20T10:00:00Z", "team": ["a"],
                     "signers": []}
    }  # fmt: skip
    assert "Sign</button>" in (await ana.get(path)).text
    await ana.post(f"{path}/signatures", turn="t")
    assert insights.told[1][:2] == (
        "/models/readmission/1/signatures", "models-readmission-1-signatures-t",
    )  # fmt: skip
    insights.model["proposal"]["signers"] = ["subject-clinician"]
    assert "You signed" in (await ana.get(path)).text
    assert (await ana.post(f"{path}/anything", turn="t")).status_code == 404


def test_numbers_and_units_are_written_as_people_write_them():
    assert words.amount(3.30269, "mg/dL") == "3.303 mg/dL"
    assert words.amount(4.0, "{score}") == "4 points"
    assert words.amount(12.0, "%") == "12%"
    assert words.amount("yes") == "yes"
    assert words.dots({"number": 0.3, "unit": "%"}) == 0
    assert words.dots({"number": 71, "unit": "mL/min/{1.73_m2}"}) is None


async def test_how_far_a_model_is_learned_is_seen_and_a_new_one_is_asked_for(portal_door, insights):
    sam = await portal_door.as_("administrator", "Practitioner/sam")
    at = "2026-11-28T10:00:00Z"
    insights.trainings = [
        {"training": "a", "task": "no-show", "model": "will-come", "version": "2", "at": at,
         "state": "learning", "percent": 45, "words": "Is attacked", "ended": None},
        {"training": "b", "task": "no-show", "model": "will-come", "version": "1", "at": at,
         "state": "refused", "percent": 10, "words": "12 questions are too few", "ended": at},
    ]  # fmt: skip
    page = (await sam.get("/models")).text
    assert '<progress class="so-far" max="100" value="45"' in page
    assert 'hx-trigger="every 3s"' in page
    assert "12 questions are too few" in page
    insights.trainings = []
    assert "hx-trigger" not in (await sam.get("/models")).text
    answer = await sam.post("/models/learn", task="no-show", model="", version="1", turn="t")
    assert answer.status_code == 422
    assert "Give the model a name" in answer.text
    answer = await sam.post("/models/learn", task="no-show", model="x", version="1", turn="t")
    assert answer.status_code == 303
    assert insights.told[-1] == (
        "/models/training", "models-training-t",
        {"task": "no-show", "model": "x", "version": "1"},
    )  # fmt: skip


def test_days_and_units_in_a_reason_are_written_as_people_write_them():
    assert (
        words.readable("the last is of 2022-07-09, too old") == "the last is of 9 Jul 2022, too old"
    )
    assert words.readable("168 mm[Hg], 12 %") == "168 mmHg, 12%"


def test_what_speaks_is_named_as_its_authors_name_it():
    assert [model_words.speaker(name) for name in ("findrisc", "here-1", None)] == [
        "FINDRISC",
        "here-1",
        "Nobody",
    ]
