"""Documents, spreadsheets and dropped files take the way of messages: sealed, once, in order."""

import asyncio
import io
import os
import signal
import sys
from datetime import date
from pathlib import Path

import psutil
import pytest
from integration_door import ADMIN, OPERATOR, SENDER, Door, caller, message, open_door
from openpyxl import Workbook

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.integration.actions import collecting
from polyclinic.services.integration.domain.outcomes import Outcome
from polyclinic.services.integration.gateways.converting import WORK

sys.path.insert(0, str(Path(__file__).parents[2] / "standards/ccda"))
from written import allergies, allergy, code, document

CCDA = """
name: documents
source: http
format: ccda
systems: {"1.2.3.9": "urn:mrn:other-house"}
"""
ROWS = """
name: people
source: http
format: rows
mapping:
  columns:
    numbers: [{column: Chart, system: "urn:mrn:old"}]
    family: Last
    given: First
    birth_date: Born
    sex: Sex
    phone: Phone
"""
PEOPLE = (
    "Chart,Last,First,Born,Sex,Phone\n"
    "1001,Keller,Maria,1980-02-29,F,555-0101\n"
    "1002,Okafor,Ben,03/04/1975,m,\n"
    ",Nobody,Nora,1990-01-01,F,\n"
    "1003,Marsh,Ida,1990-13-01,F,\n"
    "1004,Marsh,Ida,1990-12-01,Z,\n"
)
PEANUT = allergy(code("762952008", "Peanut"))


@pytest.fixture
async def clinic(postgres_url: str, key_file: Path, tmp_path: Path):
    async with open_door(
        postgres_url, key_file, POLYCLINIC_INTEGRATION_FOLDERS=str(tmp_path)
    ) as opened:
        yield opened


async def hand_in(clinic: Door, channel: str, raw: bytes, what: str = "messages", who=SENDER):
    return await clinic.ask(who, "POST", f"/integration/channels/{channel}/{what}", raw)


async def ids(clinic: Door) -> list:
    return [r["id"] for r in await clinic.sql("SELECT id FROM integration.message ORDER BY seq")]


async def test_a_document_becomes_what_it_says_about_one_person(clinic: Door):
    await clinic.deploy(CCDA)
    raw = document(allergies(PEANUT))
    answer = await hand_in(clinic, "documents", raw)
    assert (answer.status_code, answer.headers["x-acknowledgement"]) == (200, "AA")
    (name,) = await ids(clinic)
    assert await clinic.until(name, "done", "parked", "waiting") == "done"
    ((_, made),) = clinic.owners.asked
    (keep,) = made.intents
    assert keep.person.identifiers[0].system == "urn:mrn:other-house"
    kinds = {each.kind for each in keep.documents}
    assert kinds == {"Composition", "AllergyIntolerance", "DocumentReference"}
    assert {each.rank for each in keep.documents} == {("20260101170000",)}
    again = await hand_in(clinic, "documents", raw)
    assert again.status_code == 200
    assert len(clinic.owners.asked) == 1, "the same document has no second effect"
    other = await hand_in(clinic, "documents", document(allergies(PEANUT, PEANUT)))
    assert other.status_code == 422, "another document under the same id is for people to look at"


@pytest.mark.parametrize(
    "raw", [b"<html/>", b"nothing", b'<!DOCTYPE x><ClinicalDocument xmlns="urn:hl7-org:v3"/>']
)
async def test_what_is_no_document_is_kept_for_people_and_refused(clinic: Door, raw):
    await clinic.deploy(CCDA)
    assert (await hand_in(clinic, "documents", raw)).status_code == 422
    (name,) = await ids(clinic)
    assert await clinic.state(name) == "parked"
    assert clinic.owners.asked == []


async def test_a_body_that_breaks_later_parks_the_document_alone(clinic: Door):
    await clinic.deploy(CCDA)
    broken = document(allergies(PEANUT), number="2")[:-200]
    await hand_in(clinic, "documents", broken)
    await hand_in(clinic, "documents", document(allergies(PEANUT), number="3"))
    first, second = await ids(clinic)
    assert await clinic.until(first, "parked", "done") == "parked"
    rows = await clinic.sql("SELECT problem FROM integration.message WHERE id = $1", first)
    assert rows[0]["problem"] == "This is not well-formed XML."
    assert await clinic.state(second) in ("received", "done"), "it waits for its patient's turn"


