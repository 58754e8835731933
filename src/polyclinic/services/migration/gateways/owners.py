"""Who keeps what is moved: bookings have an owner of their own, the rest is records'."""

from collections.abc import Sequence

from polyclinic.foundation.service import Running
from polyclinic.services.migration.domain.crossing import BOOKING
from polyclinic.services.migration.gateways.batches import Ask, Said
from polyclinic.services.migration.gateways.bookings import Bookings
from polyclinic.services.migration.gateways.charts import Charts


class Owners:
    """Asks each thing of its owner, and answers in the order of the asks."""

    def __init__(self, running: Running) -> None:
        self._names = running.peers.names
        self._charts, self._bookings = Charts(running), Bookings(running)

    def is_there(self, kind: str) -> bool:
        """Whether this type's owner is part of the installation."""
        return kind != BOOKING or "appointments" in self._names()

    async def ask(self, asks: Sequence[Ask]) -> list[Said]:
        said: dict[int, Said] = {}
        for is_booking, owner in ((False, self._charts), (True, self._bookings)):
            mine = [n for n, ask in enumerate(asks) if (ask.kind == BOOKING) == is_booking]
            if mine:
                answers = await owner.ask([asks[n] for n in mine])
                said.update(zip(mine, answers, strict=True))
        return [said[n] for n in range(len(asks))]
