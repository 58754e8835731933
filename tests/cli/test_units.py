"""What is sent in one piece, from files, folders and tars, without unpacking anything."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.cli.units import JSON, NDJSON, Reading, Unit, Unreadable, measure, read_units

BUNDLE = b'{"resourceType":"Bundle"}'


def units_of(*paths: Path) -> tuple[list[Unit], Reading]:
    files, reading = measure(paths)
    return list(read_units(files, reading)), reading


def tarred(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_a_json_file_is_one_unit_and_its_gzip_is_the_same_one(tmp_path):
    (tmp_path / "a.json").write_bytes(BUNDLE)
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(BUNDLE))
    units, reading = units_of(tmp_path)
    assert [(unit.source, unit.kind, unit.content) for unit in units] == [
        ("a.json", JSON, BUNDLE),
        ("b.json.gz", JSON, BUNDLE),
    ]
    assert units[0].hash == units[1].hash
    assert reading.done == reading.total > 0


def test_ndjson_is_cut_every_500_lines_and_keeps_the_numbers_of_its_lines(tmp_path):
    lines = [json.dumps({"n": number}) for number in range(1, 1202)]
    lines[3] = ""  # a blank line counts as a line of the file, but is not sent
    (tmp_path / "many.ndjson").write_text("\n".join(lines))
    units, _ = units_of(tmp_path / "many.ndjson")
    assert [len(unit.lines) for unit in units] == [500, 500, 200]
    assert units[0].lines[2:4] == (3, 5)
    assert all(
        unit.kind == NDJSON and unit.content.count(b"\n") == len(unit.lines) for unit in units
    )
    assert json.loads(units[2].content.splitlines()[-1]) == {"n": 1201}


@given(st.lists(st.text("ab\r ", max_size=3), max_size=30))
def test_no_line_is_lost_and_none_is_sent_twice(tmp_path_factory, lines):
    file = tmp_path_factory.mktemp("lines") / "x.ndjson.gz"
    content = "\n".join(lines).encode()
    file.write_bytes(gzip.compress(content))
    units, _ = units_of(file)
    sent = [line for unit in units for line in unit.content.splitlines() if line]
    kept = [line.rstrip(b"\r") for line in content.split(b"\n") if line.strip()]
    assert b"".join(sent).replace(b"\r", b"") == b"".join(kept).replace(b"\r", b"")


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tgz", "w:gz"), (".tar.gz", "w:gz")])
def test_a_tar_is_read_as_a_stream_and_nothing_of_it_reaches_the_disk(tmp_path, suffix, mode):
    members = {
        "fhir/a.json": BUNDLE,
        "../../escaped.json": BUNDLE + b" ",
        "/etc/absolute.ndjson": b"{}\n{}\n",
        "fhir/._a.json": b"a twin that macOS makes",
        "README.txt": b"hello",
    }
    archive = tarred(tmp_path / f"all{suffix}", members, mode)
    units, reading = units_of(archive)
    assert [unit.source for unit in units] == ["a.json", "escaped.json", "absolute.ndjson"]
    assert reading.passed_over == ["fhir/._a.json", "README.txt"]
    assert list(tmp_path.iterdir()) == [archive]
    assert not (tmp_path.parent.parent / "escaped.json").exists()


def test_a_link_in_a_tar_is_not_followed(tmp_path):
    (tmp_path / "secret.json").write_text('{"secret": true}')
    with tarfile.open(tmp_path / "links.tar", "w") as tar:
        link = tarfile.TarInfo("link.json")
        link.type = tarfile.SYMTYPE
        link.linkname = str(tmp_path / "secret.json")
        tar.addfile(link)
    units, _ = units_of(tmp_path / "links.tar")
    assert units == []


def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path):
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(BUNDLE)[:-6])
    (tmp_path / "b.json.gz").write_bytes(b"no gzip")
    (tmp_path / "c.json").write_bytes(BUNDLE)
    tar = tarred(tmp_path / "d.tar", {"x.json.gz": b"no gzip", "y.json": BUNDLE})
    tar.write_bytes(tar.read_bytes()[:2300])
    units, reading = units_of(tmp_path)
    assert [unit.source for unit in units] == ["c.json", "y.json"]
    assert [Path(name).name for name, _ in reading.broken][:3] == [
        "a.json.gz",
        "b.json.gz",
        "x.json.gz",
    ]


def test_a_gzip_that_opens_into_too_much_is_refused_before_memory_is(tmp_path):
    with gzip.open(tmp_path / "bomb.json.gz", "wb") as bomb:
        for _ in range(257):
            bomb.write(bytes(1 << 20))
    units, reading = units_of(tmp_path)
    assert units == []
    assert reading.broken[0][1] == "it holds more than 256 MB"


def test_a_path_that_is_nothing_we_know_is_refused_at_once(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(Unreadable, match="neither"):
        measure([tmp_path / "notes.txt"])
    with pytest.raises(Unreadable, match="no file or folder"):
        measure([tmp_path / "absent.json"])
