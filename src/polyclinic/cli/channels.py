"""Tries channels without a platform: what CI runs over the channel files of a clinic."""

from collections.abc import Sequence
from pathlib import Path

from polyclinic.foundation.errors import Problem
from polyclinic.services.integration.domain import channels
from polyclinic.services.integration.domain.fixtures import failures
from polyclinic.services.integration.domain.mapping import translate


def check_files(files: Sequence[Path]) -> int:
    """Says of each file what is wrong with it; 1 where something is."""
    return max([_check(file) for file in files])


def _check(file: Path) -> int:
    try:
        channel = channels.read(file.read_bytes())
    except OSError as refused:
        print(f"{file}: {refused.strerror or refused}.")
        return 1
    except Problem as problem:
        print(f"{file}: {problem.place}: {problem.message}")
        return 1
    failed = failures(channel, translate)
    for each in failed:
        print(f"{file}: {each.text}")
    if not failed:
        print(f"{file}: {channel.name} is sound; fixtures that pass: {len(channel.fixtures)}.")
    return 1 if failed else 0
