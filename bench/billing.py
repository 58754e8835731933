"""Money in batches: claims checked and sent, an 835 posted durably, statements made and printed."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from typing import Any

from bench.floors import _binaries
from bench.platform import Platform, own_platform
from bench.server import Server, WrongAnswer
from polyclinic.standards.x12.envelope import Envelope, Party
from polyclinic.standards.x12.remittance import (
    Adjustment,
    ClaimPayment,
    Procedure,
    Remittance,
    ServicePayment,
    write_remittances,
)

CLAIMS, LINES = 334, 10  # three runs are a thousand statements
HANDS = 4  # requests at the same moment
LINE = 12_000  # cents of each line: 80 % are paid, 10 % are the contract's, 10 % the patient's
PAYER, X12_ID = "bench", "BENCHPAYER"
CODES = [f"Z{1001 + n}" for n in range(LINES)]
# The rows that one file made, written again as plainly as can be; durable like ours.
FLOOR = """
CREATE TABLE IF NOT EXISTS bench_ledger (LIKE billing.ledger_line);
CREATE TABLE IF NOT EXISTS bench_lines (LIKE billing.remittance_line);
CREATE TEMP TABLE ledger AS SELECT l.* FROM billing.ledger_line l
    JOIN billing.ledger_entry e ON e.id = l.entry WHERE e.source LIKE 'remittance/{name}/%';
