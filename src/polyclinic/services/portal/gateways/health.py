"""Each service's own word about its health."""

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.peers import Absent, Peers


class Health:
    """Whether a service says that it is ready."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._peers.names()))

    async def of(self, name: str) -> str:
        """ready, not ready, silent or absent"""
        try:
            answer = await self._peers.send(name, "GET", f"/{name}/health/ready")
        except Absent:
            return "absent"
        except Unavailable:
            return "silent"
        return "ready" if answer.status_code == 200 else "not ready"
