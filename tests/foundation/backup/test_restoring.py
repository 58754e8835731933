"""What was kept comes back to the moment that was asked for, and what was erased does not."""

import shutil
from contextlib import contextmanager
from datetime import timedelta

import pytest
from backup_clinic import words_in

from polyclinic.foundation.backup.builtin import Damaged
from polyclinic.foundation.backup.catalog import LogIncomplete, NoBackup
from polyclinic.foundation.backup.restoring import FolderTaken, Wanted, WrongKey, restore
from polyclinic.foundation.vault import RootKey


async def bring_back(clinic, name, moment=None, root=None):
    data = clinic.base / name
    wanted = Wanted(moment, data, root or clinic.root)
    return data, await restore(clinic.provider, wanted, clinic.hearing)


@contextmanager
def changed(file, change):
    """A file that somebody damaged, and its content again afterwards."""
    content = file.read_bytes()
    owner = file.stat()
    try:
        change(file, content)
        yield
    finally:
        file.write_bytes(content)
        shutil.os.chown(file, owner.st_uid, owner.st_gid)


def flip(file, content, at=None):
    at = at or len(content) // 2
    file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


def left_behind(clinic):
    return [path.name for path in clinic.base.iterdir() if "." in path.name]


async def test_everything_that_is_kept_comes_back_into_a_new_folder(clinic, history):
    data, done = await bring_back(clinic, "whole")
    assert (done.taken.kind, done.destroyed) == ("incremental", 0)
    assert done.opened == 4
    assert await words_in(data) == ["erased", "first", "fourth", "second", "third"]
    assert left_behind(clinic) == []


async def test_what_came_after_the_moment_is_gone_and_what_was_erased_later_stays_erased(
    clinic, history
):
    """The copy still has the key that was destroyed after the moment; nobody may be served it."""
    moment = history["after both"]
    data, done = await bring_back(clinic, "moment", moment)
    assert done.destroyed == 1
    assert done.last <= moment
    assert await words_in(data, "SELECT word FROM kept.note ORDER BY 1") == [
        "erased", "first", "second", "third",
    ]  # fmt: skip
    keys = "SELECT convert_from(owner, 'UTF8') FROM kept.data_key ORDER BY 1"
    assert await words_in(data, keys) == ["first", "second", "third"]
    noted = "SELECT convert_from(owner, 'UTF8') FROM kept.shredded WHERE at < now() - interval '0'"
    assert await words_in(data, noted) == ["erased"]


async def test_a_moment_before_the_first_backup_is_refused_with_the_earliest_there_is(
    clinic, history
):
    with pytest.raises(NoBackup) as refused:
        await bring_back(clinic, "early", history["before all"])
    assert history["full"].ended.isoformat() in refused.value.message


async def test_a_moment_that_the_log_does_not_reach_is_refused(clinic, history):
    with pytest.raises(LogIncomplete, match="Without --to"):
        await bring_back(clinic, "late", await clinic.moment() + timedelta(hours=1))
    assert not (clinic.base / "late").exists()
    assert left_behind(clinic) == []


async def test_a_living_folder_is_never_restored_over(clinic, history):
    with pytest.raises(FolderTaken):
        await bring_back(clinic, clinic.data.name)


async def test_another_installations_key_is_noticed_and_nothing_is_left(clinic, history):
    other = clinic.base / "other-keys" / "root.key"
    RootKey.create(other)
    with pytest.raises(WrongKey, match="4 of 4"):
        await bring_back(clinic, "closed", root=RootKey.read(other))
    assert not (clinic.base / "closed").exists()
    assert left_behind(clinic) == []


async def test_a_missing_piece_of_the_log_is_named(clinic, history):
    """Recovery would end at the hole and serve what came before as if it were everything."""
    pieces = clinic.provider.catalog.segments()
    piece = next(name for name in pieces[:-1] if name > segment_of(history["incremental"]))
    lost = changed(clinic.folder / "wal" / f"{piece}.gz", lambda file, _: file.unlink())
    with lost, pytest.raises(LogIncomplete, match=piece):
        await bring_back(clinic, "hole")
    assert not (clinic.base / "hole").exists()


async def test_a_flipped_bit_in_the_log_is_noticed(clinic, history):
    last = clinic.provider.catalog.segments()[-1]
    # Among the records: in the zeros behind them a flipped bit may unzip to the same zeros.
    flipped = changed(clinic.folder / "wal" / f"{last}.gz", lambda file, was: flip(file, was, 300))
    with flipped, pytest.raises(LogIncomplete, match="damaged"):
        await bring_back(clinic, "flipped-log")
    assert left_behind(clinic) == []


async def test_a_flipped_bit_in_a_copy_is_noticed_before_anything_is_written(clinic, history):
    """Also in the full copy that an incremental one builds on."""
    data = clinic.provider.catalog.place_of(history["full"]) / "data"
    largest = max((f for f in (data / "base").rglob("*") if f.is_file()), key=_size)
    with changed(largest, flip), pytest.raises(Damaged, match=history["full"].label):
        await bring_back(clinic, "flipped-copy")
    assert not (clinic.base / "flipped-copy").exists()


async def test_two_databases_never_archive_into_one_folder(clinic, history):
    from polyclinic.foundation.postgres import EmbeddedPostgres
    from polyclinic.foundation.starting import CannotStart

    other = EmbeddedPostgres(clinic.base / "other", archive=clinic.folder)
    with pytest.raises(CannotStart, match="another database"):
        await other.start()


def segment_of(taken):
    high, low = taken.stop.split("/")
    return f"{taken.timeline:08X}{int(high, 16):08X}{int(low, 16) >> 24:08X}"


def _size(file):
    return file.stat().st_size
