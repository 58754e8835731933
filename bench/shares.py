"""Who gets how much of the processor: control groups where they may be made, else nice values.

Version 2 of Linux's control groups is tried first, then version 1; without either, processes are
niced, in their session's scheduling group too, which would else hide it from other sessions.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

_V2 = Path("/sys/fs/cgroup")
_V1 = Path("/sys/fs/cgroup/cpu")
# Weights, and the nice value that stands for the smaller one.
MORE, LESS = 1000, 100
NICE = 10


class Shares:
    """Two groups: those who are to be protected, and those who may press."""

    def __init__(self) -> None:
        self.way = "nice values"
        self._groups: dict[int, Path] = {}
        for way, root, file, factor in (
            ("cgroup v2 (cpu.weight)", _V2, "cpu.weight", 1),
            ("cgroup v1 (cpu.shares)", _V1, "cpu.shares", 10),
        ):
            if self._try(root, file, factor):
                self.way = way
                return

    @property
    def said(self) -> str:
        return f"{self.way}, {MORE}:{LESS}" if self._groups else f"{self.way}, 0 and {NICE}"

    def give(self, weight: int, processes: Iterable[int]) -> None:
        """Puts processes, and what they start from now on, into a group."""
        for pid in processes:
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                if self._groups:
                    (self._groups[weight] / "cgroup.procs").write_text(str(pid))
                else:
                    _nice(pid, 0 if weight == MORE else NICE)

    def close(self) -> None:
        """Processes must have ended: a group that is in use stays, and says nothing wrong."""
        for group in self._groups.values():
            with contextlib.suppress(OSError):
                group.rmdir()

    def _try(self, root: Path, file: str, factor: int) -> bool:
        made: dict[int, Path] = {}
        if not (root / "cgroup.procs").exists():
            return False  # a folder like any other: what is written there weighs nothing
        try:
            for weight in (MORE, LESS):
                group = root / f"polyclinic-bench-{os.getpid()}-{weight}"
                group.mkdir()
                made[weight] = group
                with (group / file).open("r+") as setting:  # never a new file
                    setting.write(str(weight * factor))
        except OSError:
            for group in made.values():
                with contextlib.suppress(OSError):
                    group.rmdir()
            return False
        self._groups = made
        return True


def _nice(pid: int, value: int) -> None:
    for thread in psutil.Process(pid).threads():
        os.setpriority(os.PRIO_PROCESS, thread.id, value)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(value))
