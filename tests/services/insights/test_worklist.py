"""The list shows clinicians their own patients, as many as can be helped, and keeps decisions."""

from datetime import timedelta

import pytest
from insights_house import open_house, until
from people import creatinine, lab, patient

from polyclinic.foundation import clock
from polyclinic.services.insights.actions import listing


@pytest.fixture(scope="module")
async def ward(postgres_url, key_file):
    """Four people with failing kidneys, the last but one of them worst; two clinicians."""
    async with open_house(postgres_url, key_file, POLYCLINIC_INSIGHTS_CAPACITY="3") as house:
        for who, value in (("ann", 2.2), ("ben", 2.4), ("cyd", 6.5), ("dot", 1.6), ("eli", 0.8)):
            await house.put(patient(who, name=[{"family": who.title()}]))
            await house.put(creatinine(who, value, name=f"{who}-creatinine"))
        await house.rested()
        yield house


async def listed(house, token):
    return await house.get("/insights/worklist", token)


def people(found):
    return [each["patient"]["id"] for each in found["people"]]


async def decide(house, token, line, decision, **more):
    body = {"assessment": line["assessment"], "decision": decision, **more}
    return await house.send("POST", "/insights/worklist/decisions", body, token)


def line_of(found, who):
    return next(each for each in found["people"] if each["patient"]["id"] == who)["lines"][0]


async def test_a_clinician_sees_only_whom_they_care_for_and_the_most_urgent_first(ward):
    ruiz = await ward.clinician("ruiz", "ann", "cyd", "eli")
    wong = await ward.clinician("wong", "ben")
    found = await listed(ward, ruiz)
    assert set(people(found)) == {"ann", "cyd"}, "nothing is proposed for healthy kidneys"
    assert people(await listed(ward, wong)) == ["ben"]
    stranger = await ward.clinician("stranger")
    assert (await listed(ward, stranger))["people"] == []
    line = line_of(found, "cyd")
    assert line["prediction"]["qualitativeRisk"]["coding"][0]["code"] in ("G5", "G4")
    assert line["basis"]
    assert line["action"]["text"]
    assert found["people"][0]["patient"]["name"] == [{"family": "Cyd"}] or (
        found["people"][0]["benefit"] == found["people"][1]["benefit"]
    )


@pytest.mark.parametrize("page", [2, 3, 4])
async def test_a_person_whose_lines_a_page_would_cut_stands_once_with_all(ward, monkeypatch, page):
    for who in ("fay", "gus", "hal"):
        await ward.put(patient(who))
        await ward.put(creatinine(who, 2.0, name=f"{who}-creatinine"))
        await ward.put(lab(who, "33863-2", 0.9, "mg/L", name=f"{who}-cystatin"))
    await ward.rested()
    many = await ward.clinician("many", "fay", "gus", "hal")
    whole = await listed(ward, many)
    assert sum(len(each["lines"]) for each in whole["people"]) > len(whole["people"])
    monkeypatch.setattr(listing, "PAGE", page)
    assert await listed(ward, many) == whole


async def test_what_somebody_may_not_see_they_cannot_decide_about(ward):
    wong = await ward.clinician("wong", "ben")
    ruiz = await ward.clinician("ruiz", "ann", "cyd")
    line = line_of(await listed(ward, ruiz), "cyd")
    refused = await decide(ward, wong, line, "accepted")
    assert refused.status_code == 404
    reader = await ward.clinician("ruiz", scope="user/*.rs")
    assert (await decide(ward, reader, line, "accepted")).status_code == 403
    for role, who in (("patient", "Patient/cyd"), ("front-desk", "Practitioner/tom")):
        token = await ward.person(role, who, "user/*.cruds patient/*.rs")
        assert (await ward.send("GET", "/insights/worklist", token=token)).status_code == 403


async def test_a_decision_is_kept_with_who_made_it_and_takes_a_place(ward):
    ruiz = await ward.clinician("ruiz", "ann", "cyd", "dot")
    before = await listed(ward, ruiz)
    line = line_of(before, "cyd")
    due = (clock.today() + timedelta(days=7)).isoformat()
    assert (await decide(ward, ruiz, line, "accepted", due=due)).status_code == 200
    after = await listed(ward, ruiz)
    assert after["taken"] == before["taken"] + 1
    taken = line_of(after, "cyd")
    assert (taken["state"], taken["due"]) == ("accepted", due)
    assert people(after)[0] == "cyd"
    done = await decide(ward, ruiz, line, "done", outcome="referred")
    assert done.status_code == 200, done.text
    assert "cyd" not in people(await listed(ward, ruiz))
    told = await ward.get(f"/insights/worklist/{line['assessment']}", ruiz)
    assert [each["state"] for each in told["events"]] == ["accepted", "done"]
    assert (await decide(ward, ruiz, line, "reopened")).status_code == 200
    assert "cyd" in people(await listed(ward, ruiz))


