"""The floor of HTTP: the same web server and loop, an application that only answers bytes.

`python -m bench.hello PORT STATUS SIZE …`: one door for each kind of answer.
"""

import asyncio
import sys
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server


class Hello:
    def __init__(self, status: int, size: int) -> None:
        self._status, self._body = status, b"x" * size

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "POST":
            while (await receive()).get("more_body"):
                pass
        headers = [
            (b"content-type", b"application/fhir+json"),
            (b"content-length", b"%d" % len(self._body)),
        ]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


async def serve(port: int, app: Hello) -> None:
    server = Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        backlog=1024,
        websockets=False,
        log_enabled=False,
    )
    await server.serve()


async def doors(words: list[int]) -> None:
    each = zip(words[::3], words[1::3], words[2::3], strict=True)
    await asyncio.gather(*(serve(port, Hello(status, size)) for port, status, size in each))


if __name__ == "__main__":
    uvloop.run(doors([int(word) for word in sys.argv[1:]]))
