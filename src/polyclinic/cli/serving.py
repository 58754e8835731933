"""`polyclinic serve NAME…`: some services; database, peers and keys come from outside."""

import os

from polyclinic.assembly.process import assemble, migrate, serve
from polyclinic.cli.waiting import until_stopped
from polyclinic.foundation import settings, telemetry
from polyclinic.foundation.serving import check_port
from polyclinic.foundation.settings import Platform


async def serve_named(names: tuple[str, ...], host: str, port: int) -> int:
    """Runs until it is told to stop."""
    telemetry.log_to()
    check_port(host, port)
    await until_stopped(_run(names, host, port))
    return 0


async def _run(names: tuple[str, ...], host: str, port: int) -> None:
    platform = settings.load(Platform, None, os.environ)

    def ready() -> None:
        print(f"{', '.join(names)} at http://{host}:{port}", flush=True)

    async with assemble(platform, names, os.environ) as process:
        await serve(process, host, port, ready)


async def migrate_named(names: tuple[str, ...]) -> int:
    """What a job does once before the new release's processes start."""
    await migrate(settings.load(Platform, None, os.environ), names)
    print(f"Up to date: {', '.join(names)}")
    return 0