@pytest.mark.parametrize(
    ("decision", "more", "place"),
    [
        ("dismissed", {}, "reason"),
        ("dismissed", {"reason": "because"}, "reason"),
        ("done", {}, "outcome"),
        ("snoozed", {}, "until"),
        ("snoozed", {"until": "2020-01-01"}, "until"),
        ("accepted", {"until": "2030-01-01"}, "until"),
        ("accepted", {"due": "2020-01-01"}, "due"),
        ("forgotten", {}, "decision"),
        ("accepted", {"note": "free text"}, "body"),
    ],
)
async def test_a_decision_that_says_too_little_or_too_much_is_refused(ward, decision, more, place):
    ruiz = await ward.clinician("ruiz", "ann")
    line = line_of(await listed(ward, ruiz), "ann")
    refused = await decide(ward, ruiz, line, decision, **more)
    assert refused.status_code == 400, refused.text
    assert refused.json()["place"] == place


async def test_what_is_dismissed_comes_back_when_it_gets_worse(ward):
    wong = await ward.clinician("wong", "dot")
    await ward.put(creatinine("dot", 1.4, name="dot-creatinine"))
    await ward.rested()
    line = line_of(await listed(ward, wong), "dot")
    dismissed = await decide(ward, wong, line, "dismissed", reason="already-done")
    assert dismissed.status_code == 200, dismissed.text
    assert "dot" not in people(await listed(ward, wong))
    await ward.put(creatinine("dot", 5.0, name="dot-creatinine"))

    async def back():
        return "dot" in people(await listed(ward, wong))

    assert await until(back)


async def test_a_group_can_be_shown_nothing_and_that_is_noted(ward):
    ruiz = await ward.clinician("ruiz", "ann", "cyd")
    admin = await ward.person("administrator", "Practitioner/sam", "user/Practitioner.rs")
    refused = await ward.send("POST", "/insights/hold-out", {"percent": 60, "reason": "all"}, admin)
    assert refused.status_code == 400
    clinicians = await ward.send(
        "POST", "/insights/hold-out", {"percent": 10, "reason": "trial"}, ruiz
    )
    assert clinicians.status_code == 403
    body = {"percent": 50, "reason": "Whether the list helps at all"}
    assert (await ward.send("POST", "/insights/hold-out", body, admin)).status_code == 200
    told = await ward.get("/insights/hold-out", admin)
    assert told["percent"] == 50
    shown = people(await listed(ward, ruiz))
    held = await ward.sql("SELECT DISTINCT subject FROM insights.exposure WHERE held = 'hold-out'")
    engine = ward.running.state
    from polyclinic.services.insights.domain.alerts import is_held_out

    for who in ("ann", "cyd"):
        pseudonym = engine.pseudonym(f"Patient/{who}")
        out = is_held_out(engine.digest(pseudonym), 50)
        assert (who not in shown) is out
        assert not out or pseudonym in [row["subject"] for row in held]
    body = {"percent": 0, "reason": "The trial is over"}
    assert (await ward.send("POST", "/insights/hold-out", body, admin)).status_code == 200
    assert set(people(await listed(ward, ruiz))) >= {"ann", "cyd"}


async def test_small_groups_are_not_counted_aloud(ward):
    ruiz = await ward.clinician("ruiz", "ann")
    told = await ward.get("/insights/outcomes?days=30", ruiz)
    assert told["decided"]
    assert all("count" not in each and each["fewer_than"] == 11 for each in told["decided"])


async def test_the_tables_of_insights_name_no_patient(ward):
    for table in ("assessment", "item", "item_event", "exposure", "feedback"):
        rows = await ward.sql(f"SELECT * FROM insights.{table}")
        said = " ".join(str(value) for row in rows for value in row.values())
        for who in ("ann", "ben", "cyd", "dot"):
            assert f"Patient/{who}" not in said, table
            assert f"'{who}'" not in said, table
