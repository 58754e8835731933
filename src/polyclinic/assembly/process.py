"""A process out of any subset of services: migrate, connect, start, serve."""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from polyclinic.assembly import jobs
from polyclinic.assembly.edge import Edge
from polyclinic.assembly.hop import Hops, edge_key, read_edge_key
from polyclinic.assembly.services import SERVICES, named, owned_elsewhere
from polyclinic.foundation import migrations, serving, settings, telemetry
from polyclinic.foundation.backup.watching import watch_archives
from polyclinic.foundation.caller import Callers
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.http import App
from polyclinic.foundation.outbox import feed
from polyclinic.foundation.outbox.reader import readers
from polyclinic.foundation.outbox.sequencer import Sequencer
from polyclinic.foundation.peers import Peers, parse
from polyclinic.foundation.revocations import Revocations
from polyclinic.foundation.service import Running, Service
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.tokens import ServiceTokens
from polyclinic.foundation.tracing.starting import traced
from polyclinic.foundation.trail import door as trail_door
from polyclinic.foundation.trail import reading as trails
from polyclinic.foundation.vault import RootKey, Vault
from polyclinic.foundation.work import meanwhile


@dataclass(frozen=True)
class Process:
    """Services at work in this process, and the door in front of them."""

    edge: Edge
    peers: Peers
    running: Mapping[str, Running]


@asynccontextmanager
async def assemble(
    platform: Platform, names: tuple[str, ...], environ: Mapping[str, str]
) -> AsyncGenerator[Process, None]:
    """Starts services and stops them in the opposite order; migrations come first."""
    services = named(names)
    url, root = _database_and_key(platform)
    peers = _peers_elsewhere(platform, names)
    revocations = Revocations(peers, time.monotonic)
    apps: dict[str, App] = {}
    at_work: dict[str, Running] = {}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(peers.close)
        await stack.enter_async_context(traced(platform, edge_key(root)))
        for service in services:
            database = await _own_database(url, service, root, may_change=platform.migrate)
            stack.push_async_callback(database.close)
            running = Running(
                service,
                platform,
                settings.load(service.settings, service.name, environ),
                database,
                root,
                Vault(root, service.name, service.dictionaries),
                peers,
                Callers(peers, platform.public_url, revocations=revocations),
                telemetry.Metrics(service.name),
                _tokens(peers, root, service, platform),
                owned_elsewhere(service.name, {*names, *peers.names()}),
                {each.name: each.document_scopes for each in SERVICES},
            )
            database.watch(running.metrics)
            at_work[service.name] = running
            apps[service.name] = App(running, (*feed.routes(service), *trail_door.routes(service)))
            peers.add_local(service.name, apps[service.name])
        for running in at_work.values():
            await _set_to_work(stack, running)
        await stack.enter_async_context(_watch_loop(at_work))
        await stack.enter_async_context(watch_archives(at_work.values()))
        _spare_the_collector()
        yield Process(Edge(apps, peers, SERVICES, Hops(edge_key(root))), peers, at_work)


@asynccontextmanager
async def front_door(platform: Platform) -> AsyncGenerator[Edge, None]:
    """The edge alone: no service, no database, no root key; it only passes requests on."""
    if platform.edge_key_file is None or not platform.peers:
        raise Invalid("POLYCLINIC_EDGE_KEY_FILE and POLYCLINIC_PEERS are both needed.")
    hops = Hops(read_edge_key(Path(platform.edge_key_file)))
    peers = _peers_elsewhere(platform, ())
    try:
        async with traced(platform, hops.key):
            yield Edge({}, peers, SERVICES, hops)
    finally:
        await peers.close()


def _tokens(peers: Peers, root: RootKey, service: Service, platform: Platform) -> ServiceTokens:
    scopes = service.document_scopes
    return ServiceTokens(peers, root, service.name, platform.public_url, scopes)


