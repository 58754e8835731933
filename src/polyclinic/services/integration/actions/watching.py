"""Sees that channels are alive: what waits and how long, who is silent, what is to be forgotten."""

from datetime import timedelta
from typing import Any

from prometheus_client import Gauge

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import NotFound
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.telemetry import Metrics
from polyclinic.services.integration.actions import channels
from polyclinic.services.integration.actions.state import Asker, Deployed, Engine
from polyclinic.services.integration.domain import access
from polyclinic.services.integration.domain.channels import silent_since
from polyclinic.services.integration.store import alerts, messages, retention

SILENT = "silent"
STATES = ("received", "failed", "waiting", "parked")
FORGET_AT_ONCE = 500


class Gauges:
    """What the clock measures of queues, for Prometheus."""

    def __init__(self, metrics: Metrics) -> None:
        labels = ("service", "channel", "state")
        self.count = Gauge(
            "polyclinic_messages_unfinished", "Messages that are not finished, by state.", labels,
            registry=metrics.registry,
        )  # fmt: skip
        self.age = Gauge(
            "polyclinic_messages_oldest_seconds", "Age of the oldest unfinished message.", labels,
            registry=metrics.registry,
        )  # fmt: skip
        self.silent = Gauge(
            "polyclinic_channel_silent", "1 while a channel is silent that should not be.",
            ("service", "channel"), registry=metrics.registry,
        )  # fmt: skip


async def watch(engine: Engine, gauges: Gauges) -> None:
    """Measures the queues, and opens and ends the alerts of silent channels."""
    database = engine.running.database
    found = await channels.deployed(engine)
    counts = {(row["channel"], row["state"]): row for row in await messages.counts(database)}
    for name in found:
        for state in STATES:
            _measure(gauges, name, state, counts.get((name, state)))
    heard = {row["name"]: row["last"] for row in await messages.traffic(database)}
    for name, deployed in found.items():
        await _listen(engine, gauges, name, deployed, heard.get(name))


def _measure(gauges: Gauges, channel: str, state: str, row: Row | None) -> None:
    labels = ("integration", channel, state)
    gauges.count.labels(*labels).set(row["count"] if row else 0)
    age = (clock.now() - row["oldest"]).total_seconds() if row else 0
    gauges.age.labels(*labels).set(age)


async def _listen(engine: Engine, gauges: Gauges, name: str, deployed: Deployed, last: Any) -> None:
    database, channel = engine.running.database, deployed.channel
    now = clock.now()
    since = silent_since(channel.expect, channel.zone, last, now) if deployed.is_open else None
    gauges.silent.labels("integration", name).set(0 if since is None else 1)
    if since is None:
        await alerts.end_alert(database, name, SILENT, "integration")
    elif await alerts.open_alert(database, name, SILENT):
        seconds = int((now - since).total_seconds())
        telemetry.log("channel silent", service="integration", kind=name, seconds=seconds)


async def health(engine: Engine, asker: Asker) -> dict[str, Any]:
    """Each channel with its queue, its traffic and what is wrong with it."""
    access.check_operator(asker.caller, "r")
    database = engine.running.database
    found = await channels.deployed(engine)
    counts = await messages.counts(database)
    traffic = {row["name"]: row for row in await messages.traffic(database)}
    open_now = await alerts.open_alerts(database)
    return {
        "channels": [
            {
                "name": name,
                "about": deployed.channel.about,
                "source": deployed.channel.source,
                "version": deployed.version,
                "status": "open" if deployed.is_open else "closed",
                "accepts": deployed.channel.accepts,
                "last": traffic[name]["last"] if name in traffic else None,
                "last_hour": traffic[name]["count"] if name in traffic else 0,
                "queue": {
                    row["state"]: {"count": row["count"], "oldest": row["oldest"]}
                    for row in counts
                    if row["channel"] == name
                },
                "alerts": [dict(row) for row in open_now if row["channel"] == name],
            }
            for name, deployed in found.items()
        ]
    }


async def end_alert(engine: Engine, asker: Asker, alert: Any, key: Once) -> Stored:
    """Somebody has seen to it; the same thing happening again opens another one."""
    access.check_operator(asker.caller, "u")

    async def act(tx: messages.Transaction) -> tuple[int, object]:
        if not await alerts.end_by_id(tx, alert, asker.name):
            raise NotFound("There is no such open alert.", place="alert")
        return 200, {"alert": str(alert), "status": "ended"}

    return await engine.carried(key, act)


async def forget(engine: Engine) -> int:
    """Destroys what messages say once their time is over: by channel and state, never before the
    legal minimum, never of what is unfinished. That they came and what they did stays."""
    least, now = engine.settings.keep_days_least, clock.now()
    total = 0
    for name, deployed in (await channels.deployed(engine)).items():
        keep = deployed.channel.keep
        days = {"done": keep.done, "ignored": keep.ignored, "skipped": keep.skipped,
                "replaced": keep.skipped}  # fmt: skip
        for state, count in days.items():
            before = now - timedelta(days=max(count, least))
            while True:
                gone = await retention.empty(
                    engine.running.database, name, state, before, FORGET_AT_ONCE
                )
                total += gone
                if gone < FORGET_AT_ONCE:
                    break
    return total
