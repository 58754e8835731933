"""Opens the doors that are not HTTP when the service is at work; closes them before it stops."""

import errno
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.foundation import telemetry
from polyclinic.foundation.service import Running
from polyclinic.foundation.starting import CannotStart
from polyclinic.services.integration.actions.opening import open_engine
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.listeners.hearing import Hearing
from polyclinic.services.integration.listeners.mllp import Limits, Server
from polyclinic.services.integration.listeners.tls import server_context
from polyclinic.services.integration.settings import IntegrationSettings


@asynccontextmanager
async def open_doors(running: Running) -> AsyncGenerator[Engine, None]:
    async with open_engine(running) as engine, _mllp(engine):
        yield engine


@asynccontextmanager
async def _mllp(engine: Engine) -> AsyncGenerator[None, None]:
    settings = engine.settings
    if not settings.mllp_port:
        yield
        return
    limits = Limits(
        frame_bytes=settings.message_bytes,
        connections=settings.mllp_connections,
        connections_a_peer=settings.mllp_connections_a_peer,
        idle_seconds=settings.mllp_idle_seconds,
    )
    server = engine.mllp = Server(Hearing(engine), limits)
    await _open(server, settings)
    telemetry.log("MLLP door open", service="integration", port=settings.mllp_port)
    try:
        yield
    finally:
        await server.close()


async def _open(server: Server, settings: IntegrationSettings) -> None:
    try:
        await server.open(settings.mllp_host, settings.mllp_port, _tls(settings))
    except OSError as refused:
        where = f"{settings.mllp_host}:{settings.mllp_port}"
        if refused.errno == errno.EADDRINUSE:
            text = f"The MLLP port {where} is already in use."
            raise CannotStart(text, place="POLYCLINIC_INTEGRATION_MLLP_PORT") from refused
        text = f"The MLLP port {where} cannot be opened."
        raise CannotStart(text, place="POLYCLINIC_INTEGRATION_MLLP_HOST") from refused


def _tls(settings: IntegrationSettings) -> ssl.SSLContext | None:
    files = (
        settings.mllp_tls_certificate, settings.mllp_tls_key, settings.mllp_tls_client_authority,
    )  # fmt: skip
    if not any(files):
        return None
    if not all(files):
        text = "TLS of MLLP needs a certificate, its key, and the authority of the senders'."
        raise CannotStart(text, place="POLYCLINIC_INTEGRATION_MLLP_TLS_CERTIFICATE")
    try:
        return server_context(*files)
    except OSError as unread:
        text = "The certificate files of MLLP cannot be read."
        raise CannotStart(text, place="POLYCLINIC_INTEGRATION_MLLP_TLS_CERTIFICATE") from unread
