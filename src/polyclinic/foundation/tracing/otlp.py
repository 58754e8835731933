"""Tells spans to a collector by OTLP over HTTP: in batches, in a thread, dropping what is too much.

Only imported where `POLYCLINIC_TRACES_URL` is set: the libraries are the extra `traces`.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import cache

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from polyclinic.foundation import telemetry
from polyclinic.foundation.tracing import Place, Span

# Spans that wait at most (about 2 MB), how many go at once, how often, and how long one try may
# take. A collector that is away costs what waits, nobody's time.
WAITING_MAX, BATCH, EVERY_MS, TRY_SECONDS = 4096, 512, 2000.0, 5.0
LEAVE_SECONDS = 3.0
COMPLAIN_SECONDS = 60.0
_INSTANCE = str(uuid.uuid4())
_SCOPE = InstrumentationScope("polyclinic")


class _Complaining(SpanExporter):
    """Says once a minute that the collector does not take spans, in our own words."""

    def __init__(self, url: str) -> None:
        session = requests.Session()
        session.trust_env = False  # a proxy for the internet is none for a collector beside us
        self._out = OTLPSpanExporter(endpoint=url, timeout=TRY_SECONDS, session=session)
        self._quiet_until = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._out.export(spans)
        if result is not SpanExportResult.SUCCESS and time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + COMPLAIN_SECONDS
            telemetry.log("traces not taken", logging.WARNING, count=len(spans))
        return result

    def shutdown(self) -> None:
        self._out.shutdown()


class Otlp:
    """A collector; the spans of each service are told as that service's own."""

    def __init__(self, url: str) -> None:
        # The libraries' own complaints may quote an address; ours stand in the log instead.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = _Complaining(url)
        self._batches = BatchSpanProcessor(self._exporter, WAITING_MAX, EVERY_MS, BATCH)

    def tell(self, span: Span) -> None:
        # Made when it ended, so that a request pays for one object and no lock.
        self._batches.on_end(
            ReadableSpan(
                span.name,
                context=_context(span.place),
                parent=_context(span.parent) if span.parent.span else None,
                resource=_resource(span.place.service),
                attributes=span.said,
                links=(Link(_context(span.linked)),) if span.linked else (),
                kind=SpanKind[span.kind.upper()],
                status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
                start_time=span.began,
                end_time=span.ended,
                instrumentation_scope=_SCOPE,
            )
        )

    async def close(self) -> None:
        """Gives what waits a moment to leave, then stops whatever the collector does."""
        leaving = asyncio.create_task(asyncio.to_thread(self._batches.force_flush))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(leaving), LEAVE_SECONDS)
        self._exporter.shutdown()
        await leaving
        await asyncio.to_thread(self._batches.shutdown)


@asynccontextmanager
async def collector(url: str) -> AsyncGenerator[Otlp, None]:
    """A collector at `url`, an OTLP/HTTP endpoint for traces, whether or not it is there."""
    otlp = Otlp(url)
    try:
        yield otlp
    finally:
        await otlp.close()


def _context(place: Place) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(place.trace, place.span, is_remote=False, trace_flags=flags)


@cache
def _resource(service: str) -> Resource:
    # Not `Resource.create`: that would look around in the process and tell its command line.
    return Resource(
        {
            "service.name": service,
            "service.namespace": "polyclinic",
            "service.instance.id": _INSTANCE,
        }
    )
