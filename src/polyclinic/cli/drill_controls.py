"""Negative controls: damage that a drill must notice, done to a shadow, never to the backups.

A drill that passes whatever is broken proves nothing.
"""

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from polyclinic.cli.drill_canaries import Canaries, assert_that, open_canary
from polyclinic.foundation.backup.builtin import BuiltIn, Damaged
from polyclinic.foundation.backup.catalog import Catalog, LogIncomplete, Taken
from polyclinic.foundation.backup.restoring import Hearing, Wanted, restore
from polyclinic.foundation.backup.tools import unseen
from polyclinic.foundation.vault import RootKey


def deaf() -> Hearing:
    """For damage that is made on purpose nobody needs to hear the steps."""
    return Hearing(lambda _: None, unseen)


async def missing_piece(provider: BuiltIn, scratch: Path, wanted: Wanted, piece: str) -> str:
    """Without the piece of the log in which the moment lies there must be no restore."""
    shadow = _shadow(provider, scratch / "without-a-piece")
    (shadow.catalog.wal / f"{piece}.gz").unlink()
    try:
        await restore(shadow, wanted, deaf())
    except LogIncomplete:
        return "a removed piece of the log is noticed"
    assert_that(so=False, otherwise="a piece of the log was removed and the restore went through")
    return ""


async def flipped_byte(provider: BuiltIn, scratch: Path, taken: Taken) -> str:
    """One other bit in one file of the copy must be noticed before it is used."""
    shadow = _shadow(provider, scratch / "flipped")
    place = shadow.catalog.place_of(taken)
    original = place.resolve()
    place.unlink()
    shutil.copytree(original, place, copy_function=os.symlink)
    largest = max(
        (file for file in (place / "data" / "base").rglob("*") if file.is_file()),
        key=lambda file: file.stat().st_size,
    )
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.unlink()  # the link, not the backup's file
    largest.write_bytes(content)
    try:
        await shadow.verify(taken)
    except Damaged:
        return "a flipped bit in the copy is noticed"
    assert_that(so=False, otherwise="a bit of the copy was flipped and it was called whole")
    return ""


async def wrong_key(connection: Any, canaries: Canaries) -> str:
    """Another root key must open nothing."""
    other = RootKey(secrets.token_bytes(32), {1: secrets.token_bytes(32)})
    opens = await open_canary(connection, other, canaries.kept)
    assert_that(not opens, "another root key opens the data")
    return "another root key opens nothing"


def _shadow(provider: BuiltIn, folder: Path) -> BuiltIn:
    """The same backups under other names, so that one can be left out or changed."""
    real = provider.catalog
    shadow = Catalog(folder)
    for name in ("base", "wal"):
        (folder / name).mkdir(parents=True)
    for taken in real.all():
        shadow.place_of(taken).symlink_to(real.place_of(taken))
    for file in real.wal.glob("*.gz"):
        (shadow.wal / file.name).symlink_to(file)
    return BuiltIn(shadow, provider.binaries, provider.say)
