"""Prints what a run of the faults saw and writes it into docs/reference/faults.md.

`make test-faults` and `make test-long` call it with pytest's JUnit file. A run of some faults
(`ARGS="-k f02"`) renews their lines only. What failed is written as well: a table that shows good
days only proves nothing.
"""

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/reference/faults.md"
HEAD = """\
# Faults

What `make test-faults` and (F09) `make test-long` saw, written by them (`scripts/write_faults.py`);
never by hand. While something is broken, clients write without a pause and come again until they
are told that it is kept. Afterwards each told write has to stand once, in one version, and to be
told of once in the feed. Lost and doubled have to be 0, but in the controls: there they show that
the count can see it. The longest outage is the longest time in which no client at all was told
anything; it holds the restart of a process too, on a shared machine of two cores.

Elsewhere: messages that are poison, come twice or out of order (F17) in
[test_message_kills.py](../../tests/faults/test_message_kills.py) and
[test_malformed_events.py](../../tests/foundation/test_malformed_events.py); a lost disk and a
restore to a moment (F19) in [test_disk_lost.py](../../tests/faults/test_disk_lost.py).

| fault | runs | acknowledged | lost | doubled | longest outage | as it must be | on |
|---|---|---|---|---|---|---|---|
"""
LINE = re.compile(r"^\| (?P<fault>[^|]+?) \| [\d,]+ \|")


def line_of(case: ET.Element, when: str) -> tuple[str, str] | None:
    """The name of the fault and its line; None for a test that was left out."""
    seen = {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
    if "fault" not in seen:
        return None
    is_good = case.find("failure") is None and case.find("error") is None
    outage = f"{int(seen['outage ms']) / 1000:,.1f} s" if "outage ms" in seen else "–"
    numbers = [
        f"{int(seen[each]):,}" if each in seen else "–"
        for each in ("runs", "acknowledged", "lost", "doubled")
    ]
    cells = [seen["fault"], *numbers, outage, "yes" if is_good else "NO", when]
    return seen["fault"], f"| {' | '.join(cells)} |"


def main(file: str) -> None:
    suite = next(ET.parse(file).iter("testsuite"))
    when = suite.attrib["timestamp"][:10]
    known = PAGE.read_text().splitlines() if PAGE.exists() else []
    lines = {match["fault"]: line for line in known if (match := LINE.match(line))}
    found = [line_of(case, when) for case in ET.parse(file).iter("testcase")]
    lines.update(dict(each for each in found if each))
    ordered = [lines[fault] for fault in sorted(lines)]
    print("\n".join(HEAD.splitlines()[-2:] + ordered))
    PAGE.write_text(HEAD + "\n".join(ordered) + "\n")
    if any("| NO |" in line for line in ordered):
        raise SystemExit("Something was lost, doubled or not seen: see above.")


if __name__ == "__main__":
    main(sys.argv[1])
