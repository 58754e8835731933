"""Begins to tell traces where the settings name a collector."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.foundation import tracing
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.starting import CannotStart

PATH = "/v1/traces"


@asynccontextmanager
async def traced(platform: Platform, key: bytes) -> AsyncGenerator[None, None]:
    """Tells spans while this lasts; `key` is the front doors', by which they know each other."""
    if platform.traces_url is None:
        yield
        return
    try:
        # Only here: a third of a second that nobody else should wait for.
        from polyclinic.foundation.tracing import otlp  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        text = "POLYCLINIC_TRACES_URL needs the extra: pip install 'polyclinic[traces]'."
        raise CannotStart(text, place="POLYCLINIC_TRACES_URL") from missing
    async with otlp.collector(platform.traces_url) as collector:
        with tracing.telling(tracing.Tracing(collector, key, platform.traces_share)):
            yield
