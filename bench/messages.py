"""Messages end to end: from acknowledged to done by the owners, all services in one process.

Each message is another patient's, 64 are sent at a time, and the worker is at work meanwhile. The
sender is in the same process.
"""

import asyncio
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import httpx

from polyclinic.assembly.process import Process, assemble
from polyclinic.foundation import jose
from polyclinic.foundation.database import Database
from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey
from polyclinic.services.integration.actions.state import Came

SERVICES = ("identity", "records", "appointments", "billing", "integration")
PEOPLE = 150
CHANNEL = b"""
name: bench
source: mllp
accepts: [ADT, ORU, SIU, DFT]
systems: {MAIN: "urn:oid:1.2.3", HIS: "urn:oid:1.2.4", LAB: "urn:oid:1.2.5"}
"""
DOCTOR = {"resourceType": "Practitioner", "id": "adams",
          "identifier": [{"system": "urn:oid:1.2.3", "value": "D1"}]}  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RULES = [
    {"weekday": day, "from": "09:00", "to": "17:00", "site": "main", "visit_types": ["visit"]}
    for day in _DAYS
]
WEEK = {
    "visit_types": [{"id": "visit", "name": "Visit", "minutes": 20, "every": 20}],
    "sites": [{"id": "main", "name": "Main", "time_zone": "UTC"}],
    "clinicians": [{"practitioner": "Practitioner/adams", "time_zone": "UTC", "rules": _RULES}],
}
FEES = {"name": "List", "from_day": "2020-01-01", "currency": "USD",
        "csv": "code,modifier,title,amount\nZ1001,,Visit,120.00\n"}  # fmt: skip
_BEGINS = datetime(2027, 1, 4)  # noqa: DTZ001 - written with its zone below
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Run:
    """Messages a second; for each, SQL statements and milliseconds of this process's CPU."""

    kind: str
    rate: float
    statements: float
    busy: float


