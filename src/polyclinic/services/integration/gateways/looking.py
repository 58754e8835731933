"""The owners of FHIR types, asked with a client's own token: they show what it may see."""

from collections.abc import Sequence
from typing import Any

from polyclinic.foundation.errors import Forbidden, Invalid, NotSupported, Unavailable
from polyclinic.foundation.service import Running
from polyclinic.standards.fhir import codec

Resource = dict[str, Any]


class Looking:
    """Searches at whichever service keeps a type."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def search(
        self, kind: str, pairs: Sequence[tuple[str, str]], token: str
    ) -> list[Resource]:
        """What the holder of the token finds; raises Invalid, Forbidden or Unavailable."""
        owner = self._running.elsewhere.get(kind)
        if owner is None:
            raise NotSupported(f"No service of this installation keeps {kind}.", place="criteria")
        headers = {"authorization": f"Bearer {token}"}
        answer = await self._running.peers.send(
            owner, "GET", f"/fhir/{kind}", params=list(pairs), headers=headers
        )
        if answer.status_code == 200:
            bundle = codec.decode_kept(answer.content)
            found = bundle.get("entry") or ()
            return [e["resource"] for e in found if e.get("search", {}).get("mode") == "match"]
        if answer.status_code in (401, 429) or answer.status_code >= 500:
            raise Unavailable(f"The {owner} service does not answer.", place=owner)
        if answer.status_code == 403:
            raise Forbidden("Your access does not include these criteria.", place="criteria")
        raise Invalid("The criteria are not understood.", place="Subscription.criteria")
