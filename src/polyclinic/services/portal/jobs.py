"""The portal by the clock: sessions that ended are forgotten."""

from polyclinic.foundation import clock
from polyclinic.foundation.service import Job, Running
from polyclinic.services.portal.actions import sessions


async def _forget_ended(running: Running) -> None:
    await sessions.forget_ended(running.state, clock.now())


jobs = (Job("forget ended sessions", 300, _forget_ended),)
