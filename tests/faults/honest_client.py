"""A client as we ask ours to be: what was shed or cut off is asked again, with the same key."""

import time
from typing import Any

import httpx

# Too much at once, or something is away for a moment: both say when to come again.
PASSING = (429, 503)


class Honest(httpx.Client):
    """Comes again sooner than it is told, so that a test sees more of what can happen."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        super().__init__(base_url=url, headers=headers, timeout=30, trust_env=False)
        self.repeats = 0

    def until_answered(
        self, method: str, path: str, *, seconds: float = 120, **sent: Any
    ) -> httpx.Response:
        end, last = time.monotonic() + seconds, "nothing was heard"
        while time.monotonic() < end:
            try:
                answer = self.request(method, path, **sent)
            except httpx.TransportError as lost:
                last = repr(lost)
            else:
                if not comes_too_early(answer):
                    return answer
                last = answer.text
            self.repeats += 1
            time.sleep(0.04)
        raise AssertionError(f"{path} was not answered within {seconds} s: {last}")

    def found(self, path: str) -> Any:
        answer = self.until_answered("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()


def comes_too_early(answer: httpx.Response) -> bool:
    """Whether the same request may be answered otherwise a moment later."""
    if answer.status_code == 409:
        return answer.json().get("kind") == "StillRunning"
    if answer.status_code in PASSING:
        assert "retry-after" in answer.headers, answer.text
        return True
    return False
