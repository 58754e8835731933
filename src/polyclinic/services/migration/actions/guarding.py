"""Whom the old system lets in: asked before the new one is asked in our own name."""

import time

import httpx

from polyclinic.services.migration.actions.plane import Plane
from polyclinic.services.migration.actions.translating import filled
from polyclinic.services.migration.domain.routing import Match
from polyclinic.services.migration.gateways.upstreams import Question

# As long as a revoked token of ours may still be felt; decisions/0013.
REMEMBERED_SECONDS = 60.0
REMEMBERED_MAX = 10_000
_PROOFS = (b"authorization", b"cookie")


async def may_pass(plane: Plane, match: Match, asked: Question) -> bool:
    """Whether the old system lets this caller in where the route's guard stands; a yes is kept."""
    new = match.route.candidate
    if not new.own:
        return True
    path = filled(new.guard, match.path)
    proofs = [(key, value) for key, value in asked.headers if key in _PROOFS]
    name = plane.name("guard", path, *(value.decode("latin-1") for _, value in proofs))
    if plane.let_in.get(name, 0.0) > time.monotonic():
        return True
    question = Question("GET", path.encode(), asked.headers_without_body(), b"")
    try:
        answer = await plane.upstreams.whole("legacy", question, plane.settings.candidate_seconds)
    except httpx.TransportError:
        return False
    if not 200 <= answer.status < 300:
        return False
    if len(plane.let_in) >= REMEMBERED_MAX:
        plane.let_in.clear()
    plane.let_in[name] = time.monotonic() + REMEMBERED_SECONDS
    return True
