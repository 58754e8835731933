"""Documents are converted in processes of their own: half a second and much memory for each."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from polyclinic.foundation.aside import Aside, NotDone, aside
from polyclinic.foundation.errors import NotProcessable
from polyclinic.standards.ccda import Converted
from polyclinic.standards.ccda.answering import Answer, Refused

WORK = "polyclinic.standards.ccda.answering:answering"
WORKERS = 1


class NotConverted(NotProcessable):
    """This is no C-CDA document."""


_answers = msgspec.json.Decoder(Answer)


class Converter:
    """Asks a worker for each document."""

    def __init__(self, workers: Aside) -> None:
        self._workers = workers

    async def ccda(self, raw: bytes) -> Converted:
        """Raises NotConverted, naming the place, or Unavailable."""
        try:
            answer = _answers.decode(await self._workers.ask(raw))
        except NotDone as refused:
            raise NotConverted(place="document") from refused
        if isinstance(answer, Refused):
            raise NotConverted(answer.text, place=answer.place)
        return answer.converted


@asynccontextmanager
async def converter() -> AsyncGenerator[Converter, None]:
    """A worker starts with the first document."""
    async with aside(WORK, WORKERS) as at_work:
        yield Converter(at_work)
