"""Models: what they are, how they fare, and the steps of their lives."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Nothing, Once, Stored
from polyclinic.services.insights.actions import modelling, remembered, stepping, training
from polyclinic.services.insights.actions.modelling import Draft
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.actions.stepping import Propose, Why
from polyclinic.services.insights.actions.training import Train
from polyclinic.services.insights.routes.answers import (
    PRIVATE,
    asker_of,
    engine_of,
    once,
    query,
)

Name = tuple[str, str]


def _name(request: Request) -> Name:
    return request.path_params["model"], request.path_params["version"]


async def get_models(request: Request) -> Response:
    """With what is being learned, and what was of late."""
    engine, asker = engine_of(request), await asker_of(request)
    found = await modelling.shown(engine, asker)
    trainings = await training.all_of_late(engine, asker)
    return http.json({**found, "trainings": trainings}, headers=PRIVATE)


async def get_model(request: Request) -> Response:
    """With its gates, the open proposal and every step."""
    asker = await asker_of(request)
    return http.json(
        await modelling.one(engine_of(request), asker, _name(request)), headers=PRIVATE
    )


async def get_card(request: Request) -> Response:
    """As JSON with all three checklists, or with `format=xml` as the card of CHAI."""
    form = query(request, "format").get("format", "json")
    if form not in ("json", "xml"):
        raise Invalid("A card is json or xml.", place="format")
    asker = await asker_of(request)
    head, card = await modelling.card(engine_of(request), asker, _name(request))
    if form == "xml":
        return Response(card.as_xml(), headers=PRIVATE, media_type="application/xml")
    return http.json({**head, **card.as_json()}, headers=PRIVATE)


async def get_pictures(request: Request) -> Response:
    """The numbers of the charts; who draws them is somebody else."""
    asker, name = await asker_of(request), _name(request)
    return http.json(await modelling.pictures(engine_of(request), asker, name), headers=PRIVATE)


async def get_events(request: Request) -> Response:
    """Of how many people which code is known; fewer than 11 are not counted out."""
    asker = await asker_of(request)
    return http.json(await remembered.counted(engine_of(request), asker), headers=PRIVATE)


async def post_generation(request: Request) -> Response:
    """Gives everybody another pseudonym, as their charts are read again."""

    async def act(engine: Engine, asker: Asker, _: Nothing, key: Once) -> Stored:
        return await remembered.rotate(engine, asker, key)

    return await once(request, Nothing, act)


async def post_model(request: Request) -> Response:
    """A new version, as a draft."""

    async def act(engine: Engine, asker: Asker, draft: Draft, key: Once) -> Stored:
        return await modelling.take(engine, asker, draft, key)

    return await once(request, Draft, act)


async def post_training(request: Request) -> Response:
    """Has something learned from the clinic's own events; 202, and where it can be followed."""

    async def act(engine: Engine, asker: Asker, asked: Train, key: Once) -> Stored:
        return await training.train(engine, asker, asked, key)

    answer = await once(request, Train, act)
    if answer.status_code == 202:
        said = msgspec.json.decode(answer.body, type=dict[str, Any])
        answer.headers["location"] = f"/insights/models/training/{said['training']}"
    return answer


async def get_lesson(request: Request) -> Response:
    """How far it is, 0 to 100, what it is at, and how it ended."""
    asker, lesson = await asker_of(request), request.path_params["lesson"]
    found = await training.followed(engine_of(request), asker, lesson)
    return http.json(found, headers=PRIVATE)


async def get_lessons(request: Request) -> Response:
    asker = await asker_of(request)
    found = await training.all_of_late(engine_of(request), asker)
    return http.json({"trainings": found}, headers=PRIVATE)


async def post_proposal(request: Request) -> Response:
    async def act(engine: Engine, asker: Asker, asked: Propose, key: Once) -> Stored:
        return await stepping.propose(engine, asker, _name(request), asked, key)

    return await once(request, Propose, act)


async def post_signature(request: Request) -> Response:
    """The second one, of another person, takes effect if every gate holds."""

    async def act(engine: Engine, asker: Asker, _: Nothing, key: Once) -> Stored:
        return await stepping.sign(engine, asker, _name(request), key)

    return await once(request, Nothing, act)


async def post_retirement(request: Request) -> Response:
    async def act(engine: Engine, asker: Asker, asked: Why, key: Once) -> Stored:
        return await stepping.retire(engine, asker, _name(request), asked, key)

    return await once(request, Why, act)


async def post_rollback(request: Request) -> Response:
    """One person is enough to silence a model."""

    async def act(engine: Engine, asker: Asker, asked: Why, key: Once) -> Stored:
        return await stepping.roll_back(engine, asker, _name(request), asked, key)

    return await once(request, Why, act)


_ONE = "/insights/models/{model}/{version}"
model_routes = (
    Route("/insights/models", get_models, methods=["GET"]),
    Route("/insights/models", post_model, methods=["POST"]),
    Route("/insights/models/training", get_lessons, methods=["GET"]),
    Route("/insights/models/training", post_training, methods=["POST"]),
    Route("/insights/models/training/{lesson:uuid}", get_lesson, methods=["GET"]),
    Route(_ONE, get_model, methods=["GET"]),
    Route(f"{_ONE}/card", get_card, methods=["GET"]),
    Route(f"{_ONE}/pictures", get_pictures, methods=["GET"]),
    Route(f"{_ONE}/proposal", post_proposal, methods=["POST"]),
    Route(f"{_ONE}/signatures", post_signature, methods=["POST"]),
    Route(f"{_ONE}/retirement", post_retirement, methods=["POST"]),
    Route(f"{_ONE}/rollback", post_rollback, methods=["POST"]),
    Route("/insights/events-known", get_events, methods=["GET"]),
    Route("/insights/generations", post_generation, methods=["POST"]),
)
