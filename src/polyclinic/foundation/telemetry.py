"""What a process tells about itself: JSON log lines of allowed fields, and metrics.

Patient data never enters a log line: only the fields of `ALLOWED` pass, and each of them is an
identifier of ours, a number, a template or a name from our own vocabulary.
"""

import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

request_id: ContextVar[str] = ContextVar("request_id", default="-")

ALLOWED = frozenset(
    [
        "service",
        "route",
        "method",
        "status",
        "ms",
        "count",
        "total",
        "kind",
        "code",
        "table",
        "schema",
        "version",
        "port",
        "pid",
        "url",
        "account",
        "client",
        "role",
        "reason",
        "seconds",
        "bytes",
        "attempt",
        "error",
        "lane",
        "folder",
        "hash",
        "size",
        "where",
    ]
)

_log = logging.getLogger("polyclinic")
_encode = msgspec.json.Encoder().encode

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class NotAllowedInLogs(TypeError):
    """A log line was given a field that is not on the allow-list."""


def log(event: str, level: int = logging.INFO, /, **fields: str | float | None) -> None:
    """Writes one JSON line; a field outside the allow-list is a programming error."""
    if not fields.keys() <= ALLOWED:
        raise NotAllowedInLogs(f"{sorted(fields.keys() - ALLOWED)} in {event!r}")
    _log.log(level, event, extra={"fields": fields})


def log_bug(event: str, bug: BaseException, /, **fields: str | float | None) -> None:
    """Logs where an unexpected error arose, never its message (it may quote a patient's data)."""
    step = bug.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    where = "-"
    if step is not None:
        name = step.tb_frame.f_globals.get("__name__", "?")
        where = f"{name}:{step.tb_lineno}"
    log(event, logging.ERROR, error=type(bug).__name__, where=where, **fields)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": _event(record),
        }
        if (request := request_id.get()) != "-":
            line["request"] = request
        line.update(getattr(record, "fields", {}))
        return _encode(line).decode()


class _Lines(logging.StreamHandler[TextIO]):
    """A full disk costs lines, never work; when there is room again, one line says how many.

    Python's own way, a traceback to standard error for each line, fills the pipe of whoever does
    not read it, and then the platform stands still.
    """

    lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        before = self.lost
        super().emit(record)
        if before and self.lost == before:
            self.lost = 0
            log("log lines lost", logging.WARNING, count=before)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        if isinstance(sys.exc_info()[1], OSError):
            self.lost += 1
        else:
            super().handleError(record)


def log_to(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Sends our log lines to a stream (standard error by default); libraries' only as names."""
    handler = _Lines(stream or sys.stderr)
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _log.setLevel(level)


class Metrics:
    """The metrics of one service, in a registry of its own: any subset can share a process."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self.service = service
        labels = ("service", "route", "method", "status")
        self._requests = Histogram(
            "polyclinic_request_seconds",
            "Time to answer a request, by route template.",
            labels,
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._watch_lanes()
        self._watch_events()
        self._watch_archive()
        self._watch_places()
        self.loop_lag = Histogram(
            "polyclinic_loop_lag_seconds",
            "How late the event loop of the process comes to what is due.",
            ("service",),
            registry=self.registry,
            buckets=BUCKETS,
        )

    def _watch_lanes(self) -> None:
        labels = ("service", "lane")
        self.lane_size = Histogram(
            "polyclinic_lane_batch_size",
            "Requests that travelled together in one statement.",
            labels,
            registry=self.registry,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
        )
        self.lane_waiting = Gauge(
            "polyclinic_lane_waiting",
            "Requests that wait for a lane's next statement.",
            labels,
            registry=self.registry,
        )
        self.refused = Counter(
            "polyclinic_refused_total",
            "Requests shed because too many were waiting.",
            labels,
            registry=self.registry,
        )

    def _watch_events(self) -> None:
        labels = ("service", "source")
        self.event_lag = Histogram(
            "polyclinic_event_lag_seconds",
            "From an event's transaction to its effect here.",
            labels,
            registry=self.registry,
            buckets=BUCKETS,
        )
        self.dead_letters = Counter(
            "polyclinic_dead_letters_total",
            "Events whose effect failed again and again.",
            labels,
            registry=self.registry,
        )

    def _watch_places(self) -> None:
        """Of what there is only so much: the door's places and the connections of pools."""
        self._door = Gauge(
            "polyclinic_door_requests",
            "Requests that are in work, that wait to be let in, and how many may be in work.",
            ("service", "door", "state"),
            registry=self.registry,
        )
        self._pool = Gauge(
            "polyclinic_pool_connections",
            "Connections in use, requests that wait for one, and how many there may be.",
            ("service", "pool", "state"),
            registry=self.registry,
        )

    def watch_door(
        self,
        door: tuple[str, str],
        limit: int,
        in_work: Callable[[], int],
        waiting: Callable[[], int],
    ) -> None:
        """`door` is who counts and for which service; counted only when somebody looks."""
        self._door.labels(*door, "limit").set(limit)
        self._door.labels(*door, "in_work").set_function(in_work)
        self._door.labels(*door, "waiting").set_function(waiting)

    def watch_pool(
        self, pool: str, limit: int, in_use: Callable[[], int], waiting: Callable[[], int]
    ) -> None:
        self._pool.labels(self.service, pool, "limit").set(limit)
        self._pool.labels(self.service, pool, "in_use").set_function(in_use)
        self._pool.labels(self.service, pool, "waiting").set_function(waiting)

    def _watch_archive(self) -> None:
        self.archive_age = Gauge(
            "polyclinic_archive_age_seconds",
            "Since the newest piece of the database's log was kept.",
            ("service",),
            registry=self.registry,
        )
        self.archive_failing = Gauge(
            "polyclinic_archive_failing",
            "1 while pieces of the database's log cannot be kept.",
            ("service",),
            registry=self.registry,
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        # A method is whatever a client sends: only known words become a label.
        known = method if method in METHODS else "OTHER"
        self._requests.labels(self.service, route, known, str(status)).observe(seconds)


def _event(record: logging.LogRecord) -> str:
    # A library's message may quote anything, so only its logger's name is kept.
    return record.getMessage() if hasattr(record, "fields") else f"message of {record.name}"
