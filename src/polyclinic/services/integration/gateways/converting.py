"""Documents are converted in processes of their own: half a second and much memory for each."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from polyclinic.foundation.aside import Aside, NotDone, aside, serve
from polyclinic.foundation.errors import NotProcessable
from polyclinic.standards.ccda import Converted, NotCcda, convert

WORKERS = 1


class NotConverted(NotProcessable):
    """This is no C-CDA document."""


class _Refused(msgspec.Struct, frozen=True, tag=True):
    text: str
    place: str


class _Made(msgspec.Struct, frozen=True, tag=True):
    converted: Converted


_Answer = msgspec.json.Decoder(_Made | _Refused)


class Converter:
    """Asks a worker for each document."""

    def __init__(self, workers: Aside) -> None:
        self._workers = workers

    async def ccda(self, raw: bytes) -> Converted:
        """Raises NotConverted, naming the place, or Unavailable."""
        try:
            answer = _Answer.decode(await self._workers.ask(raw))
        except NotDone as refused:
            raise NotConverted(place="document") from refused
        if isinstance(answer, _Refused):
            raise NotConverted(answer.text, place=answer.place)
        return answer.converted


@asynccontextmanager
async def converter() -> AsyncGenerator[Converter, None]:
    """A worker starts with the first document."""
    module = "polyclinic.services.integration.gateways.converting"
    async with aside(module, WORKERS) as at_work:
        yield Converter(at_work)


def _work(raw: bytes) -> bytes:
    try:
        return msgspec.json.encode(_Made(convert(raw)))
    except NotCcda as refused:
        return msgspec.json.encode(_Refused(refused.text, refused.place))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, _work)
