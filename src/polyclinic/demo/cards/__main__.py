"""`python -m polyclinic.demo.cards`: the card gateway in a process of its own."""

import argparse
import asyncio
import sys

from granian.constants import Interfaces
from granian.server.embed import Server

from polyclinic.demo.cards import Settings, card_gateway


def main() -> None:
    asked = argparse.ArgumentParser(prog="polyclinic.demo.cards")
    asked.add_argument("--port", type=int, required=True)
    asked.add_argument("--file", default=":memory:")
    asked.add_argument("--hook")
    asked.add_argument("--settle-seconds", type=int, default=20)
    given = asked.parse_args()
    settings = Settings(
        url=f"http://127.0.0.1:{given.port}",
        file=given.file,
        hook=given.hook,
        settle_seconds=given.settle_seconds,
    )
    server = Server(
        card_gateway(settings),
        address="127.0.0.1",
        port=given.port,
        interface=Interfaces.ASGI,
        log_enabled=False,
    )
    sys.stdout.write(f"{settings.url}\n")
    sys.stdout.flush()
    asyncio.run(server.serve())


if __name__ == "__main__":
    main()
