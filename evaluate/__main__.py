"""`python -m evaluate`: reads the public sets, learns, asks, and prints what came out."""

import argparse
import os
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from evaluate import framingham, nafld, noshow, readmission
from evaluate.report import as_json, markdown, summary
from evaluate.running import Result, run_all
from evaluate.shipping import ship
from evaluate.study import Absent, Study
from polyclinic.services.insights.domain.learning.resampling import TIMES

BUILDERS = {
    "no-show": noshow.build,
    "readmission": readmission.build,
    "framingham": framingham.build,
    "nafld": nafld.build,
}
PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "evaluation.md"


def main() -> int:
    wanted = _parsed()
    console = Console(stderr=True)
    began = time.monotonic()
    studies, absent = _studies(wanted.data, wanted.only)
    for words in absent:
        console.print(f"SKIPPED: {words}")
    if not studies:
        console.print("Nothing to evaluate: say DATA=folder of the data sets.")
        return 0
    results = _run(studies, console, wanted.drawings)
    print(summary(results))
    print(f"{time.monotonic() - began:.0f} seconds")
    if wanted.json:
        wanted.json.write_text(as_json(results))
    if not absent and set(wanted.only) == set(BUILDERS) and wanted.drawings == TIMES:
        PAGE.write_text(markdown(results))
    if wanted.ship:
        for path in ship(results):
            print(f"shipped {path}")
    return 0 if all(met.reached for result in results for met in result.met) else 1


def _studies(folder: Path, only: list[str]) -> tuple[list[Study], list[str]]:
    studies: list[Study] = []
    absent: list[str] = []
    for name in only:
        try:
            studies += BUILDERS[name](folder)
        except Absent as error:
            absent.append(f"{name}: {error}")
    return studies, absent


def _run(studies: list[Study], console: Console, times: int) -> list[Result]:
    steps = sum(len(each.rounds) * len(each.candidates) + 1 for each in studies)
    workers = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    bar = (TextColumn("{task.description:50}"), BarColumn(), TimeElapsedColumn())
    with Progress(*bar, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=steps)

        def told(what: str) -> None:
            progress.update(task, description=what, advance=1)

        return run_all(studies, told, times, workers or 1)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data sets")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(BUILDERS),
                        help=",".join(BUILDERS))  # fmt: skip
    parser.add_argument("--json", type=Path, help="all numbers, ready to be drawn")
    parser.add_argument("--drawings", type=int, default=TIMES, help="of persons, for intervals")
    parser.add_argument("--ship", action="store_true", help="write the models that are shipped")
    parsed = parser.parse_args()
    if unknown := set(parsed.only) - set(BUILDERS):
        parser.error(f"There is no {', '.join(sorted(unknown))}.")
    return parsed


if __name__ == "__main__":
    sys.exit(main())
