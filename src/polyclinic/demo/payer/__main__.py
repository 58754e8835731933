"""`python -m polyclinic.demo.payer`: the simulated insurer over HTTP, in a process of its own."""

import argparse
import asyncio
import sys

from granian.constants import Interfaces
from granian.server.embed import Server

from polyclinic.demo.payer.rules import read_rules
from polyclinic.demo.payer.serving import app


def main() -> None:
    asked = argparse.ArgumentParser(prog="polyclinic.demo.payer")
    asked.add_argument("--port", type=int, required=True)
    given = asked.parse_args()
    server = Server(
        app(read_rules()),
        address="127.0.0.1",
        port=given.port,
        interface=Interfaces.ASGI,
        log_enabled=False,
    )
    sys.stdout.write(f"http://127.0.0.1:{given.port}\n")
    sys.stdout.flush()
    asyncio.run(server.serve())


if __name__ == "__main__":
    main()
