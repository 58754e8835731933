"""Records, as the place where billing publishes what other clinics' claims stand beside."""

from typing import Any

from polyclinic.foundation.errors import Problem, Unavailable
from polyclinic.foundation.service import Running
from polyclinic.standards.fhir import codec

NAME = "records"


class Refused(Problem):
    """Records does not take this document."""


def is_there(running: Running) -> bool:
    """Whether records is installed at all."""
    return NAME in running.peers.names()


async def publish(running: Running, resource: dict[str, Any]) -> None:
    """PUTs a document in billing's own name; raises Unavailable or Refused."""
    path = f"/fhir/{resource['resourceType']}/{resource['id']}"
    headers = {
        "authorization": f"Bearer {await running.tokens.for_documents()}",
        "content-type": "application/fhir+json",
    }
    answer = await running.peers.send(
        "records", "PUT", path, headers=headers, content=codec.encode(resource)
    )
    if answer.status_code == 401:
        running.tokens.forget()
        raise Unavailable("Records does not take billing's token.", place=NAME)
    if answer.status_code >= 500 or answer.status_code == 429:
        raise Unavailable("Records does not answer.", place=NAME)
    if not answer.is_success:
        raise Refused(place=resource["resourceType"])
