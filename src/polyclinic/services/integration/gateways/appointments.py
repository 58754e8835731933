"""Appointments: what other systems booked, moved and cancelled, through its own door."""

from typing import Any
from uuid import UUID

from polyclinic.foundation.service import Running
from polyclinic.services.integration.gateways.asking import (
    Json,
    decoded,
    is_there,
    refusal,
    send,
)
from polyclinic.standards.fhir import codec


def is_installed(running: Running) -> bool:
    return is_there(running, "appointments")


async def find(running: Running, name: UUID) -> Json | None:
    """The appointment as it stands; none where there is none."""

    async def ask(sent: dict[str, str], _: bytes | None) -> Any:
        return await running.peers.send(
            "appointments", "GET", f"/appointments/{name}", headers=sent
        )

    answer = await send(running, ask, {}, None)
    if answer.status_code == 404:
        return None
    if not answer.is_success:
        raise refusal(answer)
    return decoded(answer)["appointment"]


async def take_in(running: Running, booking: Json, key: str) -> tuple[Json, bool]:
    """The appointment, and whether it is new; raises Refused (PlaceTaken, AlreadyThere …)."""
    return await _post(running, "/appointments/elsewhere", booking, key)


async def change(running: Running, name: UUID, verb: str, key: str) -> Json:
    """`cancel`, `arrive`, `fulfil`, `no-show`, `undo`."""
    return (await _post(running, f"/appointments/{name}/{verb}", {}, key))[0]


async def _post(running: Running, path: str, body: Json, key: str) -> tuple[Json, bool]:
    async def ask(sent: dict[str, str], content: bytes | None) -> Any:
        return await running.peers.send("appointments", "POST", path, headers=sent, content=content)

    headers = {"content-type": "application/json", "idempotency-key": key}
    answer = await send(running, ask, headers, codec.encode(body))
    if not answer.is_success:
        raise refusal(answer)
    return decoded(answer)["appointment"], answer.status_code == 201
