"""What the clock does: forget what has expired."""

from polyclinic.foundation import clock
from polyclinic.foundation.service import Job, Running
from polyclinic.services.identity.actions.forgetting import forget_expired


async def _forget(running: Running) -> None:
    await forget_expired(running.state, clock.now())


jobs = (Job("identity-forget-expired", every_seconds=3600, run=_forget),)
