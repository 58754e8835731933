"""What a drill proves of a restored folder: pages, indexes, books, audit tree, services."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from polyclinic.assembly.process import Process, assemble
from polyclinic.cli.auditing import ACTING
from polyclinic.cli.auditing import Platform as Audited
from polyclinic.cli.datafolder import DataFolder, operator_seed
from polyclinic.cli.drill_canaries import Canaries, assert_that
from polyclinic.cli.operator import Operator
from polyclinic.cli.proving import Proof, checkpoints_of, prove
from polyclinic.foundation.backup.restoring import connected
from polyclinic.foundation.backup.tools import run_tool
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey
from polyclinic.standards.transparency.note import Verifier

# Those that send nothing to the world: a copy must not bill, remind or notify anybody.
QUIET = ("identity", "records", "audit")
ADDRESS = "http://restored.invalid"
KINDS = (
    "Patient", "Practitioner", "Observation", "Condition", "Encounter", "MedicationRequest",
    "DiagnosticReport", "Immunization", "Coverage", "Organization",
)  # fmt: skip
Work = Callable[[Process, Operator], Awaitable[str]]


async def check_pages(binaries: Path, cluster: Path) -> str:
    """Every page's checksum; the server must be stopped."""
    told = await run_tool(binaries / "pg_checksums", "--check", "--pgdata", cluster)
    blocks = next((line for line in told.splitlines() if "Blocks scanned" in line), "")
    return f"{int(blocks.split()[-1]):,} pages, each with its checksum"


async def check_indexes(binaries: Path, url: str) -> str:
    """Every index holds exactly its table's rows."""
    parts = urlsplit(url)
    words = ["--heapallindexed", "--install-missing", "--no-password"]
    words += ["--host", parse_qs(parts.query)["host"][0], "--username", parts.username or ""]
    password = parts.password or ""
    await run_tool(binaries / "pg_amcheck", *words, parts.path[1:], password=password)
    return "every table and index agrees"


async def check_books(connection: Any, canaries: Canaries) -> str:
    """Money sums to nothing in each entry; the audit tree has no hole up to the moment."""
    said: list[str] = []
    if await connection.fetchval("SELECT to_regclass('billing.ledger_line')") is not None:
        wrong = await connection.fetchval(
            "SELECT count(*) FROM (SELECT FROM billing.ledger_line GROUP BY entry "
            "HAVING sum(amount) <> 0) AS uneven"
        )
        assert_that(wrong == 0, f"{wrong} entries of the ledger do not sum to nothing")
        lines = await connection.fetchval("SELECT count(*) FROM billing.ledger_line")
        said.append(f"{lines:,} lines of the ledger in balance")
    if canaries.entries is not None:
        count = await connection.fetchval("SELECT count(*) FROM audit.entry")
        highest = await connection.fetchval("SELECT coalesce(max(seq) + 1, 0) FROM audit.entry")
        assert_that(count == highest >= canaries.entries, "rows of the audit tree are missing")
        said.append(f"{count:,} rows of the audit tree, none missing")
    return "; ".join(said) or "neither billing nor audit is installed"


async def served(url: str, folder: DataFolder, root: RootKey, work: Work) -> str:
    """Starts the quiet services on the copy and lets `work` ask them."""
    names = await installed(url)
    if "identity" not in names:
        return "no identity is installed, so nothing can be asked"
    platform = Platform(database_url=url, key_file=str(folder.key_file), migrate=True)
    async with assemble(platform, names, {}) as process:
        transport = httpx.ASGITransport(process.edge)  # pyright: ignore[reportArgumentType]
        async with Operator(ADDRESS, operator_seed(root), transport) as operator:
            return await work(process, operator)


class Smoke:
    """Asks the services what people and programs ask first; keeps when the first one answered."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.asked = 0

    async def ask(self, process: Process, operator: Operator) -> str:
        for name in process.running:
            answer = await operator.http.get(f"/{name}/health/ready")
            self._note(answer, (200,), f"{name} is ready")
        await operator.token("drill", "system/*.rs")
        if "records" in process.running:
            await self._ask_records(operator)
        if "audit" in process.running:
            await self._prove_audit(operator)
        return f"{', '.join(process.running)}: {self.asked} questions answered"

    async def _ask_records(self, operator: Operator) -> None:
        acting = ("drill", "system/*.rs")
        for path in ("/fhir/metadata", *(f"/fhir/{kind}?_count=3" for kind in KINDS)):
            answer = await operator.get(path, acting)
            self._note(answer, (200,), path)
            for each in answer.json().get("entry", ()):
                kept = each["resource"]
                found = await operator.get(f"/fhir/{kept['resourceType']}/{kept['id']}", acting)
                self._note(found, (200,), f"a {kept['resourceType']} that a search found")
        self._note(await operator.http.get("/fhir/Patient"), (401,), "somebody without a token")

    async def _prove_audit(self, operator: Operator) -> None:
        reads, proof = Audited(operator), Proof()
        await operator.token(*ACTING)
        verifier = Verifier.read(await reads.key())
        notes = [("audit.checkpoint", note) for note in await reads.notes()]
        await prove(proof, reads, checkpoints_of(proof, notes, verifier))
        first = next(iter(proof.breaks), None)
        assert_that(first is None, f"the audit tree is broken: {first and first.what}")
        self.asked += 1

    def _note(self, answer: httpx.Response, wanted: tuple[int, ...], what: str) -> None:
        assert_that(answer.status_code in wanted, f"{what}: answered {answer.status_code}")
        self.first = self.first or time.monotonic()
        self.asked += 1


async def installed(url: str) -> tuple[str, ...]:
    """Which of the quiet services have their schema there."""
    async with connected(url) as connection:
        rows = await connection.fetch("SELECT nspname FROM pg_namespace")
    return tuple(name for name in QUIET if name in {row["nspname"] for row in rows})
