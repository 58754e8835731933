"""A service behind the real front door whose every answer takes so much work and nothing else.

`python busy_service.py PORT MILLISECONDS`
"""

import asyncio
import sys
import time

import uvloop

from polyclinic.assembly.edge import Edge
from polyclinic.assembly.hop import Hops
from polyclinic.assembly.services import SERVICES
from polyclinic.foundation import serving
from polyclinic.foundation.peers import Peers

STEPS = 4  # a real answer lets others run, too, while it asks the database


class Busy:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __call__(self, scope, receive, send):
        await asyncio.sleep(0.001)
        for _ in range(STEPS):
            until = time.thread_time() + self._seconds / STEPS
            while time.thread_time() < until:
                pass
            await asyncio.sleep(0)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})


async def serve(port: int, seconds: float) -> None:
    peers, app = Peers(), Busy(seconds)
    peers.add_local("records", app)
    edge = Edge({"records": app}, peers, SERVICES, Hops(b"k" * 32))
    await serving.serve(edge, "127.0.0.1", port)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
