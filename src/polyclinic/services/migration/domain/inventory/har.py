"""HAR recordings of a browser: method, path, names of parameters and fields, status, time.

Headers, cookies, values and the text of bodies are not decoded into anything that is kept.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from polyclinic.foundation.errors import Invalid, TooLarge
from polyclinic.services.migration.domain.inventory.findings import BadLine, Finding
from polyclinic.services.migration.domain.inventory.logs import BAD_SHOWN, parameters
from polyclinic.services.migration.domain.inventory.traffic import Request, Traffic

HAR_MAX = 256 * 1024 * 1024
DEEP = 4
ANSWER_MAX = 2 * 1024 * 1024


class _Param(msgspec.Struct):
    name: str = ""


class _Post(msgspec.Struct, rename="camel"):
    mime_type: str = ""
    params: list[_Param] = []
    text: msgspec.Raw = msgspec.Raw(b'""')


class _Asked(msgspec.Struct, rename="camel"):
    method: str
    url: str
    post_data: _Post | None = None


class _Content(msgspec.Struct, rename="camel"):
    mime_type: str = ""
    text: msgspec.Raw = msgspec.Raw(b'""')


class _Answered(msgspec.Struct):
    status: int = 0
    content: _Content = msgspec.field(default_factory=_Content)


class _Entry(msgspec.Struct, rename={"started": "startedDateTime"}):
    request: _Asked
    response: _Answered
    time: float = 0
    started: str = ""


class _Log(msgspec.Struct):
    entries: list[msgspec.Raw]


class _Har(msgspec.Struct):
    log: _Log


def read_har(content: bytes, label: str = "", host: str = "") -> Finding:
    """`host` leaves out what the browser asked of others."""
    if len(content) > HAR_MAX:
        raise TooLarge(f"A HAR of more than {HAR_MAX // 2**20} MB.", place=label)
    try:
        entries = msgspec.json.decode(content, type=_Har).log.entries
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as refused:
        raise Invalid("This is not a HAR recording.", place=label) from refused
    traffic, bad = Traffic(), list[BadLine]()
    for number, raw in enumerate(entries, 1):
        try:
            entry = msgspec.json.decode(raw, type=_Entry)
            address = urlsplit(entry.request.url)
        except (ValueError, RecursionError):
            bad.append(BadLine(number, "an entry without a request and an answer"))
            continue
        if host and address.hostname != host:
            traffic.left_out["other hosts"] += 1
        elif entry.response.status:
            traffic.add(_request(entry, address.path or "/", address.query))
    return Finding(
        source="har",
        label=label,
        endpoints=traffic.endpoints(),
        read=len(entries),
        bad=len(bad),
        bad_lines=tuple(bad[:BAD_SHOWN]),
        left_out=traffic.said_left_out(),
    )


def _request(entry: _Entry, path: str, query: str) -> Request:
    post = entry.request.post_data
    asked = list(parameters(query))
    if post is not None:
        asked += [each.name for each in post.params]
        asked += _keys(post.mime_type, post.text)
    content = entry.response.content
    return Request(
        entry.request.method.upper(),
        path,
        entry.response.status,
        _hour(entry.started),
        entry.time if entry.time > 0 else None,
        parameters=tuple(asked),
        fields=tuple(_keys(content.mime_type, content.text)),
    )


def _hour(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.weekday() * 24 + at.hour


def _keys(kind: str, raw: msgspec.Raw) -> list[str]:
    """The names of a body's fields; of a form's too."""
    try:
        text = msgspec.json.decode(raw, type=str)
        if len(text) > ANSWER_MAX:
            return []
        if "json" in kind:
            return list(_walk(msgspec.json.decode(text), DEEP))
        return list(parameters(text)) if "urlencoded" in kind else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _walk(value: Any, deep: int) -> Iterator[str]:
    if deep and isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _walk(each, deep - 1)
    elif deep and isinstance(value, list):
        for each in value[:5]:
            yield from _walk(each, deep)
