"""Paper is set in processes of their own that may die, and never by what a value says."""

import io
import os
import signal
from pathlib import Path

import psutil
import pypdf
import pytest

from polyclinic.foundation.typesetting import NotSet, typesetter

SHEET = """
#set document(title: "A sheet")
#set text(font: "Inter", lang: "en")
#let data = json(bytes(sys.inputs.data))
= #data.head
#data.words
"""


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    file = tmp_path / "sheet.typ"
    file.write_text(SHEET)
    return file


def text_of(content: bytes) -> str:
    read = pypdf.PdfReader(io.BytesIO(content))
    return " ".join(" ".join(page.extract_text() for page in read.pages).split())


def workers() -> list[psutil.Process]:
    mine = psutil.Process(os.getpid()).children()
    return [each for each in mine if "polyclinic.foundation.typesetting:setter" in each.cmdline()]


async def test_values_are_set_as_they_stand(sheet: Path):
    words = '#panic("x") #read("/etc/passwd") $1$ *b* \\ <a> "q" Ż Я'
    async with typesetter() as setter:
        content = await setter.pdf(sheet, {"head": "Head", "words": words})
    assert words in text_of(content)
    assert b"/MarkInfo" in content


async def test_letters_that_no_typeface_has_stop_nothing(sheet: Path):
    async with typesetter() as setter:
        content = await setter.pdf(sheet, {"head": "Head", "words": "before 王小明 after"})
    assert text_of(content).startswith("Head before")
    assert text_of(content).endswith("after")


async def test_a_template_that_does_not_fit_is_refused_and_the_next_sheet_is_set(sheet: Path):
    async with typesetter(1) as setter:
        with pytest.raises(NotSet):
            await setter.pdf(sheet, {"head": "Head"})
        assert await setter.pdf(sheet, {"head": "Head", "words": "Words"})


async def test_a_worker_that_is_killed_is_replaced_and_all_end_with_the_setter(sheet: Path):
    values = {"head": "Head", "words": "Words"}
    async with typesetter(1) as setter:
        await setter.pdf(sheet, values)
        (worker,) = workers()
        assert worker.nice() > psutil.Process(os.getpid()).nice()
        worker.send_signal(signal.SIGKILL)
        assert await setter.pdf(sheet, values)
        assert len(workers()) == 1
    assert workers() == []