def _spare_the_collector() -> None:
    """What stands after the start stays: the collector need not walk over it again and again."""
    gc.collect()
    gc.freeze()
    # Short-lived requests are cheaper to leave alone a little longer.
    gc.set_threshold(20_000, 20, 50)


def _peers_elsewhere(platform: Platform, names: tuple[str, ...]) -> Peers:
    """The services of other processes; one that also runs here is asked here."""
    peers = Peers()
    elsewhere = parse(platform.peers)
    named(tuple(elsewhere))  # a misspelt name would only show as a service that nobody has
    for name, url in elsewhere.items():
        if name not in names:
            peers.add_remote(name, url)
    return peers


async def _set_to_work(stack: AsyncExitStack, running: Running) -> None:
    """Opens the service's trails and state, then its feeds, then its clock."""
    for each in running.service.trails:
        await trails.begin(running.database, each)
    if running.service.start is not None:
        running.state = await stack.enter_async_context(running.service.start(running))
    await _join_feeds(stack, running)
    await stack.enter_async_context(jobs.clock(running))


async def _join_feeds(stack: AsyncExitStack, running: Running) -> None:
    """Begins to number what the service says, and to read what it reacts to."""
    service = running.service
    if service.says:
        sequencer = Sequencer(running.database, service.name)
        running.sequencer = await stack.enter_async_context(sequencer.running())
    if service.reactions:
        running.readers = await stack.enter_async_context(readers(running))


async def serve(
    process: Process, host: str, port: int, ready: Callable[[], None] | None = None
) -> None:
    """Serves until cancelled; a taken port is refused before anything is announced."""

    def stopping() -> None:
        for running in process.running.values():
            if running.sequencer is not None:
                running.sequencer.let_go()

    await serving.serve(process.edge, host, port, ready, stopping)


async def migrate(platform: Platform, names: tuple[str, ...]) -> None:
    """Brings the services' roles, schemas and tables up to date, and starts nothing."""
    url, root = _database_and_key(platform)
    for service in named(names):
        await _bring_up_to_date(url, service, root)


def _database_and_key(platform: Platform) -> tuple[str, RootKey]:
    if platform.database_url is None or platform.key_file is None:
        raise Invalid("POLYCLINIC_DATABASE_URL and POLYCLINIC_KEY_FILE are both needed.")
    return platform.database_url, RootKey.read(Path(platform.key_file))


async def _own_database(url: str, service: Service, root: RootKey, *, may_change: bool) -> Database:
    """Opens the service's schema under its own role, once it is of this release."""
    own = _as_role(url, service.name, _password(service, root))
    if may_change:
        await _bring_up_to_date(url, service, root)
    else:
        await migrations.check(own, service.name, _folders(service))
    return await Database.connect(own, service.name)


async def _bring_up_to_date(url: str, service: Service, root: RootKey) -> None:
    password, key = _password(service, root), root.lasting_fingerprint
    await migrations.migrate(url, service.name, password, _folders(service), key)


def _password(service: Service, root: RootKey) -> str:
    return root.derive(f"database role|{service.name}").hex()


def _folders(service: Service) -> list[Path]:
    return [*service.mounts, *([service.schema] if service.schema else [])]


def _as_role(url: str, role: str, password: str) -> str:
    """The same database, seen by a service's own role."""
    parts = urlsplit(url)
    _, _, where = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password)}@{where}"))


LAG_EVERY_SECONDS = 0.1


@asynccontextmanager
async def _watch_loop(at_work: Mapping[str, Running]) -> AsyncGenerator[None, None]:
    """Measures how late the loop wakes up; every service of the process shares the loop."""
    async with meanwhile(_measure_lag([running.metrics for running in at_work.values()])):
        yield


async def _measure_lag(metrics: list[telemetry.Metrics]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_EVERY_SECONDS
        await asyncio.sleep(LAG_EVERY_SECONDS)
        for each in metrics:
            each.loop_lag.labels(each.service).observe(max(0.0, loop.time() - due))
