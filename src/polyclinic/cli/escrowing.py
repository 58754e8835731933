"""`polyclinic key escrow`, `recipient`, `open`: the sealed copy of the root key."""

import argparse
import getpass
from pathlib import Path

from polyclinic.cli.datafolder import DataFolder, outside
from polyclinic.cli.keys import KeyNotWritten
from polyclinic.foundation import escrow
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.vault import NoKey, RootKey


def make_escrow(given: argparse.Namespace) -> int:
    """Never into the data folder: key and data must not be lost, or stolen, together."""
    folder = DataFolder(given.data.absolute())
    file = outside(folder.path, given.file)
    key_file: Path = given.key_file or folder.key_file
    root = RootKey.read(key_file)
    if _is_among_backups(file):
        raise Invalid(f"{file} lies beside the backups: who takes them would take the key along.")
    if given.recipient is not None:
        text = escrow.seal_to(escrow.read_public(given.recipient), key_file)
    else:
        text = escrow.seal_with(_passphrase(given.passphrase_file), key_file)
    _write(file, text.encode(), 0o400)
    print(f"Written: {file}, the sealed root key {root.fingerprint}.")
    print("Keep it where the data and their backups are not, and try it: polyclinic drill.")
    return 0


def make_pair(file: Path) -> int:
    """The private half is for the one who keeps it, not for the machine of the data."""
    public = file.with_name(f"{file.name}.pub")
    for each in (file, public):
        if each.exists():
            raise KeyNotWritten(f"{each} exists; a key is never overwritten.")
    try:
        escrow.make_recipient(file, public)
    except OSError as refused:
        raise KeyNotWritten(f"{file} cannot be written: {refused.strerror}.") from refused
    print(f"Written: {file} (private: keep it away from the data) and {public} (seal to this one).")
    return 0


def write_opened(content: bytes, file: Path) -> int:
    """The root key as a file again."""
    _write(file, content, 0o400)
    print(f"Written: {file}, the root key {RootKey.of(content.decode()).fingerprint}.")
    return 0


def key_given(given: argparse.Namespace) -> bytes:
    """The content of the root key file, whichever way it was named."""
    if getattr(given, "key_file", None) is not None:
        RootKey.read(given.key_file)
        return given.key_file.read_bytes()
    if given.private is not None:
        opener = escrow.Opener(private=escrow.read_private(given.private))
    elif given.passphrase_file is not None:
        opener = escrow.Opener(passphrase=_passphrase(given.passphrase_file))
    else:
        raise Invalid("An escrow opens with --with FILE or --passphrase-file FILE.")
    return escrow.open_escrow(given.escrow, opener)


def root_of(content: bytes) -> RootKey:
    try:
        return RootKey.of(content.decode())
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise NoKey("What the escrow holds is no root key.") from broken


def _is_among_backups(file: Path) -> bool:
    return any((parent / "backups.json").exists() for parent in file.resolve().parents)


def _passphrase(file: Path) -> str:
    if str(file) == "-":
        return getpass.getpass("Passphrase of the escrow: ")
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as refused:
        raise Invalid(f"The passphrase file {file} cannot be read.") from refused


def _write(file: Path, content: bytes, mode: int) -> None:
    try:
        escrow.write_new(file, content, mode)
    except FileExistsError as there:
        raise KeyNotWritten(f"{file} exists; a key is never overwritten.") from there
    except OSError as refused:
        raise KeyNotWritten(f"{file} cannot be written: {refused.strerror}.") from refused
