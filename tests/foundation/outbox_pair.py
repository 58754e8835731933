"""A speaker whose feed is read over a wire, and a listener that keeps what it hears."""

from types import SimpleNamespace

import httpx
from starlette.applications import Starlette

from polyclinic.foundation import outbox, telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.events import Event
from polyclinic.foundation.outbox import feed
from polyclinic.foundation.outbox.reader import Reader
from polyclinic.foundation.outbox.sequencer import Sequencer
from polyclinic.foundation.service import Reaction, Service

SPEAKER = Service("speaker", "Says things.", "lean", (), (), mounts=(outbox.SCHEMA,), says=True)


class ThingHappened(Event):
    thing: int


class Token:
    async def get(self):
        return "a token"

    def forget(self):
        pass


class Wire:
    """The speaker's feed as a peer; now and then it is cut."""

    def __init__(self, app):
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://speaker"
        )
        self.cut = lambda: False
        self.spoil = lambda _: None

    def names(self):
        return ("speaker",)

    async def send(self, name, method, path, **request):
        request.pop("timeout", None)
        if self.cut():
            raise Unavailable("cut before")
        answer = await self._client.request(method, path, **request)
        if answer.status_code == 200:
            page = answer.json()
            self.spoil(page)
            answer = httpx.Response(200, json=page)
        if self.cut():
            raise Unavailable("cut after")
        return answer


class Speaker:
    def __init__(self, database):
        self.database = database
        self.sequencer = Sequencer(database, "speaker")
        caller = Caller("listener", "listener", "system", frozenset({feed.SCOPE}), None, "t")

        async def verify(_):
            return caller

        app = Starlette(routes=list(feed.routes(SPEAKER)))
        app.state.running = SimpleNamespace(
            service=SPEAKER,
            database=database,
            sequencer=self.sequencer,
            callers=SimpleNamespace(verify=verify),
        )
        self.wire = Wire(app)

    async def say(self, *things):
        async with self.database.transaction() as tx:
            await outbox.announce(tx, *((f"Thing/{t}", ThingHappened(thing=t)) for t in things))


class Crash(Exception):
    """The listener dies here."""


class Listener:
    """Keeps each thing it hears of, in order; `crash` decides where it dies."""

    def __init__(self, database, wire):
        self.crash = lambda _: False
        reaction = Reaction("speaker", "ThingHappened", self.hear)
        self.service = Service(
            "listener", "Listens.", "lean", (), (), mounts=(outbox.SCHEMA,), reactions=(reaction,)
        )
        self.database = database
        self.running = SimpleNamespace(
            service=self.service,
            database=database,
            peers=wire,
            tokens=Token(),
            metrics=telemetry.Metrics("listener"),
        )

    async def prepare(self):
        await self.database.execute(
            "CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, thing int)"
        )

    async def hear(self, _, tx, told):
        for each in told:
            thing = each.read(ThingHappened).thing
            await tx.execute("INSERT INTO effect (thing) VALUES ($1)", thing)
            if self.crash(thing):
                raise Crash

    def reader(self):
        return Reader(self.running, "speaker", self.service.reactions)

    async def heard(self):
        return [
            r["thing"] for r in await self.database.fetch("SELECT thing FROM effect ORDER BY n")
        ]
