"""How owners are asked: in integration's own name, once more where its token has just ended."""

from typing import Any

import httpx
import msgspec

from polyclinic.foundation.errors import Problem, Unavailable
from polyclinic.foundation.service import Running

Json = dict[str, Any]


class Refused(Problem):
    """The owner does not take this."""

    def __init__(self, status: int, kind: str = "", place: str | None = None) -> None:
        super().__init__(f"The owner refuses this: {kind or status}.", place=place)
        self.status, self.kind = status, kind


def is_there(running: Running, name: str) -> bool:
    """Whether that service is installed at all."""
    return name in running.peers.names()


async def send(
    running: Running, ask: Any, headers: dict[str, str], content: bytes | None
) -> httpx.Response:
    """`ask` is called with headers and content; raises Unavailable, never for what was asked."""
    token = await running.tokens.for_documents()
    answer = await ask({**headers, "authorization": f"Bearer {token}"}, content)
    if answer.status_code == 401:
        running.tokens.forget()
        token = await running.tokens.for_documents()
        answer = await ask({**headers, "authorization": f"Bearer {token}"}, content)
    if answer.status_code in (401, 429) or answer.status_code >= 500:
        raise Unavailable("An owner does not answer at the moment.", place="owner")
    return answer


def decoded(answer: httpx.Response) -> Json:
    try:
        return msgspec.json.decode(answer.content or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise Unavailable("An owner gave an unreadable answer.", place="owner") from broken


def refusal(answer: httpx.Response) -> Refused:
    """Kind and place of a refusal; its sentence may quote what was sent, so it stays behind."""
    value = decoded(answer)
    if value.get("resourceType") == "OperationOutcome":
        issue = (value.get("issue") or [{}])[0]
        places = issue.get("expression") or [None]
        return Refused(answer.status_code, str(issue.get("code") or ""), places[0])
    kind, place = value.get("kind") or value.get("error"), value.get("place")
    return Refused(answer.status_code, str(kind or ""), place if isinstance(place, str) else None)
