"""Traces: which request caused which call, transaction and effect, across services and events.

A trace begins at our own front door. A stranger's `traceparent` is not read: between our processes
it travels as W3C Trace Context with a mark in `tracestate` that takes the front doors' key. A span
says templates, names of our own vocabulary and numbers, only under the keys of `ALLOWED`. Without
a collector (`POLYCLINIC_TRACES_URL`) all of this is a look at one name.
"""

import hmac
import random
import re
import time
from collections.abc import Generator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol

from polyclinic.foundation import telemetry
from polyclinic.foundation.events import Told

Kind = Literal["server", "client", "consumer", "internal"]
Said = Mapping[str, str | int]

ALLOWED = frozenset(
    [
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "error.type",
        "peer.service",
        "db.system.name",
        "db.namespace",
        "messaging.system",
        "messaging.destination.name",
        "polyclinic.event",
        "polyclinic.lane",
        "polyclinic.request",
    ]
)
PARENT, STATE = "traceparent", "tracestate"
_OURS = (PARENT.encode(), STATE.encode())
# https://www.w3.org/TR/trace-context/#traceparent-header, version 00
_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-0([01])")
_VENDOR = "polyclinic="
_dice = random.SystemRandom()


class NotAllowedInTraces(TypeError):
    """A span was given a key that is not on the allow-list."""


class Place(NamedTuple):
    """Where in a trace we are; `span` is 0 while nothing of it was told yet."""

    trace: int
    span: int
    service: str
    is_kept: bool

    def parent(self) -> str:
        return f"00-{self.trace:032x}-{self.span:016x}-{self.is_kept:02x}"


class Teller(Protocol):
    """Takes ended spans at once and never makes anybody wait."""

    def tell(self, span: "Span") -> None: ...


@dataclass(frozen=True, slots=True)
class Tracing:
    """To whom this process tells its spans, what proves its word, and which share it keeps."""

    teller: Teller
    key: bytes
    share: float = 1.0


_current: ContextVar[Place | None] = ContextVar("place", default=None)
_tracing: Tracing | None = None


@contextmanager
def telling(tracing: Tracing) -> Generator[None, None, None]:
    """Spans are told while this lasts."""
    global _tracing  # noqa: PLW0603 - one collector a process, as there is one standard error
    before, _tracing = _tracing, tracing
    try:
        yield
    finally:
        _tracing = before


class Span:
    """Something that took time; told when it ends, with the kind of error that ended it."""

    def __init__(self, kind: Kind, name: str, parent: Place, *, is_leaf: bool = False) -> None:
        self.kind: Kind = kind
        self.name, self.parent = name, parent
        self.place = parent._replace(span=_dice.getrandbits(64) or 1)
        self.linked: Place | None = None
        self.said: dict[str, str | int] = {}
        self.failed = False
        self.began = time.time_ns()
        self.ended = 0
        self._is_leaf = is_leaf
        self._token: Token[Place | None] | None = None

    def say(self, said: Said) -> None:
        """Adds to what it tells; a key outside the allow-list is a programming error."""
        if not said.keys() <= ALLOWED:
            raise NotAllowedInTraces(f"{sorted(said.keys() - ALLOWED)} in {self.name!r}")
        self.said.update(said)

    def answered(self, status: int) -> None:
        self.say({"http.response.status_code": status})
        self.failed = self.failed or status >= 500

    def __enter__(self) -> "Span":
        if not self._is_leaf:
            self._token = _current.set(self.place)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        if kind is not None:
            self.say({"error.type": kind.__name__})
            self.failed = True
        self.ended = time.time_ns()
        if _tracing is not None:
            _tracing.teller.tell(self)


