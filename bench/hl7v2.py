"""HL7 v2 in memory: messages read whole by our parser, beside python-hl7 on the same bytes."""

import itertools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import median

import hl7

from polyclinic.standards.hl7v2 import acknowledge, parse

COUNT = 300  # messages of each kind in a run
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Run:
    """Messages a second of one core. `read`: every leaf, every fault, the groups."""

    kind: str
    size: int
    parsed: float
    read: float
    acknowledged: float
    theirs: float  # python-hl7: parsed, and every field's text looked at


def admission() -> bytes:
    number = next(NUMBERS)
    drawn = sha256(b"%d" % number).digest()  # people who are alike would wait for a person
    letters = "".join(chr(97 + each % 26) for each in drawn).title()
    born = f"19{drawn[16] % 90 + 10}0{drawn[17] % 9 + 1}{drawn[18] % 19 + 10}"
    return "".join(
        f"{line}\r"
        for line in (
            f"MSH|^~\\&|HIS|MAIN|POLY|CLINIC|20261128120000+0000||ADT^A01^ADT_A01|B{number}|P|2.5.1",
            "EVN|A01|20261128120000|||U1^Weber^Ina",
            f"PID|1||B{number}^^^MAIN&1.2.3&ISO^MR||{letters[:8]}^{letters[8:15]}^Anna^^Ms"
            f"||{born}|F|||12 Elm Street^^Springfield^MA^01103^USA||^PRN^PH^^1^413^5550100"
            f"|||M||V{number}|||||||N",
            "NK1|1|Keller^Otto|SPO|12 Elm Street^^Springfield^MA^01103|^PRN^PH^^1^413^5550101",
            "PV1|1|I|W1^101^A^MAIN||||1234^Ruiz^Ana^^^Dr|5678^Lang^Albert|||MED||||1||1234^Ruiz"
            f"^Ana|INP|V{number}|||||||||||||||||||||||||20261128115500",
            "AL1|1|DA|70618^Penicillin^RXN|SV|Hives~Wheeze|20100101",
            "DG1|1|I10|I10^Essential hypertension^I10|||A",
            "IN1|1|PPO^Plan|123|Bench Health Plan|1 Square^^Springfield^MA^01103||||G1|||20260101",
        )
    ).encode()


def results(count: int = 20) -> bytes:
    number = next(NUMBERS)
    lines = [
        f"MSH|^~\\&|LAB|WEST|POLY|CLINIC|20261128120000+0000||ORU^R01^ORU_R01|B{number}|P|2.5.1",
        f"PID|1||{number}^^^MAIN&1.2.3&ISO^MR||Keller^Maria||19800229|F",
        f"PV1|1|O|LAB^^^WEST||||1234^Ruiz^Ana|||||||||||V{number}",
        f"ORC|RE|P{number}^HIS|F{number}^LAB||CM||||20261128110000|||1234^Ruiz^Ana",
        f"OBR|1|P{number}^HIS|F{number}^LAB|24323-8^Metabolic panel^LN|||20261128110000"
        "||||||||||1234^Ruiz^Ana||||||20261128115500|||F",
    ]
    lines += [
        f"OBX|{n}|NM|{2000 + n}-1^Analyte {n}^LN||{n}.5|mg/dL^^UCUM|1-99|N|||F|||20261128115000"
        for n in range(1, count + 1)
    ]
    lines.append("NTE|1||Taken fasting \\T\\ at rest.\\.br\\Second line")
    return "".join(f"{line}\r" for line in lines).encode()


def measure(runs: int) -> list[Run]:
    kinds = (("ADT^A01", admission), ("ORU^R01, 20 results", results))
    return [_run(kind, make) for _ in range(runs) for kind, make in kinds]


def _run(kind: str, make: Callable[[], bytes]) -> Run:
    raws = [make() for _ in range(COUNT)]
    return Run(
        kind, len(raws[0]), _rate(parse, raws), _rate(read, raws), _rate(_answer, raws),
        _rate(_theirs, raws),
    )  # fmt: skip


def read(raw: bytes) -> int:
    """All that a message says; answers the number of its leaves."""
    message = parse(raw)
    if message.faults():
        raise AssertionError("the messages of the bench are sound")
    message.groups()
    return sum(
        len(leaves)
        for segment in message.segments()
        for field in range(1, len(segment) + 1)
        for repetition in segment.repetitions(field)
        for leaves in repetition.components()
    )


def _answer(raw: bytes) -> None:
    acknowledge(parse(raw), "AA", control_id="A1", at="20261128120001+0000").write()


def _theirs(raw: bytes) -> None:
    for segment in hl7.parse(raw.decode()):
        for field in segment:
            str(field)


def _rate(act: Callable[[bytes], object], raws: Sequence[bytes]) -> float:
    began = time.process_time()
    for raw in raws:
        act(raw)
    return len(raws) / (time.process_time() - began)


def markdown(runs: Sequence[Run]) -> list[str]:
    if not runs:
        return []
    heads = ["HL7 v2, messages a second of a core", "bytes", "parsed", "read whole",
             "acknowledged", "python-hl7", "of python-hl7"]  # fmt: skip
    lines = [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)])]
    for kind in dict.fromkeys(run.kind for run in runs):
        those = [run for run in runs if run.kind == kind]
        figures = [
            median(getattr(run, name) for run in those)
            for name in ("size", "parsed", "read", "acknowledged", "theirs")
        ]
        ratio = median(run.read / run.theirs for run in those)
        lines.append(_row([kind, *(f"{each:,.0f}" for each in figures), f"{ratio:.1f}"]))
    return [*lines, ""]


def main() -> None:
    """`python -m bench.hl7v2 [RUNS]`: only the parser."""
    print("\n".join(markdown(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3))))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
