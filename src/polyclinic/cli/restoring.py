"""`polyclinic restore`: a backup as a new data folder, which `up` can serve then."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from polyclinic.cli.backing_up import Steps, named, shown
from polyclinic.cli.datafolder import DataFolder, write_private
from polyclinic.cli.escrowing import root_of
from polyclinic.foundation import escrow
from polyclinic.foundation.backup.builtin import BuiltIn
from polyclinic.foundation.backup.catalog import Catalog, Taken
from polyclinic.foundation.backup.restoring import Restored, Wanted, restore
from polyclinic.foundation.postgres.place import wheel_binaries


async def restore_into(data: Path, backups: Path | None, to: datetime | None, key: bytes) -> int:
    """Restores, and says what came back, how long it took and what to do next."""
    root = root_of(key)
    began = time.monotonic()
    with Steps() as steps:
        provider = BuiltIn(Catalog(named(backups)), wheel_binaries(), steps.say)
        done = await restore(provider, Wanted(to, data, root, furnished(key)), steps.hearing)
    _tell(done, data, to, time.monotonic() - began)
    return 0


def furnished(key: bytes) -> Callable[[Path, Taken], None]:
    """What belongs beside a restored database: its root key, and the word about the demo."""

    def furnish(folder: Path, taken: Taken) -> None:
        escrow.write_new(DataFolder(folder).key_file, key, 0o400)
        # Without this word `up` would bring the demo clinic into somebody's own data.
        write_private(folder / "seed", f"{taken.seed}\n")

    return furnish


def _tell(done: Restored, data: Path, to: datetime | None, seconds: float) -> None:
    print(f"Restored into {data} from {done.taken.label} ({shown(done.taken.size)}).")
    last = f"{done.last:%F %T}Z" if done.last else "the end of the copy itself"
    print(f"  newest transaction  {last}{f' (asked for: until {to.isoformat()})' if to else ''}")
    print(f"  keys destroyed again {done.destroyed}, keys tried with the root key {done.opened}")
    print(f"  time to restore     {seconds:.1f} s")
    print(f"Next: polyclinic up --data {data}; then, before anything else, polyclinic backup.")
