"""The floor of HTTP: the same web server and loop, an application that only answers bytes.

`python -m bench.hello PORT READ CREATE SEARCH`, the last three being sizes of answers.
"""

import sys
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server


class Hello:
    def __init__(self, read: int, create: int, search: int) -> None:
        self._read, self._create, self._search = (b"x" * n for n in (read, create, search))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "POST":
            while (await receive()).get("more_body"):
                pass
            status, body = 201, self._create
        else:
            status, body = 200, self._search if scope["query_string"] else self._read
        headers = [
            (b"content-type", b"application/fhir+json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


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


if __name__ == "__main__":
    port, *sizes = (int(word) for word in sys.argv[1:])
    uvloop.run(serve(port, Hello(*sizes)))
