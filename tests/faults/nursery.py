"""Processes of the platform without the seconds that their imports take: each is forked from one
that has imported everything and does nothing else.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Child:
    """One of them; to its sender the same as any process."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self._nursery, self.pid, self._code = nursery, pid, None

    def wait(self, seconds: float) -> int | None:
        """Its exit code, the negative signal for a kill; None when it lives on."""
        if self._code is None:
            self._code = self._nursery.ask({"wait": self.pid, "seconds": seconds})
        return self._code

    def kill(self) -> None:
        """Ends it at once, whatever it does, and waits for that."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            assert self.wait(30) is not None


class Nursery:
    """The process that forks; `program` runs `tend` below."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(
        self, words: list[str], surroundings: dict[str, str], said: Path, **more: Any
    ) -> Child:
        """Runs `polyclinic WORDS` with only these environment variables; what it says is added to
        a file. `more` is for the program."""
        asked = {"words": words, "surroundings": surroundings, "said": str(said), **more}
        return Child(self, self.ask(asked))

    def ask(self, asked: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        """Takes all of its children along."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def tend(run: Callable[[dict[str, Any]], int]) -> None:
    """The program's part: forks for each line that begins a process, and says how each ended."""
    alive: set[int] = set()
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            answer = _ended(asked["wait"], asked["seconds"])
            alive -= {asked["wait"]} if answer is not None else set()
        else:
            answer = os.fork() or _become(run, asked)
            alive.add(answer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _ended(pid: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            return None
        time.sleep(0.01)


def _become(run: Callable[[dict[str, Any]], int], asked: dict[str, Any]) -> int:
    code = 1
    try:
        said = os.open(asked["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        quiet = os.open(os.devnull, os.O_RDONLY)
        for number, instead in enumerate((quiet, said, said)):
            os.dup2(instead, number)
        os.environ.clear()
        os.environ.update(asked["surroundings"])
        code = run(asked)
    finally:
        os._exit(code)  # whatever else the parent had under way is the parent's
