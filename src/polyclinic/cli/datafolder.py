"""The data folder of `up`: where its keys, its database and the note of its address are.

keys/root.key    every key comes from it      operator.key   proves `token`, `import`, `seed`
running.json     address of the running one   postgres/      the database     logs/
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from polyclinic.foundation import jose
from polyclinic.foundation.starting import CannotStart, refused_by_disk
from polyclinic.foundation.vault import RootKey

LOG_BYTES_MAX = 10 << 20


def default_folder() -> Path:
    """Where data lives unless somebody says otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/polyclinic")
    return platformdirs.user_data_path("polyclinic", appauthor=False)


@dataclass(frozen=True)
class DataFolder:
    """A data folder whose lock this process holds (its database runs here)."""

    path: Path

    @property
    def key_file(self) -> Path:
        return self.path / "keys" / "root.key"

    @property
    def operator_file(self) -> Path:
        return self.path / "operator.key"

    @property
    def anchor_file(self) -> Path:
        """Signed checkpoints of the audit log; a copy elsewhere makes them worth more."""
        return self.path / "audit" / "anchors.txt"

    @property
    def running_file(self) -> Path:
        return self.path / "running.json"

    def open_keys(self, *, is_new: bool) -> RootKey:
        """The root key, made with a new folder; data without its key is refused, not re-keyed."""
        if self.key_file.exists():
            root = RootKey.read(self.key_file)
        elif is_new:
            root = self._keep(self._create_key)
        else:
            raise CannotStart(
                f"The root key {self.key_file} is missing, and the data in {self.path} opens "
                "with no other. Bring it back from its copy, or start with another --data folder."
            )
        self._keep(lambda: _write_operator_key(self.operator_file, root))
        return root

    def _create_key(self) -> RootKey:
        # Whole or absent: a process killed halfway must not leave half a key.
        beside = self.key_file.with_name("root.key.new")
        beside.unlink(missing_ok=True)
        RootKey.create(beside)
        beside.rename(self.key_file)
        return RootKey.read(self.key_file)

    @property
    def seeding(self) -> str | None:
        """What was said about the demo clinic: `none`, `begun`, `done`; None on a new folder."""
        try:
            return (self.path / "seed").read_text().strip()
        except FileNotFoundError:
            return None

    def note_seeding(self, state: str) -> None:
        self._keep(lambda: write_private(self.path / "seed", f"{state}\n"))

    def announce(self, url: str, services: tuple[str, ...]) -> None:
        """Tells other commands where this folder's platform answers."""
        note = {"url": url, "pid": os.getpid(), "services": services}
        self._keep(lambda: write_private(self.running_file, json.dumps(note) + "\n"))

    def withdraw(self) -> None:
        self.running_file.unlink(missing_ok=True)

    def open_log(self) -> Any:
        """The log file of our own lines; the one before is kept when it grew large."""

        def opened() -> Any:
            file = self.path / "logs" / "polyclinic.log"
            file.parent.mkdir(mode=0o700, exist_ok=True)
            if file.exists() and file.stat().st_size > LOG_BYTES_MAX:
                file.replace(file.with_suffix(".log.1"))
            return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", 1)

        return self._keep(opened)

    def _keep(self, write: Callable[[], Any]) -> Any:
        try:
            return write()
        except OSError as refused:
            raise refused_by_disk(refused, self.path) from refused


def outside(data: Path, folder: Path) -> Path:
    """A folder or file that does not go with the data when the data go."""
    found = folder.absolute()
    if found.resolve().is_relative_to(data.resolve()):
        raise CannotStart(f"{found} lies in the data folder and would be lost with it.")
    return found


def operator_seed(root: RootKey) -> bytes:
    """The secret of the operator's signing key; identity derives the same one."""
    return root.derive("operator")


def write_private(file: Path, text: str) -> None:
    """Replaces a file as a whole, readable by its owner alone."""
    beside = file.with_name(f"{file.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as writer:
        writer.write(text)
        writer.flush()
        os.fsync(handle)
    beside.replace(file)


def _write_operator_key(file: Path, root: RootKey) -> None:
    key = jose.ed25519(operator_seed(root)).as_dict(private=True)
    text = json.dumps(key) + "\n"
    if not file.exists() or file.read_text() != text:
        write_private(file, text)
