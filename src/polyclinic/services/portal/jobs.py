"""The portal by the clock: sessions and drafts that ended are forgotten."""

from polyclinic.foundation import clock
from polyclinic.foundation.service import Job, Running
from polyclinic.services.portal.actions import drafts, sessions


async def _forget_ended(running: Running) -> None:
    await sessions.forget_ended(running.state, clock.now())
    await drafts.forget_ended(running.state, clock.now())


jobs = (Job("forget ended sessions and drafts", 300, _forget_ended),)
