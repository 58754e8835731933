"""`polyclinic edge`: the front door as a process of its own, with no data and no root key."""

import os

from polyclinic.assembly.process import front_door
from polyclinic.cli.waiting import until_stopped
from polyclinic.foundation import serving, settings, telemetry
from polyclinic.foundation.settings import Platform


async def serve_edge(host: str, port: int) -> int:
    """Runs until it is told to stop."""
    telemetry.log_to()
    serving.check_port(host, port)
    await until_stopped(_run(host, port))
    return 0


async def _run(host: str, port: int) -> None:
    platform = settings.load(Platform, None, os.environ)

    def ready() -> None:
        print(f"the front door at http://{host}:{port}", flush=True)

    async with front_door(platform) as edge:
        await serving.serve(edge, host, port, ready)
