"""What stands in for the effects until they are there: nothing is made of a message."""

from typing import Any
from uuid import UUID

from polyclinic.foundation.service import Running
from polyclinic.services.integration.domain.outcomes import Outcome


async def carry_out(_: Running, __: UUID, ___: Any, /) -> Outcome:
    return Outcome("ignored", "not mapped")
