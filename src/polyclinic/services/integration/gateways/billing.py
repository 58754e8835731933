"""Billing: charges made and taken back through its own door; never money that was paid."""

from typing import Any

from polyclinic.foundation.service import Running
from polyclinic.services.integration.gateways.asking import (
    Json,
    decoded,
    is_there,
    refusal,
    send,
)
from polyclinic.standards.fhir import codec

_HEADERS = {"content-type": "application/fhir+json", "accept": "application/fhir+json"}


def is_installed(running: Running) -> bool:
    return is_there(running, "billing")


async def charge(running: Running, item: Json, key: str) -> Json:
    """A ChargeItem, once for each key; raises Refused."""
    return await _ask(running, "POST", "/fhir/ChargeItem", (item, key))


async def find(running: Running, name: str) -> Json | None:
    """`ChargeItem/<id>` as it stands."""
    return await _ask(running, "GET", f"/fhir/{name}", None)


async def take_back(running: Running, item: Json, key: str) -> Json:
    """The charge is mirrored in the ledger; it and its reversal stay to be seen."""
    void = {**item, "status": "entered-in-error"}
    return await _ask(running, "PUT", f"/fhir/ChargeItem/{item['id']}", (void, key))


async def _ask(running: Running, method: str, path: str, what: tuple[Json, str] | None) -> Any:
    async def ask(sent: dict[str, str], content: bytes | None) -> Any:
        return await running.peers.send("billing", method, path, headers=sent, content=content)

    key = {"idempotency-key": what[1]} if what else {}
    answer = await send(running, ask, {**_HEADERS, **key}, codec.encode(what[0]) if what else None)
    if method == "GET" and answer.status_code in (404, 410):
        return None
    if not answer.is_success:
        raise refusal(answer)
    return decoded(answer)