CREATE TEMP TABLE lines AS SELECT * FROM billing.remittance_line WHERE remittance = '{name}';
SELECT extract(epoch FROM clock_timestamp()) AS began \\gset
BEGIN;
INSERT INTO bench_ledger SELECT * FROM ledger;
INSERT INTO bench_lines SELECT * FROM lines;
COMMIT;
SELECT extract(epoch FROM clock_timestamp()) - :began;
"""


@dataclass(frozen=True)
class Run:
    """One run, in things a second; `statements` in seconds for a thousand of them."""

    checked: float
    sent: float
    lines: float
    floor: float
    statements: float


class Clinic:
    """Billing under test, with a payer and a price list of its own."""

    def __init__(self, platform: Platform, token: str | None) -> None:
        self.platform = platform
        self._server = Server("billing", f"http://127.0.0.1:{platform.port}", token)

    def open(self) -> None:
        address = {"line": "1 Square", "city": "Springfield", "state": "MA", "postal_code": "01103"}
        payer = {"name": "Bench Health Plan", "x12_id": X12_ID, "address": address}
        self.ask("PUT", f"/billing/payers/{PAYER}", payer)
        provider = {"last_name": "Ruiz", "first_name": "Ana", "npi": "1234567893"}
        self.ask("PUT", "/billing/providers/bench", provider)
        rows = "".join(f"{code},,Service,120.00\n" for code in CODES)
        prices = {"name": "Bench", "from_day": "2020-01-01", "currency": "USD",
                  "csv": f"code,modifier,title,amount\n{rows}"}  # fmt: skip
        self.ask("POST", "/billing/fee-schedules", prices)

    def ask(self, method: str, path: str, body: Any = None, content: bytes | None = None) -> Any:
        sent = json.dumps(body).encode() if content is None and body is not None else content or b""
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex,
                   "Authorization": f"Bearer {self._server.token}"}  # fmt: skip
        status, answer = self._server.send(method, path, sent, headers)
        if status >= 300:
            raise WrongAnswer(f"{method} {path}: {status} {answer[:600]!r}")
        return answer if answer.startswith(b"%PDF") else json.loads(answer or b"{}")

    def all(self, act: Callable[[str], Any], names: Sequence[str]) -> tuple[list[Any], float]:
        """Answers, and the seconds that all of them took."""
        began = time.monotonic()
        with ThreadPoolExecutor(HANDS) as hands:
            done = list(hands.map(act, names))
        return done, time.monotonic() - began

    def coded(self, patient: str) -> str:
        """A patient with an insurance and a visit of ten lines; answers the claim."""
        person = {"family": "Bench", "given": "Maria", "birth_date": "1980-04-02", "sex": "female",
                  "address": {"line": "1 Elm Street", "city": "Springfield", "state": "MA",
                              "postal_code": "01103"}}  # fmt: skip
        self.ask("PUT", f"/billing/people/{patient}", person)
        who = {"patient": f"Patient/{patient}"}
        cover = {**who, "payer": PAYER, "member_id": "M1", "from_day": "2020-01-01"}
        self.ask("POST", "/billing/coverages", cover)
        day = datetime.now(UTC).date().isoformat()
        visit = {**who, "day": day, "practitioner": "Practitioner/bench"}
        made = self.ask("POST", "/billing/visits", visit)["visit"]
        lines = [{"code": code} for code in CODES]
        coding = {"diagnoses": ["E11.9"], "lines": lines}
        self.ask("POST", f"/billing/visits/{made}/code", coding)
        found = self.ask("GET", f"/billing/claims?patient=Patient/{patient}")["claims"]
        return found[0]["id"]

    def check(self, claim: str) -> None:
        if self.ask("POST", f"/billing/claims/{claim}/check", {})["status"] != "checked":
            raise WrongAnswer(str(self.ask("GET", f"/billing/claims/{claim}")["findings"]))

    def number(self, claim: str) -> str:
        return self.ask("GET", f"/billing/claims/{claim}")["number"]

    def bill(self, patient: str) -> None:
        """Made and printed."""
        made = self.ask("POST", "/billing/statements", {"patient": f"Patient/{patient}"})
        if made["total"] != LINES * LINE // 10:
            raise WrongAnswer(f"statement: {made}")
        if b"%%EOF" not in self.ask("GET", f"/billing/statements/{made['statement']}.pdf")[-16:]:
            raise WrongAnswer("a statement's paper is cut off")

    def floor(self, content: dict[str, Any]) -> float:
        """Lines a second of plain INSERTs of the rows that a file made."""
        query = f"SELECT id FROM billing.remittance WHERE file = '{content['file']}'"
        name = self._psql(query).strip()
        return content["lines"] / float(self._psql(FLOOR.format(name=name)).split()[-1])

    def _psql(self, text: str) -> str:
        words = [str(_binaries() / "psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"]
        return subprocess.run(
            words, input=text, env=self.platform.postgres_environment, text=True, check=True,
            capture_output=True,
        ).stdout  # fmt: skip


def measure(platform: Platform, token: str | None, runs: int) -> list[Run]:
    """So many runs, each with claims of its own."""
    clinic = Clinic(platform, token)
    if runs:
        clinic.open()
    return [_run(clinic, number) for number in range(runs)]


def _run(clinic: Clinic, number: int) -> Run:
    patients = [f"bench{number}x{n}" for n in range(CLAIMS)]
    claims, _ = clinic.all(clinic.coded, patients)
    _, checking = clinic.all(clinic.check, claims)
    began = time.monotonic()
    clinic.ask("POST", "/billing/submissions", {"claims": claims})
    sending = time.monotonic() - began
    numbers, _ = clinic.all(clinic.number, claims)
    content = advice(numbers, number)
    began = time.monotonic()
    posted = clinic.ask("POST", "/billing/files", content=content)
    posting = time.monotonic() - began
    if (posted["status"], posted["lines"]) != ("taken", CLAIMS * LINES):
        raise WrongAnswer(f"835: {posted}")
    floor = clinic.floor(posted)
    _, billing = clinic.all(clinic.bill, patients)
    if not clinic.ask("GET", "/billing/ledger/proof")["holds"]:
        raise WrongAnswer("the ledger does not hold")
    lines = CLAIMS * LINES / posting
    return Run(CLAIMS / checking, CLAIMS / sending, lines, floor, billing * 1000 / CLAIMS)


def advice(numbers: Sequence[str], number: int) -> bytes:
    """An 835 that pays every claim alike."""
    payments = tuple(_claim(each) for each in numbers)
    now = datetime.now(UTC)
    remittance = Remittance(
        "Bench Health Plan", X12_ID, "The clinic", f"BENCH{number}{now:%H%M%S}",
        sum(each.paid for each in payments), "CHK", now.date(), payments,
        payee_npi="1234567893", payee_tax_id="000000000",
        payer_address=("1 Square", "Springfield", "MA", "011039998"), payer_contact="Services",
    )  # fmt: skip
    envelope = Envelope(Party(X12_ID), Party("POLYCLINIC"), now, number + 1, number + 1)
    return write_remittances(envelope, [remittance])


def _claim(number: str) -> ClaimPayment:
    tenth = LINE // 10
    told = (Adjustment("CO", "45", tenth), Adjustment("PR", "2", tenth))
    lines = tuple(
        ServicePayment(Procedure(code), LINE, LINE - 2 * tenth, Decimal(1),
                       control_number=f"{number}-{n}", adjustments=told)
        for n, code in enumerate(CODES, 1)
    )  # fmt: skip
    return ClaimPayment(
        number, "1", LINES * LINE, LINES * (LINE - 2 * tenth), LINES * tenth,
        payer_control_number=f"P{number}", patient_last_name="Bench", patient_first_name="Maria",
        member_id="M1", lines=lines,
    )  # fmt: skip


def markdown(runs: Sequence[Run]) -> list[str]:
    """The figures of all runs, and what the same rows cost when they are only written."""
    if not runs:
        return []
    ratio = median(run.lines / run.floor for run in runs)
    return [
        f"| money: {CLAIMS} claims of {LINES} lines, {len(runs)} runs | least | median | most |",
        "| --- | ---: | ---: | ---: |",
        _row("claims checked a second", [run.checked for run in runs]),
        _row("claims sent a second, one 837P", [run.sent for run in runs]),
        _row("835 lines posted a second, durable", [run.lines for run in runs]),
        _row("the same rows by plain INSERT, lines a second", [run.floor for run in runs]),
        f"| posted lines of plain INSERT | | {ratio:.2f} | |",
        _row("seconds for 1,000 statements, made and printed", [r.statements for r in runs]),
        "",
    ]


def main() -> None:
    """`python -m bench.billing [RUNS]`: only the money, on a platform of its own."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with own_platform(None) as platform:
        print("\n".join(markdown(measure(platform, platform.token(), runs))))


def _row(name: str, values: Sequence[float]) -> str:
    cells = (f"{value:,.0f}" for value in (min(values), median(values), max(values)))
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
