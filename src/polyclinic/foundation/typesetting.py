"""Paper: accessible PDFs (PDF/UA-1) from typst templates, set in niced processes of their own.

Values travel as JSON beside the template and are never written into it, so they cannot be markup.
A worker lives as long as whoever asks it.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from polyclinic.foundation.aside import Aside, NotDone, aside
from polyclinic.foundation.errors import Problem

FONTS = Path(__file__).parent / "look" / "fonts"
WORKERS = 2


class NotSet(Problem):
    """The document could not be made."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What a worker is asked for; `data` is JSON."""

    template: str
    data: str


class Typesetter:
    """A few workers; a sheet waits for the first that is free."""

    def __init__(self, workers: Aside) -> None:
        self._workers = workers

    async def pdf(self, template: Path, values: object) -> bytes:
        """Raises NotSet when the template and the values do not go together."""
        sheet = _Sheet(str(template), msgspec.json.encode(values).decode())
        try:
            return await self._workers.ask(msgspec.json.encode(sheet))
        except NotDone as refused:
            raise NotSet from refused


@asynccontextmanager
async def typesetter(workers: int = WORKERS) -> AsyncGenerator[Typesetter, None]:
    """Workers start with the first sheet: a process that prints nothing pays nothing."""
    async with aside("polyclinic.foundation.typesetting:setter", workers) as at_work:
        yield Typesetter(at_work)


def setter() -> Callable[[bytes], bytes | None]:
    """What a worker answers with; typst and its typefaces are loaded once."""
    import typst  # noqa: PLC0415 - the platform's own processes never load it

    fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(FONTS)])
    compiler = typst.Compiler(font_paths=fonts)

    def work(content: bytes) -> bytes | None:
        try:
            return _set(compiler, msgspec.json.decode(content, type=_Sheet))
        except RuntimeError:  # typst's own; its message may quote what the sheet says
            return None

    return work


def _set(compiler: "object", sheet: _Sheet) -> bytes:
    """Letters that our typefaces lack would stop PDF/UA: they are shown as boxes instead."""
    try:
        return _compiled(compiler, sheet.template, sheet.data)
    except RuntimeError:
        return _compiled(compiler, sheet.template, "".join(map(_shown, sheet.data)))


def _compiled(compiler: "object", template: str, data: str) -> bytes:
    made = compiler.compile(  # pyright: ignore
        input=template,
        root=str(Path(template).parent),  # a template reads the files beside it and no others
        format="pdf",
        sys_inputs={"data": data},
        pdf_standards=["ua-1"],
    )
    assert isinstance(made, bytes)
    return made


# Latin with its extensions, Greek, Cyrillic, and the marks of ordinary text.
_LETTERS = ((0x20, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x1E00, 0x1EFF), (0x2010, 0x2027),
            (0x2030, 0x203A), (0x20A0, 0x20B5))  # fmt: skip


def _shown(letter: str) -> str:
    return letter if any(a <= ord(letter) <= b for a, b in _LETTERS) else "\N{WHITE SQUARE}"