class Statements:
    """Counts what goes to PostgreSQL in this process."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        plain: Any = asyncpg.Connection._execute  # pyright: ignore[reportAttributeAccessIssue]
        simple = asyncpg.Connection.execute

        async def counted(connection: Any, query: str, *values: Any, **more: Any) -> Any:
            self.counts[query] += 1
            return await plain(connection, query, *values, **more)

        async def counted_simple(connection: Any, query: str, *values: Any, **more: Any) -> Any:
            if not values:
                self.counts[query] += 1
            return await simple(connection, query, *values, **more)

        asyncpg.Connection._execute = counted  # pyright: ignore[reportAttributeAccessIssue]
        asyncpg.Connection.execute = counted_simple  # pyright: ignore[reportAttributeAccessIssue]


def _lines(trigger: str, *lines: str) -> bytes:
    head = f"MSH|^~\\&|HIS|MAIN|POLY|CLINIC|{_at()}||{trigger}|M{next(_numbers)}|P|2.5.1"
    event = [f"EVN||{_at()}"] if trigger.startswith(("ADT", "DFT")) else []
    return "".join(f"{each}\r" for each in (head, *event, *lines)).encode()


def _at() -> str:
    moment = datetime(2026, 11, 1) + timedelta(seconds=next(_numbers))  # noqa: DTZ001
    return f"{moment:%Y%m%d%H%M%S}+0000"


def _pid(number: int, phone: str = "") -> str:
    drawn = sha256(b"%d" % number).digest()  # nobody is like anybody else
    letters = "".join(chr(97 + each % 26) for each in drawn)
    family, given = letters[:9].title(), letters[9:16].title()
    born = datetime(1930, 1, 1) + timedelta(days=int.from_bytes(drawn[16:18]) // 2)  # noqa: DTZ001
    home = f"|||||^PRN^PH^^^^^^^^^{phone}" if phone else ""
    return f"PID|1||B{number}^^^MAIN^MR||{family}^{given}||{born:%Y%m%d}|F{home}"


def _visit(number: int) -> str:
    return f"PV1|1|O|W1^101^A^MAIN||||D1^Adams^Dora^^^^^^MAIN|||MED|||||||||V{number}^^^MAIN^VN"


def register(number: int) -> bytes:
    return _lines("ADT^A04", _pid(number, "4135550100"), _visit(number))


def update(number: int) -> bytes:
    return _lines("ADT^A08", _pid(number, f"{next(_numbers):010}"), _visit(number))


def booking(number: int) -> bytes:
    begins = _BEGINS + timedelta(minutes=30 * next(_numbers))
    times = [f"{each:%Y%m%d%H%M%S}+0000" for each in (begins, begins + timedelta(minutes=30))]
    key = next(_numbers)
    sch = f"SCH|P{key}^HIS|F{key}^HIS|||||ROUTINE^Routine||30|min|^^30^"
    sch += "^".join(times) + 14 * "|" + "Booked"
    aip = f"AIP|1||D1^Adams^Dora^^^^^^MAIN|ADM|||{times[0]}|||30|min"
    return _lines("SIU^S12", sch, _pid(number), "RGS|1", aip)


def result(number: int) -> bytes:
    key = next(_numbers)
    obr = f"OBR|1||F{key}^LAB|24323-8^Metabolic panel^LN|||20261101090000+0000{15 * '|'}"
    lines = [
        f"OBX|{n}|NM|{2000 + n}-1^Analyte {n}^LN||{n}.5|mg/dL^mg/dL^UCUM|1-99|N|||F|||"
        "20261101091000+0000"
        for n in range(1, 6)
    ]
    return _lines("ORU^R01", _pid(number), f"{obr}20261101|||F", *lines)


def charge(number: int) -> bytes:
    line = f"FT1|1|T{next(_numbers)}||20261120||CG|Z1001^Visit^L|||1|120.00"
    line += 8 * "|" + "E11.9^Diabetes^I10|D1^Adams^Dora^^^^^^MAIN"
    return _lines("DFT^P03", _pid(number), _visit(number), line)


KINDS: dict[str, Callable[[int], bytes]] = {
    "ADT^A04, new people": register,
    "ADT^A08": update,
    "SIU^S12": booking,
    "ORU^R01, 5 results": result,
    "DFT^P03": charge,
}


@asynccontextmanager
async def _house(folder: Path) -> AsyncGenerator[Process, None]:
    RootKey.create(folder / "root.key")
    server = EmbeddedPostgres(folder / "postgres")
    url = await server.start()
    platform = Platform(database_url=url, key_file=str(folder / "root.key"))
    try:
        async with assemble(platform, SERVICES, {}) as process:
            await _prepare(process, RootKey.read(folder / "root.key"))
            yield process
    finally:
        await server.stop()


async def _prepare(process: Process, root: RootKey) -> None:
    transport = httpx.ASGITransport(process.edge)  # pyright: ignore
    async with httpx.AsyncClient(transport=transport, base_url="http://bench.test") as client:
        proof = jose.assertion(
            root.derive("operator"), issuer="operator", audience="polyclinic-operator",
            now=int(time.time()),
        )  # fmt: skip
        asked = {"client": "bench", "scope": "system/*.cruds", "assertion": proof}
        answer = await client.post("/identity/operator/token", json=asked)
        headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
        for method, path, body in (
            ("PUT", "/fhir/Practitioner/adams", DOCTOR),
            ("PUT", "/appointments/setup", WEEK),
            ("POST", "/billing/fee-schedules", FEES),
            ("POST", "/integration/channels", CHANNEL),
        ):
            sent: Any = {"content": body} if isinstance(body, bytes) else {"json": body}
            keyed = {**headers, "idempotency-key": path}
            answer = await client.request(method, path, headers=keyed, **sent)
            if answer.is_error:
                raise AssertionError(f"{path}: {answer.text}")


async def _nothing_queued(database: Database) -> None:
    while True:
        if not await database.fetchval("SELECT count(*) FROM integration.queue"):
            return
        await asyncio.sleep(0.05)


async def _work_off(process: Process, raws: Sequence[bytes], statements: Statements) -> Run:
    running = process.running["integration"]
    statements.counts.clear()
    began, busy = time.monotonic(), time.process_time()
    for start in range(0, len(raws), 64):
        came = (
            running.state.receive(Came("bench", "mllp", raw)) for raw in raws[start : start + 64]
        )
        for received in await asyncio.gather(*came):
            if received.answer.code != "AA":
                raise AssertionError(received.answer)
    await _nothing_queued(running.database)
    seconds, busy = time.monotonic() - began, time.process_time() - busy
    left = await running.database.fetchval(
        "SELECT string_agg(DISTINCT concat_ws(' ', kind, state, reason, problem), ', ')"
        " FROM integration.message WHERE state <> 'done'"
    )
    if left:
        raise AssertionError(f"not everything is done: {left}")
    count = len(raws)
    return Run("", count / seconds, sum(statements.counts.values()) / count, 1000 * busy / count)


async def measured(runs: int, statements: Statements) -> list[Run]:
    found: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="polyclinic-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # noqa: ASYNC240 - PostgreSQL's own user passes; nothing runs yet
        async with _house(folder) as process:
            for run in range(runs):
                people = range(run * PEOPLE + 1, (run + 1) * PEOPLE + 1)
                for kind, make in KINDS.items():
                    done = await _work_off(process, [make(n) for n in people], statements)
                    found.append(replace(done, kind=kind))
    return found


def measure(runs: int) -> list[Run]:
    return asyncio.run(measured(runs, Statements())) if runs else []


def markdown(runs: Sequence[Run]) -> list[str]:
    if not runs:
        return []
    heads = ["HL7 v2 end to end, first sent to last done", "a second", "SQL statements each",
             "CPU ms each, without PostgreSQL"]  # fmt: skip
    lines = [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)])]
    for kind in KINDS:
        those = [run for run in runs if run.kind == kind]
        figures = [
            median(getattr(r, name) for r in those) for name in ("rate", "statements", "busy")
        ]
        lines.append(_row([kind, *(f"{each:,.1f}" for each in figures)]))
    return [*lines, ""]


def main() -> None:
    """`python -m bench.messages [RUNS]`: only messages, in a process of its own."""
    print("\n".join(markdown(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3))))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
