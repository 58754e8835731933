"""Who keeps what is moved: bookings have an owner of their own, the rest is records'."""

from collections.abc import AsyncIterator, Sequence

from polyclinic.foundation.service import Running
from polyclinic.services.migration.domain.crossing import BOOKING
from polyclinic.services.migration.gateways.batches import Ask, Said
from polyclinic.services.migration.gateways.bookings import Bookings
from polyclinic.services.migration.gateways.charts import Charts


class Owners:
    """Asks each thing of its owner."""

    def __init__(self, running: Running) -> None:
        self._names = running.peers.names
        self._charts, self._bookings = Charts(running), Bookings(running)

    def is_there(self, kind: str) -> bool:
        """Whether this type's owner is part of the installation."""
        return kind != BOOKING or "appointments" in self._names()

    async def ask(self, asks: Sequence[Ask]) -> list[Said]:
        """All answers; raises Unavailable while an owner does not answer."""
        said = {n: each async for n, each in self.answers(asks)}
        return [said[n] for n in range(len(asks))]

    async def answers(self, asks: Sequence[Ask]) -> AsyncIterator[tuple[int, Said]]:
        """Each answer with the number of its ask, as soon as it is there.

        Raises Unavailable where an owner does not answer any more: what came before was done.
        """
        for is_booking, owner in ((False, self._charts), (True, self._bookings)):
            mine = [n for n, ask in enumerate(asks) if (ask.kind == BOOKING) == is_booking]
            async for n, said in owner.answers([asks[n] for n in mine]):
                yield mine[n], said
