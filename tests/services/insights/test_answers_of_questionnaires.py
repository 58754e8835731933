"""An answer in a questionnaire reaches the worklist and a card as an Observation does."""

import pytest
from ehr import call
from insights_house import open_house, until
from people import patient

from polyclinic.foundation import clock
from polyclinic.services.insights.domain import asking
from polyclinic.services.insights.domain.calculators import registry, wanted

LOINC, METHOD = "http://loinc.org", "phq-9"
RISKS = "/cds-services/polyclinic-risks"
NEVER, OFTEN = "LA6568-5", "LA6570-1"


@pytest.fixture(scope="module")
async def clinic(postgres_url, key_file):
    async with open_house(postgres_url, key_file, public_url="http://clinic.test") as house:
        yield house


def questionnaire(who, *, whole=True, harm=OFTEN, **more):
    """A PHQ-9 in which only thoughts of self-harm are there; not whole: nothing else answered."""
    codes = {code for each in registry()[METHOD].inputs for code in each.codes.loinc}
    answers = {code: NEVER for code in codes if whole} | {"44260-8": harm}
    items = [
        {"linkId": f"/{code}", "answer": [{"valueCoding": {"system": LOINC, "code": said}}]}
        for code, said in sorted(answers.items())
    ]
    return {
        "resourceType": "QuestionnaireResponse", "id": f"{who}-phq", "status": "completed",
        "subject": {"reference": f"Patient/{who}"},
        "authored": clock.now().isoformat(timespec="seconds"), "item": items,
    } | more  # fmt: skip


async def assessed(house, who):
    found = await house.found(f"RiskAssessment?patient={who}")
    return {each["identifier"][0]["value"]: each for each in found}.get(METHOD)


async def lines(house, token, who):
    found = await house.get("/insights/worklist", token)
    return [
        line
        for each in found["people"]
        if each["patient"]["id"] == who
        for line in each["lines"]
        if line["method"] == METHOD
    ]


@pytest.mark.parametrize("method", ["phq-9", "gad-7", "audit-c"])
def test_a_changed_questionnaire_makes_its_score_due(method):
    due = {each.id for each in asking.due([{"resourceType": "QuestionnaireResponse"}])}
    assert method in due
    assert "QuestionnaireResponse" in wanted([registry()[method]]).types


@pytest.mark.parametrize("whole", [True, False])
async def test_thoughts_of_self_harm_in_a_questionnaire_are_on_the_worklist(clinic, whole):
    who = "kim" if whole else "lea"
    await clinic.put(patient(who))
    asked = questionnaire(who, whole=whole)
    await clinic.put(asked)
    made = await until(lambda: assessed(clinic, who))
    assert (made["status"], made["basis"]) == (
        "final",
        [{"reference": f"QuestionnaireResponse/{who}-phq"}],
    )
    doctor = await clinic.clinician(f"doc-{who}", who)
    # The chart hears of it a moment before the worklist does.
    [line] = await until(lambda: lines(clinic, doctor, who))
    assert line["urgency"] == "critical"
    assert "suicide" in line["action"]["text"]
    await clinic.put({**asked, "status": "entered-in-error"})

    async def over():
        return (await assessed(clinic, who))["status"] == "entered-in-error"

    assert await until(over)

    async def is_gone():
        return await lines(clinic, doctor, who) == []

    assert await until(is_gone)


async def cards(clinic, token, body):
    return await clinic.send("POST", RISKS, body, token)


@pytest.mark.parametrize("sent", [True, False])
async def test_thoughts_of_self_harm_in_a_questionnaire_become_a_card(clinic, sent):
    who = "mia" if sent else "ned"
    asked = questionnaire(who)
    doctor = await clinic.clinician(f"doc-{who}", who)
    body = call(patient(who), *([asked] if sent else ()))
    if not sent:
        await clinic.put(patient(who))
        await clinic.put(asked)
        body["prefetch"].pop("questionnaires", None)
        body |= {"fhirServer": "http://clinic.test/fhir",
                 "fhirAuthorization": {"access_token": doctor}}  # fmt: skip
    answer = await cards(clinic, doctor, body)
    assert answer.status_code == 200, answer.text
    [card] = answer.json()["cards"]
    assert (card["indicator"], card["source"]["topic"]["code"]) == ("critical", METHOD)


@pytest.mark.parametrize("key", ["statements", "questionnaires", "lists"])
async def test_an_ehr_that_keeps_no_such_type_is_answered_all_the_same(clinic, key):
    doctor = await clinic.clinician("doc-none")
    body = call(patient("oda"))
    body["prefetch"].pop(key, None)
    answer = await cards(clinic, doctor, body)
    assert (answer.status_code, answer.json()) == (200, {"cards": []})


@pytest.mark.parametrize("key", ["conditions", "medications", "statements", "lists"])
async def test_a_list_of_which_only_the_first_page_was_sent_is_not_taken_for_whole(clinic, key):
    doctor = await clinic.clinician("doc-cut", "pam")
    body = call(patient("pam"), questionnaire("pam"))
    link = [{"relation": "next", "url": "http://ehr.test/fhir?page=2"}]
    body["prefetch"][key] = {"resourceType": "Bundle", "type": "searchset", "link": link}
    refused = await cards(clinic, doctor, body)
    assert refused.status_code == 412, refused.text
    assert refused.json()["place"] == f"prefetch.{key}"
    await clinic.put(patient("pam"))
    body |= {"fhirServer": "http://clinic.test/fhir",
             "fhirAuthorization": {"access_token": doctor}}  # fmt: skip
    assert (await cards(clinic, doctor, body)).status_code == 200, "the rest was read"


async def test_older_results_on_a_further_page_are_not_needed(clinic):
    doctor = await clinic.clinician("doc-old")
    body = call(patient("quy"), questionnaire("quy"))
    link = [{"relation": "next", "url": "http://ehr.test/fhir?page=2"}]
    for key in ("observations", "encounters", "questionnaires"):
        body["prefetch"][key] = {
            **(body["prefetch"][key] or {"resourceType": "Bundle"}),
            "link": link,
        }
    answer = await cards(clinic, doctor, body)
    assert len(answer.json()["cards"]) == 1, answer.text
