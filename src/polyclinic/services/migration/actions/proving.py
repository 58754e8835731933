"""Whether what the new side said was done is there: read after the change, as anybody would.

A change has no second answer to compare with, so a write that is acknowledged and lost shows in no
comparison. A route that says where its change can be read (`kept`) is looked up there.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import msgspec

from polyclinic.foundation import telemetry
from polyclinic.foundation.errors import Problem
from polyclinic.services.migration.actions.plane import Plane
from polyclinic.services.migration.actions.translating import (
    NotTranslated,
    document,
    filled,
    to_candidate,
    to_legacy_shape,
)
from polyclinic.services.migration.domain.adapting import at, shaped
from polyclinic.services.migration.domain.diffing.rules import Difference
from polyclinic.services.migration.domain.routing import Match, Proof, Route
from polyclinic.services.migration.gateways.upstreams import Question

NOT_KEPT = "not kept"
_OF_A_CHANGE = frozenset((b"idempotency-key", b"if-match", b"if-none-match"))


class Change(NamedTuple):
    """A change that goes to the new side; `before` is what was to be read where it will show."""

    match: Match
    asked: Question
    unit: bytes | None
    repeated: bool
    before: object = None


async def before(plane: Plane, change: Change) -> Change:
    """Reads first where only another answer than before shows that something was kept."""
    proof = change.match.route.kept
    if proof is None or proof.holds is not None or change.repeated:
        return change
    try:
        return change._replace(before=await _read(plane, change, proof))
    except (Problem, httpx.HTTPError):
        # Without it nothing is shown later, and the change goes on all the same.
        telemetry.log("change not read before", route=change.match.route.name)
        return change


async def not_kept(plane: Plane, change: Change) -> list[Difference] | None:
    """What is missing though it was acknowledged; None where nothing can be said.

    Raises Problem, httpx.HTTPError where it cannot be read.
    """
    proof = change.match.route.kept
    if proof is None or (proof.holds is None and (change.before is None or change.repeated)):
        return None
    for pause in (0.0, plane.settings.settle_seconds):
        await asyncio.sleep(pause)
        found = await _read(plane, change, proof)
        if proof.holds is None:
            kept = found != change.before
        else:
            kept = _holds(found, proof, _wanted(change, proof))
        if kept:
            return []
    return [Difference(proof.items or proof.read, NOT_KEPT, proof.severity, None, None)]


async def _read(plane: Plane, change: Change, proof: Proof) -> Any:
    """What the new side says at the route where the change is to show."""
    route = next(r for r in change.match.rule.routes if r.name == proof.read)
    names = _names(change, proof)
    match = Match(change.match.rule, route, names)
    question = await to_candidate(plane.running, match, _question(change, route, names))
    seconds = plane.settings.candidate_seconds
    answer = await plane.upstreams.whole("candidate", question, seconds)
    if answer.status >= 300:
        raise NotTranslated
    try:
        return msgspec.json.decode(to_legacy_shape(match, answer).body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as unreadable:
        raise NotTranslated from unreadable


def _question(change: Change, route: Route, names: Mapping[str, str]) -> Question:
    headers = [(k, v) for k, v in change.asked.headers_without_body() if k not in _OF_A_CHANGE]
    return Question(route.method, filled(route.path, dict(names)).encode(), headers, b"")


def _wanted(change: Change, proof: Proof) -> dict[str, Any]:
    wanted = shaped(proof.holds, document(change.asked.body or b""), change.match.path)
    if not isinstance(wanted, dict) or not wanted:
        raise NotTranslated
    return wanted


def _holds(found: Any, proof: Proof, wanted: Mapping[str, Any]) -> bool:
    items = at(found, proof.items) if proof.items else [found]
    return any(
        all(_plain(at(item, path)) == _plain(value) for path, value in wanted.items())
        for item in (items if isinstance(items, list) else [])
    )


def _plain(value: object) -> str:
    return " ".join(str(value).split()).casefold()


def _names(change: Change, proof: Proof) -> dict[str, str]:
    """What an address can be filled with."""
    try:
        sent = document(change.asked.body or b"")
    except NotTranslated:
        return change.match.path
    said = shaped(proof.names, sent, change.match.path) or {}
    fields = {**sent, **said} if isinstance(sent, dict) else said
    plain = {str(k): str(v) for k, v in fields.items() if isinstance(v, str | int)}
    return {**plain, **change.match.path}
