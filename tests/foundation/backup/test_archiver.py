"""The archiver: on the disk before it says so, never over anything, never half of a piece back."""

import gzip
import subprocess

import pytest

from polyclinic.foundation.postgres.archiving import SCRIPT

NAME = "000000010000000000000001"


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "a folder's 100% wal"
    folder.mkdir()

    def run(*words):
        command = ["/bin/sh", str(SCRIPT), *map(str, words), str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    return folder, run


def piece(tmp_path, content):
    file = tmp_path / "piece"
    file.write_bytes(content)
    return file


def test_a_piece_comes_back_as_it_went(tmp_path, archive):
    folder, run = archive
    content = bytes(range(256)) * 4096
    assert run("put", piece(tmp_path, content), NAME) == 0
    assert run("get", NAME, tmp_path / "back") == 0
    assert (tmp_path / "back").read_bytes() == content
    assert [file.name for file in folder.iterdir()] == [f"{NAME}.gz"]


def test_the_same_again_is_fine_and_other_content_is_refused_and_changes_nothing(tmp_path, archive):
    folder, run = archive
    assert run("put", piece(tmp_path, b"one"), NAME) == 0
    assert run("put", piece(tmp_path, b"one"), NAME) == 0
    assert run("put", piece(tmp_path, b"two"), NAME) == 1
    assert gzip.decompress((folder / f"{NAME}.gz").read_bytes()) == b"one"


def test_what_a_power_cut_left_is_no_piece_and_does_not_stand_in_the_way(tmp_path, archive):
    folder, run = archive
    (folder / f".{NAME}.4711").write_bytes(b"half")
    assert run("get", NAME, tmp_path / "back") == 1
    assert run("put", piece(tmp_path, b"whole"), NAME) == 0
    assert [file.name for file in folder.iterdir()] == [f"{NAME}.gz"]


def test_a_damaged_piece_does_not_come_back_in_part(tmp_path, archive):
    folder, run = archive
    run("put", piece(tmp_path, bytes(range(256)) * 4096), NAME)
    kept = folder / f"{NAME}.gz"
    kept.write_bytes(kept.read_bytes()[:-9])
    assert run("get", NAME, tmp_path / "back") == 1
    assert not (tmp_path / "back").exists()


def test_a_full_disk_is_a_failure_not_a_short_piece(tmp_path, archive):
    """A folder that cannot be written stands for it: what is not on the disk is not kept."""
    folder, run = archive
    file = piece(tmp_path, b"one")
    for each in list(folder.iterdir()):
        each.unlink()
    folder.rmdir()
    folder.write_text("no folder")
    assert run("put", file, NAME) != 0
