"""Audit over its JSON door: who saw the record of the patient whose token it is."""

from polyclinic.foundation.errors import Unauthenticated
from polyclinic.foundation.peers import Peers
from polyclinic.services.portal.domain.seen import Seen
from polyclinic.services.portal.gateways.answers import decoded_as, refusal

NAME = "audit"


class HttpAudit:
    """The audit service as its door speaks."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def seen(self, token: str, before: str | None) -> Seen:
        """The newest looks, or those before a place; raises Unavailable, naming audit."""
        headers = {"authorization": f"Bearer {token}"}
        asked = {"before": before} if before else {}
        answer = await self._peers.send(
            "audit", "GET", "/audit/seen", params=asked, headers=headers
        )
        if answer.status_code == 401:
            raise Unauthenticated
        if answer.status_code != 200:
            raise refusal(answer.status_code, NAME)
        return decoded_as(answer.content, Seen, NAME)
