"""`python -m polyclinic.demo.legacy`: the old clinic in a process of its own."""

import argparse
import asyncio
import sys
from pathlib import Path

from granian.constants import Interfaces
from granian.server.embed import Server

from polyclinic.demo.legacy import Settings, legacy_clinic


def main() -> None:
    asked = argparse.ArgumentParser(prog="polyclinic.demo.legacy")
    asked.add_argument("--port", type=int, required=True)
    asked.add_argument("--data", type=Path, required=True, metavar="DIR")
    asked.add_argument("--rows", type=int, default=4000)
    asked.add_argument("--seed", type=int, default=1998)
    asked.add_argument("--fault", action="append", default=[], metavar="NAME[:SHARE]")
    given = asked.parse_args()
    settings = Settings(
        data=given.data, rows=given.rows, seed=given.seed, faults=tuple(given.fault)
    )
    server = Server(
        legacy_clinic(settings),
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
