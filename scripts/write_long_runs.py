"""Writes what the long tests proved into docs/reference/long-runs.md; `make test-long` calls it.

Run `.venv/bin/python scripts/write_long_runs.py JUNIT_XML…` after a run, in one piece or several,
that ended well. A run of some tests (`ARGS="tests/faults"`) renews their lines only; each line has
its own date. The numbers are what tests gave to `record_property` while they ran; those of a test's
many runs are added up.
"""

import os
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/long-runs.md"
HEAD = """\
# Long runs

What `make test-long` proved, written by it (`scripts/write_long_runs.py`) when every test passed;
never by hand. `make test-long ARGS="tests/faults"` renews some of the lines. Numbers are counted
while the tests run, over all runs of a test (its seeds, roles, ways); seconds are of the day's
machine, next to whatever else it did.

| what is so | in numbers | runs | seconds | last passed |
|---|---|---|---|---|
"""
LINE = re.compile(r"^\| \[(?P<sentence>.+?)\]\(\.\./\.\./(?P<file>tests/\S+\.py)\) \|")

Name = tuple[str, str]  # file and function


@dataclass
class Proof:
    """All runs of one test function."""

    numbers: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0
    runs: int = 0
    is_whole: bool = True

    def add(self, case: ET.Element) -> None:
        # A test that was left out (no Synthea at hand) proves nothing; what it proved before stays.
        self.is_whole &= case.find("skipped") is None
        self.runs += 1
        self.seconds += float(case.attrib["time"])
        for each in case.iter("property"):
            if each.attrib["name"] != "fault":  # its line's name in faults.md
                self.numbers[each.attrib["name"]] += int(each.attrib["value"])

    def line(self, name: Name, when: str) -> str:
        file, function = name
        sentence = function.removeprefix("test_").replace("_", " ")
        numbers = "; ".join(f"{count:,} {what}" for what, count in self.numbers.items())
        link = f"[{sentence[0].upper()}{sentence[1:]}](../../{file})"
        return f"| {link} | {numbers} | {self.runs} | {self.seconds:,.0f} | {when} |"


def proofs_of(cases: Iterable[ET.Element]) -> dict[Name, Proof]:
    found: dict[Name, Proof] = {}
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            raise SystemExit(f"{case.attrib['name']} failed: the table stays as it is.")
        function = case.attrib["name"].partition("[")[0]
        found.setdefault((case.attrib["file"], function), Proof()).add(case)
    return {name: proof for name, proof in found.items() if proof.is_whole}


def lines_of(page: str) -> dict[Name, str]:
    """The lines of before, by the test that they tell of."""
    found: dict[Name, str] = {}
    for line in page.splitlines():
        if match := LINE.match(line):
            sentence = match["sentence"]
            function = f"test_{sentence[0].lower()}{sentence[1:]}".replace(" ", "_")
            found[match["file"], function] = line
    return found


def still_there(names: Iterable[Name]) -> set[Name]:
    return {
        (file, function)
        for file, function in names
        if (ROOT / file).exists() and f"def {function}(" in (ROOT / file).read_text()
    }


def main(*reports: Path) -> None:
    suites = [suite for each in reports for suite in ET.parse(each).getroot().iter("testsuite")]
    day = max(suite.attrib["timestamp"][:10] for suite in suites)
    proofs = proofs_of(case for suite in suites for case in suite.iter("testcase"))
    lines = lines_of(PAGE.read_text()) if PAGE.exists() else {}
    when = f"{day}, {os.cpu_count()} cores"
    lines |= {name: proof.line(name, when) for name, proof in proofs.items()}
    kept = sorted(still_there(lines))
    PAGE.write_text(HEAD + "".join(f"{lines[name]}\n" for name in kept))
    print(f"{PAGE.name}: {len(proofs)} of {len(kept)} lines are of this run")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
