"""What the new side is asked instead, and its answer in the old side's shape."""

import re
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec

from polyclinic.foundation.errors import Problem
from polyclinic.foundation.service import Running
from polyclinic.services.migration.domain.adapting import shaped
from polyclinic.services.migration.domain.routing import Match
from polyclinic.services.migration.gateways.upstreams import Question, Whole

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
# What belongs to the bytes of a body that is written anew.
_OF_THE_BODY = frozenset((b"content-length", b"content-encoding", b"content-type", b"etag"))


class NotTranslated(Problem):
    """What one side says cannot be said in the other side's words."""


async def to_candidate(running: Running, match: Match, asked: Question) -> Question:
    """The same question in the new side's words; as it came where the route says nothing."""
    route, new = match.route, match.route.candidate
    target = asked.target
    if new.path:
        path = filled(new.path, match.path)
        query = asked.target.partition(b"?")[2].decode("latin-1")
        query = query if new.query is None else filled(new.query, match.path)
        target = (path + (f"?{query}" if query else "")).encode()
    headers, body = asked.headers, asked.body
    if new.request is not None and asked.body:
        body = msgspec.json.encode(shaped(new.request, document(asked.body), match.path))
        headers = [(k, v) for k, v in headers if k not in _OF_THE_BODY]
        headers.append((b"content-type", b"application/json"))
    if new.own:
        token = await running.tokens.for_documents()
        headers = [(k, v) for k, v in headers if k not in (b"authorization", b"cookie")]
        headers.append((b"authorization", f"Bearer {token}".encode()))
    return Question(new.method or asked.method or route.method, target, headers, body)


def to_legacy_shape(match: Match, answer: Whole) -> Whole:
    """The new side's answer as the old side would have said it."""
    shape = match.route.candidate.answer
    if shape is None or answer.status >= 300:
        return answer
    body = msgspec.json.encode(shaped(shape, _json(answer.body), match.path))
    headers = [(k.lower(), v) for k, v in answer.headers]
    kept = [(k, v) for k, v in headers if k not in _OF_THE_BODY and k != b"transfer-encoding"]
    more = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return Whole(answer.status, [*kept, *more], body)


def _json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except _UNREADABLE as unreadable:
        raise NotTranslated from unreadable


def document(body: bytes) -> Any:
    """What was sent, as JSON or as the fields of a form; raises NotTranslated."""
    try:
        return msgspec.json.decode(body)
    except _UNREADABLE:
        fields = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
        if not fields:
            raise NotTranslated from None
        return fields


def filled(template: str, names: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: quote(names.get(found[1], ""), safe=""), template)