async def test_a_sheet_is_tried_and_then_taken_row_by_row(clinic: Door):
    await clinic.deploy(ROWS)
    tried = await hand_in(clinic, "people", PEOPLE.encode(), "sheets?dry_run=true")
    report = tried.json()
    assert (report["rows"], report["good"], report["taken"], report["bad"]) == (5, 2, 0, 3)
    assert [(r["line"], r["column"]) for r in report["refused"]] == [
        (4, "Chart"), (5, "Born"), (6, "Sex")
    ]  # fmt: skip
    assert "Marsh" not in tried.text
    assert await ids(clinic) == []
    taken = (await hand_in(clinic, "people", PEOPLE.encode(), "sheets")).json()
    assert (taken["taken"], taken["again"], taken["bad"]) == (2, 0, 3)
    for name in await ids(clinic):
        assert await clinic.until(name, "done") == "done"
    people = sorted(made.person.resource["birthDate"] for _, made in clinic.owners.asked)
    assert people == ["1975-03-04", "1980-02-29"]
    rerun = (await hand_in(clinic, "people", PEOPLE.encode(), "sheets")).json()
    assert (rerun["taken"], rerun["again"]) == (0, 2)
    rows = await clinic.sql("SELECT sealed FROM integration.message")
    assert all(b"Keller" not in row["sealed"] for row in rows)


async def test_a_workbook_is_read_as_a_person_reads_it(clinic: Door):
    book = Workbook()
    sheet = book.active
    sheet.append(["Chart", "Last", "First", "Born", "Sex", "Phone"])
    sheet.append([1001.0, "Keller", "Maria", date(1980, 2, 29), "female", None])
    content = io.BytesIO()
    book.save(content)
    await clinic.deploy(ROWS)
    answer = await hand_in(clinic, "people", content.getvalue(), "sheets")
    assert answer.json()["taken"] == 1, answer.text
    (name,) = await ids(clinic)
    await clinic.until(name, "done")
    person = clinic.owners.asked[0][1].person
    assert person.identifiers[0].value == "1001"
    assert person.resource["birthDate"] == "1980-02-29"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"Chart,Last,First,Born,Sex\n1,a,b,1990-01-01,f\n", "Phone"),
        (b"Chart,Chart\n1,2\n", "Chart"),
        (b"Chart,,Last\n", "line 1"),
        (b"\xff\xfe\x00", "line 1"),
        (b'Chart,Last,First,Born,Sex,Phone\n1,"a\n', "line"),
        (b"PK\x03\x04 and then nothing", "body"),
        (b"Chart,Last,First,Born,Sex,Phone\n1,a,b,1990-01-01,f,1,too many\n", "line 2"),
    ],
)
async def test_a_sheet_that_cannot_be_read_is_refused_whole_with_its_place(clinic, content, place):
    await clinic.deploy(ROWS)
    answer = await hand_in(clinic, "people", content, "sheets")
    assert answer.status_code in (400, 422), answer.text
    assert place in answer.json()["place"]
    assert await ids(clinic) == []


async def test_only_a_sender_that_the_channel_knows_hands_in_a_sheet(clinic: Door):
    await clinic.deploy(ROWS)
    for who in (caller("front-desk", "Practitioner/tom", "user/*.cruds"), ADMIN):
        assert (await hand_in(clinic, "people", PEOPLE.encode(), "sheets", who)).status_code == 403
    assert (await hand_in(clinic, "people", b"", "sheets?dry=1", OPERATOR)).status_code == 400


FOLDER = """
name: lab
source: folder
accepts: [ADT]
"""


async def looked(clinic: Door, times: int = 2) -> None:
    for _ in range(times):
        await collecting.collect(clinic.engine)


def dropped(root: Path, channel: str) -> Path:
    folder = root / channel
    folder.mkdir(exist_ok=True)
    return folder


# ATK-095
async def test_a_dropped_file_is_taken_once_it_stands_still_and_gone_once_it_is_kept(
    clinic: Door, tmp_path: Path
):
    await clinic.deploy(FOLDER)
    folder = dropped(tmp_path, "lab")
    (folder / "a.hl7").write_bytes(message("F1")[:40])
    await looked(clinic, 1)
    (folder / "a.hl7").write_bytes(message("F1"))  # still being written at the first look
    await looked(clinic, 1)
    assert await ids(clinic) == [], "half a file would have been half a message"
    await looked(clinic, 1)
    assert len(await ids(clinic)) == 1
    assert [p.name for p in folder.iterdir()] == []
    assert list((tmp_path / ".taken/lab").iterdir()) == []


