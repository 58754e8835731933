"""What waits for people: whose a message is, both shown side by side; and orders nobody knows."""

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.portal.actions import messages
from polyclinic.services.portal.domain import message_words as words
from polyclinic.services.portal.domain.messages import Body, Waiting
from polyclinic.services.portal.domain.patient import read_patient
from polyclinic.services.portal.domain.session import Signed
from polyclinic.services.portal.pages.door import form, portal, redirect
from polyclinic.services.portal.pages.messages.reading import (
    Errors,
    askers_only,
    registrars_only,
    show,
)

# As many as integration tells at once.
MOST = 200
_DONE = {
    "same": "The message goes into that patient's chart.",
    "different": "It is kept that this is somebody else; the message is looked at again.",
    "new": "The message is about somebody new.",
    "without-order": "The result goes into the chart without its order.",
    "fix": "A mended copy takes the place of the message that stopped.",
    "link": "The clinicians of that patient can open the message now, and mend it.",
}


@askers_only
async def get_waiting(request: Request, signed: Signed) -> Response:
    return await _list(request, signed)


@registrars_only
async def get_question(request: Request, signed: Signed) -> Response:
    return await _question(request, signed)


@registrars_only
async def post_question(request: Request, signed: Signed) -> Response:
    """A person's word; it is kept for ever, and the message is tried again."""
    given = await form(request, signed)
    name, said = request.path_params["message"], given.get("word", "")
    turn, at_work = given.get("turn", "")[:40], portal(request)
    word, _, patient = said.partition(" ")
    try:
        path, body = _said(name, word, patient)
        await messages.tell(at_work, signed.session, f"{said}-{turn}", path, body)
    except NotFound as gone:
        return await _list(request, signed, [("", gone.message)])
    except Invalid as wrong:
        if word == "without-order":
            return await _list(request, signed, [("", wrong.message)])
        return await _question(request, signed, [("word-1", wrong.message)])
    return redirect(f"/messages/waiting?done={word}")


def _said(name: str, word: str, patient: str) -> tuple[tuple[str, ...], Body]:
    if word == "without-order":
        return ("waiting", name, "without-order"), {}
    if word == "new":
        return ("waiting", name, "person"), {"word": "new"}
    if word not in ("same", "different") or not patient.startswith("Patient/"):
        raise Invalid("Choose who is meant.", place="word-1")
    return ("waiting", name, "person"), {"word": word, "patient": patient}


async def _list(request: Request, signed: Signed, errors: Errors = ()) -> Response:
    found = await messages.open_waiting(portal(request), signed.session)
    may_say = signed.session.role == "front-desk"
    if may_say:
        # What the desk can answer stands before what others have to see to; both oldest first.
        found = sorted(found, key=lambda each: not _may_answer(each))
    return show(
        request, "waiting", signed, errors, waiting=found, late=sum(each.late for each in found),
        is_full=len(found) >= MOST, hours=words.age_words,
        may_say=may_say,
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )  # fmt: skip


def _may_answer(waiting: Waiting) -> bool:
    return bool(waiting.question) or waiting.reason == "order" or words.is_for_the_desk(waiting)


async def _question(request: Request, signed: Signed, errors: Errors = ()) -> Response:
    at_work = portal(request)
    asked = await messages.open_question(at_work, signed.session, request.path_params["message"])
    today = at_work.today()
    charts = [
        (each, read_patient(each.chart, today) if each.chart else None) for each in asked.candidates
    ]
    person = read_patient(asked.person, today) if asked.person else None
    return show(
        request, "question", signed, errors, asked=asked, person=person, charts=charts,
        person_numbers=_numbers(asked.person),
        numbers=[_numbers(each.chart) for each in asked.candidates],
    )  # fmt: skip


def _numbers(resource: Body | None) -> list[tuple[str, str]]:
    """What each number is, where it says so, and the number."""
    found = (resource or {}).get("identifier") or ()
    return [(_kind(each), str(each["value"])) for each in found if each.get("value")]


def _kind(identifier: Body) -> str:
    for coding in (identifier.get("type") or {}).get("coding") or ():
        if coding.get("display") or coding.get("code"):
            return str(coding.get("display") or coding["code"])
    return ""
