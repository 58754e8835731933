"""The words of `polyclinic backup`, `restore`, `drill`, `doctor` and `key escrow`."""

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

# ruff: noqa: PLC0415 - loaded when the word is given

AddData = Callable[[argparse.ArgumentParser], None]
Run = Callable[[Any], int]


def add_backup(words: Any, add_data: AddData, run: Run) -> None:
    """Adds `backup`, `restore`, `drill` and `doctor` to the words of the command line."""
    _add_taking(words, add_data, run)
    _add_restore(words, run)
    _add_drill(words, add_data, run)
    _add_doctor(words, add_data, run)


def _add_taking(words: Any, add_data: AddData, run: Run) -> None:
    backup = words.add_parser("backup", help="copy the database of a data folder while it works")
    add_data(backup)
    _add_backups(backup)
    backup.add_argument(
        "--incremental", action="store_true", help="only what changed since the newest backup"
    )
    backup.add_argument("--list", action="store_true", help="show what is kept, take nothing")

    def take(given: argparse.Namespace) -> int:
        from polyclinic.cli.backing_up import back_up, show_kept

        if given.list:
            return show_kept(given.backups)
        return run(back_up(given.data.absolute(), given.backups, incremental=given.incremental))

    backup.set_defaults(command=take)


def _add_restore(words: Any, run: Run) -> None:
    restore = words.add_parser("restore", help="bring a backup back into a new data folder")
    restore.add_argument("--data", type=Path, required=True, metavar="DIR", help="the new folder")
    _add_backups(restore)
    restore.add_argument(
        "--to", type=moment, metavar="TIME", help="2026-01-31T10:30:00Z; without it: everything"
    )
    _add_openers(restore)

    def bring_back(given: argparse.Namespace) -> int:
        from polyclinic.cli.escrowing import key_given
        from polyclinic.cli.restoring import restore_into

        return run(restore_into(given.data.absolute(), given.backups, given.to, key_given(given)))

    restore.set_defaults(command=bring_back)


def _add_drill(words: Any, add_data: AddData, run: Run) -> None:
    tried = words.add_parser("drill", help="try a restore on a scratch copy, and prove it")
    add_data(tried)
    _add_backups(tried)
    _add_openers(tried)

    def try_it(given: argparse.Namespace) -> int:
        from polyclinic.cli.drilling import drill
        from polyclinic.cli.escrowing import key_given

        return run(drill(given.data.absolute(), given.backups, key_given(given)))

    tried.set_defaults(command=try_it)


def _add_doctor(words: Any, add_data: AddData, run: Run) -> None:
    looked = words.add_parser("doctor", help="check an installation from inside and out")
    add_data(looked)
    _add_backups(looked)
    looked.add_argument("--url", help="only the outside of this address, as a stranger sees it")

    def look(given: argparse.Namespace) -> int:
        from polyclinic.cli.doctor import doctor

        return run(doctor(given.data.absolute(), given.backups, given.url))

    looked.set_defaults(command=look)


def add_escrow(doing: Any, add_data: AddData) -> None:
    """Adds `escrow`, `recipient` and `open` to the words of `key`."""
    escrow = doing.add_parser("escrow", help="seal a copy of the root key, to keep elsewhere")
    escrow.add_argument("file", type=Path, metavar="FILE", help="the new escrow")
    add_data(escrow)
    escrow.add_argument(
        "--key-file", type=Path, metavar="FILE", help="instead of the data folder's"
    )
    way = escrow.add_mutually_exclusive_group(required=True)
    way.add_argument("--recipient", type=Path, metavar="PUB", help="an X25519 public key in PEM")
    way.add_argument("--passphrase-file", type=Path, metavar="FILE", help="- asks at the terminal")

    def seal(given: argparse.Namespace) -> int:
        from polyclinic.cli.escrowing import make_escrow

        return make_escrow(given)

    escrow.set_defaults(command=seal)
    pair = doing.add_parser("recipient", help="make the pair of keys of whoever keeps escrows")
    pair.add_argument("file", type=Path, metavar="FILE", help="the private one; FILE.pub the other")

    def recipient(given: argparse.Namespace) -> int:
        from polyclinic.cli.escrowing import make_pair

        return make_pair(given.file)

    pair.set_defaults(command=recipient)
    opened = doing.add_parser("open", help="bring a root key back out of its escrow")
    opened.add_argument("file", type=Path, metavar="FILE", help="the new root key file")
    _add_openers(opened, key_file=False)

    def unseal(given: argparse.Namespace) -> int:
        from polyclinic.cli.escrowing import key_given, write_opened

        return write_opened(key_given(given), given.file)

    opened.set_defaults(command=unseal)


def moment(text: str) -> datetime:
    """A time with its zone; without one nobody could say which hour is meant."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time with a zone: 2026-01-31T10:30:00Z")
    return found


def _add_backups(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--backups",
        type=Path,
        metavar="DIR",
        help="the folder of backups (default: POLYCLINIC_BACKUP_FOLDER)",
    )


def _add_openers(command: argparse.ArgumentParser, *, key_file: bool = True) -> None:
    way = command.add_mutually_exclusive_group(required=True)
    if key_file:
        way.add_argument("--key-file", type=Path, metavar="FILE", help="the root key itself")
    way.add_argument("--escrow", type=Path, metavar="FILE", help="the sealed copy of the root key")
    command.add_argument(
        "--with", dest="private", type=Path, metavar="FILE", help="the recipient's private key"
    )
    command.add_argument("--passphrase-file", type=Path, metavar="FILE", help="- asks for it")
