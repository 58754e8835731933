"""Gathers and signs without a pause, and is killed at a given millisecond: no handler runs.

`python dying_gatherer.py URL KEY ANCHORS 17.5,203.1` forks a process for each moment, for the
imports take longer than the work; it prints how each one ended (-9: killed).
"""

import asyncio
import os
import signal
import sys
import threading
import traceback

from polyclinic.assembly.process import assemble
from polyclinic.foundation.settings import Platform
from polyclinic.services.audit.actions import gathering, signing

ROW = """
    INSERT INTO access_log (request, type, action, actor, client)
    SELECT gen_random_uuid(), 1, 'r', 'reader', 'c' FROM generate_series(1, 40)"""


async def work(url: str, key_file: str, anchors: str, milliseconds: float) -> None:
    settings = {"POLYCLINIC_AUDIT_ANCHOR_FILE": anchors, "POLYCLINIC_AUDIT_CHECKPOINT_ROWS": "100"}
    platform = Platform(database_url=url, key_file=key_file)
    async with assemble(platform, ("identity", "records", "audit"), settings) as process:
        engine = process.running["audit"].state
        threading.Timer(milliseconds / 1000, os.kill, (os.getpid(), signal.SIGKILL)).start()
        while True:
            await process.running["records"].database.execute(ROW)
            await gathering.gather(engine)
            await signing.sign(engine)


def forked(milliseconds: float) -> int:
    """How the process ended."""
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(work(sys.argv[1], sys.argv[2], sys.argv[3], milliseconds))
        except BaseException:  # noqa: BLE001 - a forked child must never go on as its parent
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


for moment in sys.argv[4].split(","):
    sys.stdout.write(f"{forked(float(moment))}\n")
    sys.stdout.flush()
