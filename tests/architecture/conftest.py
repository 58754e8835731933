"""What the house tests look at: the repository's files, and the source as syntax trees."""

import ast
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENDORED = "src/polyclinic/foundation/look/static/vendor/"


@dataclass(frozen=True)
class Source:
    """One Python file of ours."""

    path: Path
    text: str = field(repr=False)

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


SourcesOf = Callable[..., list[Source]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every file that a clone brings along, and every new one that is not ignored."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    files = [ROOT / name for name in sorted(filter(None, set(listed.split("\0"))))]
    return [file for file in files if file.is_file()]


@pytest.fixture(scope="session")
def texts(tracked: list[Path]) -> dict[str, str]:
    """The tracked files that people wrote as text, by name."""
    found: dict[str, str] = {}
    for file in tracked:
        name = file.relative_to(ROOT).as_posix()
        content = file.read_bytes()
        if b"\0" not in content and not name.startswith(VENDORED) and name != "LICENSE":
            found[name] = content.decode("utf-8", "replace")
    return found


@pytest.fixture(scope="session")
def sources_of(tracked: list[Path]) -> SourcesOf:
    """`sources_of("src", "scripts")`: the Python files below these folders, each read once."""
    files = [file for file in tracked if file.suffix == ".py"]
    known = {file: Source(file, file.read_text()) for file in files}

    def find(*folders: str) -> list[Source]:
        wanted = tuple(ROOT / folder for folder in folders)
        return [
            source
            for file, source in known.items()
            if any(file.is_relative_to(folder) for folder in wanted)
        ]

    return find