class Nothing:
    """Stands for a span where none is told."""

    def say(self, said: Said) -> None:
        """Is not told."""

    def answered(self, status: int) -> None:
        """Is not told."""

    def __enter__(self) -> "Nothing":
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to end."""


NOTHING = Nothing()


def is_on() -> bool:
    return _tracing is not None


def span(
    kind: Kind, *words: str, service: str = "", said: Said | None = None, is_leaf: bool = False
) -> Span | Nothing:
    """A step of the trace that we are in; nothing outside of one. A leaf holds no others."""
    if _tracing is None or (place := _current.get()) is None or not place.is_kept:
        return NOTHING
    parent = place._replace(service=service) if service else place
    begun = Span(kind, " ".join(words), parent, is_leaf=is_leaf)
    if said:
        begun.say(said)
    return begun


def request(service: str) -> Span | Nothing:
    """A request at a service's door; its route is known when it was answered."""
    return span("server", service=service, said={"polyclinic.request": telemetry.request_id.get()})


def answered(span: Span | Nothing, method: str, route: str, status: int) -> None:
    """Names a request's span by its template; a method is whatever a client sends."""
    if isinstance(span, Span):
        known = method if method in telemetry.METHODS else "OTHER"
        span.name = f"{known} {route}"
        span.say({"http.request.method": known, "http.route": route})
        span.answered(status)


def arrive(scope: MutableMapping[str, Any], *, begins: bool) -> "Token[Place | None] | None":
    """Goes on with the trace that one of our processes says, or begins one; `leave` ends it."""
    if _tracing is None:
        return None
    told = {k.decode(): v.decode("latin-1") for k, v in scope["headers"] if k in _OURS}
    if told:
        scope["headers"] = [(k, v) for k, v in scope["headers"] if k not in _OURS]
    place = _proven(told.get(PARENT, ""), told.get(STATE, ""))
    if place is None and begins:
        place = Place(_dice.getrandbits(128) or 1, 0, "", _dice.random() < _tracing.share)
    return _current.set(place)


def leave(token: "Token[Place | None] | None") -> None:
    if token is not None:
        _current.reset(token)


def forget() -> None:
    """What this task does is done for many: it belongs to nobody's trace."""
    if _tracing is not None:
        _current.set(None)


def headers() -> Mapping[str, str]:
    """What a call to one of our services carries."""
    if _tracing is None or (place := _current.get()) is None:
        return {}
    parent = place.parent()
    return {PARENT: parent, STATE: _VENDOR + _mark(parent)}


def raw_headers() -> list[tuple[bytes, bytes]]:
    """The same for a request that is passed on as it came."""
    return [(key.encode(), value.encode()) for key, value in headers().items()]


def here() -> str | None:
    """What an event carries (the CloudEvents extension `traceparent`); None outside of traces."""
    place = _current.get()
    return place.parent() if place is not None and place.is_kept else None


@contextmanager
def effects(service: str, source: str, told: Sequence[Told]) -> Generator[None, None, None]:
    """The effects of events, each in the trace of its cause; the work is the first one's.

    Events take effect together, so that the others' spans point to the one that has the work.
    """
    causes = [(each, _read(each.trace)) for each in told if each.trace] if _tracing else []
    spans = [
        Span("consumer", f"effect of {each.kind}", place._replace(service=service), is_leaf=n > 0)
        for n, (each, place) in enumerate((e, p) for e, p in causes if p is not None and p.is_kept)
    ]
    if not spans:
        yield
        return
    for each in spans:
        kind = each.name.removeprefix("effect of ")
        each.linked = None if each is spans[0] else spans[0].place
        each.say({"messaging.system": "polyclinic", "messaging.destination.name": source})
        each.say({"polyclinic.event": kind})
    try:
        with spans[0]:
            yield
    finally:
        for each in spans[1:]:
            with each:
                each.failed = spans[0].failed


def _read(parent: str) -> Place | None:
    found = _PARENT.fullmatch(parent)
    if found is None:
        return None
    trace, span, kept = int(found[1], 16), int(found[2], 16), found[3] == "1"
    return Place(trace, span, "", kept) if trace else None


def _proven(parent: str, state: str) -> Place | None:
    if not parent or not hmac.compare_digest(state.encode(), (_VENDOR + _mark(parent)).encode()):
        return None
    return _read(parent)


def _mark(parent: str) -> str:
    assert _tracing is not None
    # 64 bits: a guessed one would only put a stranger's request into a trace.
    said = b"traceparent\n" + parent.encode("latin-1")
    return hmac.digest(_tracing.key, said, "sha256")[:8].hex()