# ATK-095
async def test_links_pipes_and_unfinished_files_are_left_alone(clinic: Door, tmp_path: Path):
    await clinic.deploy(FOLDER)
    folder = dropped(tmp_path, "lab")
    secret = tmp_path / "secret"
    secret.write_text("MSH|^~\\&|secret")
    (folder / "link.hl7").symlink_to(secret)
    os.mkfifo(folder / "pipe.hl7")
    (folder / "upload.hl7.part").write_text("MSH|")
    (folder / ".hidden").write_text("MSH|")
    os.link(secret, folder / "second-name.hl7")
    await looked(clinic, 3)
    assert await ids(clinic) == []
    assert secret.read_text().startswith("MSH")
    assert {p.name for p in folder.iterdir()} >= {"link.hl7", "pipe.hl7", "upload.hl7.part"}
    refused = list((tmp_path / ".refused/lab").glob("*.txt"))
    assert [file.read_text() for file in refused] == ["This is no plain file.\n"]


# ATK-095
async def test_a_file_that_a_crash_left_behind_is_taken_up_again_without_a_second_effect(
    clinic: Door, tmp_path: Path
):
    await clinic.deploy(FOLDER)
    folder = dropped(tmp_path, "lab")
    raw = message("F2")
    (folder / "odd; name $(x).hl7").write_bytes(raw)
    await looked(clinic)
    left = tmp_path / ".taken/lab/left-behind"
    left.write_bytes(raw)
    await looked(clinic)
    assert len(await ids(clinic)) == 1
    assert not left.exists()


async def test_a_dropped_sheet_tells_beside_it_what_was_left_out(clinic: Door, tmp_path: Path):
    await clinic.deploy(ROWS.replace("source: http", "source: folder"))
    folder = dropped(tmp_path, "people")
    (folder / "people.csv").write_text(PEOPLE)
    await looked(clinic)
    assert len(await ids(clinic)) == 2
    (note,) = (tmp_path / ".refused/people").glob("*.txt")
    assert note.read_text().splitlines()[0].startswith("line 4: Chart: ")
    assert "Marsh" not in note.read_text()


async def test_while_nothing_can_be_kept_files_stay(clinic: Door, tmp_path: Path, monkeypatch):
    await clinic.deploy(FOLDER)
    folder = dropped(tmp_path, "lab")
    (folder / "b.hl7").write_bytes(message("F3"))
    kept = clinic.engine.receive

    async def away(_):
        raise Unavailable

    clinic.engine.receive = away
    await looked(clinic)
    assert await ids(clinic) == []
    clinic.engine.receive = kept
    await looked(clinic, 1)
    assert len(await ids(clinic)) == 1


async def test_a_file_that_cannot_be_removed_keeps_back_no_other(
    clinic: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    await clinic.deploy(FOLDER)
    await clinic.deploy(FOLDER.replace("lab", "ward"))
    for channel in ("lab", "ward"):
        for name in ("a", "b"):
            dropped(tmp_path, channel).joinpath(name).write_bytes(message())
    kept = Path.unlink

    def held(path: Path, **how: bool) -> None:
        if path.parent.name == "lab":
            raise PermissionError(13, "held fast")
        kept(path, **how)

    monkeypatch.setattr(Path, "unlink", held)
    await looked(clinic, 3)
    assert len(await ids(clinic)) == 4, "each once, of both folders"
    assert list((tmp_path / ".taken/ward").iterdir()) == []
    [alert] = await clinic.sql("SELECT channel, kind FROM integration.alert WHERE until IS NULL")
    assert tuple(alert) == ("lab", "folder stuck")


async def test_a_document_that_takes_the_converter_down_is_tried_again(clinic: Door):
    await clinic.deploy(CCDA)
    clinic.owners.say = lambda *_: Outcome("done")
    await hand_in(clinic, "documents", document(allergies(PEANUT), number="9"))
    (first,) = await ids(clinic)
    await clinic.until(first, "done")
    (worker,) = [
        each for each in psutil.Process().children()
        if WORK in each.cmdline()
    ]  # fmt: skip
    worker.send_signal(signal.SIGKILL)
    await asyncio.sleep(0)
    await hand_in(clinic, "documents", document(allergies(PEANUT), number="10"))
    assert await clinic.until((await ids(clinic))[1], "done") == "done"
