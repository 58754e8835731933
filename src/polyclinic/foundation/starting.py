"""Why a process does not start: one sentence for the person at the terminal, never a traceback."""

import errno
from pathlib import Path

from polyclinic.foundation.errors import Problem


class CannotStart(Problem):
    """The platform cannot start."""


def refused_by_disk(refused: OSError, folder: Path) -> CannotStart:
    """What the operating system said about a folder, as a sentence with the way out."""
    match refused.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return CannotStart(f"The disk of {folder} is full; free some space and start again.")
        case errno.EACCES | errno.EPERM:
            return CannotStart(
                f"The folder {folder} cannot be written by this user; "
                "choose another one with --data or change its owner."
            )
        case errno.EROFS:
            return CannotStart(f"The folder {folder} is on a read-only disk; choose another one.")
        case _:
            why = refused.strerror or str(refused)
            return CannotStart(f"The folder {folder} cannot be used: {why}.")
