"""Access logs, streamed: Apache's combined format with what servers add, or JSON line by line."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from polyclinic.services.migration.domain.inventory.findings import BadLine, Finding
from polyclinic.services.migration.domain.inventory.traffic import Request, Traffic

LINE_MAX = 64 * 1024
BAD_SHOWN = 50
_COMBINED = re.compile(
    rb'(?P<host>\S{1,255}) \S+ (?P<user>[^\["]{1,255}?) \[(?P<at>[^\]]{20,40})\]'
    rb' "(?P<method>[A-Z]{3,10}) (?P<target>[^" ]{1,8192})(?: HTTP/[\d.]+)?"'
    rb" (?P<status>\d{3}) (?P<size>\d+|-)"
    rb'(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?(?P<rest>[^\n]*)'
)
_TIME = re.compile(rb"(?:^|[\s=])(\d{1,7}\.\d{1,6}|\d{1,9})(us|ms|s)?(?=\s|$)")
_MONTHS = {name: n for n, name in enumerate(
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}  # fmt: skip  # noqa: SIM905
# What servers call the same thing in JSON.
_NAMES = {
    "method": ("method", "request_method", "verb", "http_method"),
    "target": ("path", "uri", "request_uri", "url", "request"),
    "status": ("status", "status_code", "response_code", "code"),
    "at": ("time", "timestamp", "@timestamp", "time_local", "ts", "date"),
    "user": ("user", "remote_user", "username", "login"),
    "seconds": ("request_time", "duration", "response_time", "elapsed"),
    "milliseconds": ("duration_ms", "latency_ms", "elapsed_ms", "response_time_ms"),
}


def lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers, however the bytes are cut; None for one that is far too long."""
    number, rest, is_long = 0, b"", False
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            number += 1
            yield number, None if is_long or len(line) > LINE_MAX else line
            is_long = False
        if len(rest) > LINE_MAX:
            rest, is_long = b"", True
    if rest or is_long:
        yield number + 1, None if is_long else rest


def read_log(
    chunks: Iterable[bytes], label: str = "", roles: Mapping[str, str] | None = None
) -> Finding:
    """Either format, told apart line by line; what cannot be read is counted with its number."""
    traffic, read, bad = Traffic(roles), 0, 0
    shown: list[BadLine] = []
    first, last = "", ""
    for number, line in lines(chunks):
        if line is not None and not line.strip():
            continue
        read += 1
        found = _read(line)
        if isinstance(found, str):
            bad += 1
            if len(shown) < BAD_SHOWN:
                shown.append(BadLine(number, found))
            continue
        request, day = found
        traffic.add(request)
        if day:
            first, last = min(first or day, day), max(last, day)
    return Finding(
        source="log",
        label=label,
        endpoints=traffic.endpoints(),
        read=read,
        bad=bad,
        bad_lines=tuple(shown),
        left_out=traffic.said_left_out(),
        first=first,
        last=last,
    )


def _read(line: bytes | None) -> tuple[Request, str] | str:
    """A request and its day, or the reason why there is none."""
    if line is None:
        return "longer than a line of a log is"
    if line.lstrip()[:1] == b"{":
        return _json(line)
    found = _COMBINED.match(line.rstrip(b"\r"))
    if found is None:
        return "not in combined format"
    at = _combined_time(found["at"])
    if at is None:
        return "a time that cannot be read"
    target = found["target"].decode("latin-1")
    user = found["user"].decode("latin-1")
    return _request(
        (found["method"].decode(), target, int(found["status"])),
        "" if user == "-" else user,
        at,
        _milliseconds(found["rest"]),
    )


def _request(
    line: tuple[str, str, int], user: str, at: tuple[int, str], milliseconds: float | None
) -> tuple[Request, str]:
    method, target, status = line
    path, _, query = target.partition("?")
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    hour, day = at
    asked = parameters(query)
    return Request(method, path, status, hour, milliseconds, user, asked), day


def parameters(query: str) -> tuple[str, ...]:
    """The names in a query, and nothing of their values."""
    return tuple(
        unquote_plus(each.partition("=")[0]) for each in query.split("&")[:60] if "=" in each
    )


def _combined_time(text: bytes) -> tuple[int, str] | None:
    """`28/Nov/2026:16:44:53 +0000` → the hour of the week, and the day."""
    try:
        day, month, year = int(text[0:2]), _MONTHS[text[3:6].decode()], int(text[7:11])
        return _hour(datetime(year, month, day, int(text[12:14])))  # noqa: DTZ001 - the log's own
    except (ValueError, KeyError):
        return None


def _hour(at: datetime) -> tuple[int, str]:
    return at.weekday() * 24 + at.hour, f"{at:%Y-%m-%d}"


def _milliseconds(rest: bytes) -> float | None:
    """What a server added for how long it took: seconds with a point, else microseconds."""
    found = _TIME.search(rest)
    if found is None:
        return None
    number, unit = float(found[1]), found[2]
    scale: dict[bytes | None, float] = {b"us": 0.001, b"ms": 1.0, b"s": 1000.0}
    return number * scale.get(unit, 1000.0 if b"." in found[1] else 0.001)


def _json(line: bytes) -> tuple[Request, str] | str:
    try:
        value = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "not a JSON object"
    method, target = _text(value, "method"), _text(value, "target")
    if target[:1] not in ("/", "h") and " " in target:  # `GET /path HTTP/1.1` in one field
        method, target = [*target.split(" "), ""][:2]
    status = _number(value, "status")
    at = _json_time(_found(value, "at"))
    if not method or not target or status is None or at is None:
        return "no method, path, status or time"
    seconds, milliseconds = _number(value, "seconds"), _number(value, "milliseconds")
    if milliseconds is None and seconds is not None:
        milliseconds = seconds * 1000
    user = _text(value, "user")
    return _request((method, target, int(status)), "" if user == "-" else user, at, milliseconds)


def _found(value: Mapping[str, Any], what: str) -> Any:
    return next((value[name] for name in _NAMES[what] if name in value), None)


def _text(value: Mapping[str, Any], what: str) -> str:
    found = _found(value, what)
    return found if isinstance(found, str) else ""


def _number(value: Mapping[str, Any], what: str) -> float | None:
    try:
        found = float(_found(value, what))
    except (TypeError, ValueError):
        return None
    return found if 0 <= found < 1e9 else None


def _json_time(found: Any) -> tuple[int, str] | None:
    readers: tuple[Callable[[], datetime], ...] = (
        lambda: datetime.fromisoformat(found),
        lambda: datetime.strptime(found, "%d/%b/%Y:%H:%M:%S %z"),
        lambda: datetime.fromtimestamp(float(found) / (1000 if float(found) > 1e11 else 1)),  # noqa: DTZ006
    )
    for reader in readers:
        try:
            return _hour(reader())
        except (ValueError, TypeError, OverflowError, OSError):
            continue
    return None
