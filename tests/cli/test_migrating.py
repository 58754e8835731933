"""An inventory at the command line: files of every kind, packed ones, bombs, the whole story."""

import gzip
import json
import subprocess
import sys

import pytest

from polyclinic.cli import main
from polyclinic.cli.migrating import Wanted, read
from polyclinic.foundation.errors import Invalid, TooLarge, Unavailable
from polyclinic.services.migration.gateways import files
from polyclinic.services.migration.gateways.database import look

LINE = (
    '10.0.0.9 - skim [03/Mar/2026:09:15:00 -0500] "GET /api/patient/HS-100007/meds?token=SECRET'
    ' HTTP/1.1" 200 512 "-" "-" 0.012\n'
)


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "access.log").write_text(LINE * 3 + "broken\n")
    packed = gzip.compress(LINE.encode() * 2) + gzip.compress(LINE.encode())
    (tmp_path / "access.log.1.gz").write_bytes(packed)
    (tmp_path / "roles.csv").write_text("login,role\nskim,md\n")
    page = {"openapi": "3.0.0", "paths": {"/api/patient/{mrn}": {"get": {"summary": "Who"}}}}
    (tmp_path / "page.json").write_text(json.dumps(page))
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/patients.csv").write_text("mrn,dob\nHS-1,x\nHS-2,y\nHS-3,z\n")
    (tmp_path / "exports/labs.csv").write_text("id,mrn\n1,HS-1\n2,HS-2\n3,HS-3\n4,HS-3\n")
    return tmp_path


async def test_every_source_becomes_a_finding_of_its_own(sources):
    wanted = Wanted(
        "harbor",
        log=(sources / "access.log", sources / "access.log.1.gz"),
        openapi=(sources / "page.json",),
        csv=(sources / "exports",),
        roles=sources / "roles.csv",
    )
    found = await read(wanted)
    assert sorted(found) == ["csv", "log", "log-2", "openapi"]
    assert (found["log"].read, found["log"].bad) == (4, 1)
    assert found["log-2"].endpoints[0].count == 3, "both parts of a packed log"
    assert found["log"].endpoints[0].roles == {"md": 3}
    assert [link.name for link in found["csv"].links] == ["labs.mrn -> patients.mrn"]


def test_a_dry_run_shows_what_was_found_and_needs_no_platform(sources, capsys):
    words = ["migration", "inventory", "harbor", "--log", str(sources / "access.log"), "--dry-run"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "4 read, 1 endpoints" in said
    assert "1 could not be read, the first in lines 4" in said
    assert "medications" in said
    assert "Nothing was sent." in said
    assert "SECRET" not in said


def test_without_a_source_or_a_file_it_says_so(tmp_path, capsys):
    assert main(["migration", "inventory", "harbor", "--dry-run"]) == 1
    assert "Name a source" in capsys.readouterr().err
    gone = ["migration", "inventory", "harbor", "--log", str(tmp_path / "gone"), "--dry-run"]
    assert main(gone) == 1
    assert "gone cannot be read" in capsys.readouterr().err


def test_a_packed_file_that_unfolds_without_end_is_refused_on_the_way(tmp_path):
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(b"\0" * (64 << 20), 9))
    with pytest.raises(TooLarge):
        for _ in files.pieces(bomb):
            pass
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8b" + b"no" * 40)
    with pytest.raises(Invalid):
        list(files.pieces(broken))
    with pytest.raises(TooLarge):
        files.whole(bomb, 1 << 20)


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite:////nowhere/at/all.db", "oracle://u:SECRET@h/d"]
)
async def test_a_database_that_cannot_be_reached_is_said_without_its_password(url):
    with pytest.raises((Invalid, Unavailable)) as refused:
        await look(url)
    assert "SECRET" not in refused.value.message


async def test_the_old_database_is_opened_for_reading_only(tmp_path):
    with pytest.raises(Unavailable):
        await look(f"sqlite:///{tmp_path / 'new.db'}")
    assert not (tmp_path / "new.db").exists()


def test_the_whole_story_is_told_to_its_end(tmp_path):
    words = [sys.executable, "-m", "polyclinic", "migration", "demo", "--keep", str(tmp_path / "k")]
    told = subprocess.run(words, capture_output=True, text=True, timeout=220, check=False)
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]
    assert "39 endpoints" in told.stdout
    assert "25 links, 5 declared" in told.stdout
    assert "0 answers differ from the old clinic's own" in told.stdout
    assert "everybody is on the old side again" in told.stdout
    assert told.stdout.count("divergence 0.") == 2
    assert "the old clinic has both." in " ".join(told.stdout.split())
    assert "one chain of hashes" in told.stdout
