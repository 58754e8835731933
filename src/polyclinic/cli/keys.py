"""`polyclinic key …`: the key files of an installation whose processes are started one by one."""

from pathlib import Path

from polyclinic.assembly.hop import write_edge_key
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.vault import RootKey


class KeyNotWritten(Invalid):
    """The key file cannot be written."""


def make_root_key(file: Path, *, once: bool) -> int:
    """Never over another one: what that one sealed would be lost."""
    if once and file.exists():
        print(f"There already: {file}")
        return 0
    try:
        RootKey.create(file)
    except FileExistsError as there:
        raise KeyNotWritten(f"{file} exists; a root key is never overwritten.") from there
    except OSError as refused:
        raise KeyNotWritten(f"{file} cannot be written: {refused.strerror}.") from refused
    print(f"Written: {file}. Whoever loses it loses every chart: keep a copy away from the data.")
    return 0


def make_edge_key(key_file: Path, file: Path, *, once: bool) -> int:
    """Whoever has the edge's key cannot come back to the root key."""
    if once and file.exists():
        print(f"There already: {file}")
        return 0
    write_edge_key(RootKey.read(key_file), file)
    print(f"Written: {file}. It lets a front door say who is asking: guard it like a password.")
    return 0
